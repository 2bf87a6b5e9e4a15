/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rights_ask: one question about rights in words, "ACTOR ACTION TARGET [VALUE]", and
 * its answer out of the mirror. What every asker shares.
 */
#ifndef POSTROAD_RIGHTS_ASK_H
#define POSTROAD_RIGHTS_ASK_H

#include "rights_find.h"

struct rights_question {
    struct span actor, target; /* DN, address or domain, see rights_find */
    struct span action;        /* as rights_action_parse knows it */
    /*
     * What is given; empty: taken away, or nothing. grant: a role; grant:scope: a name as of a target;
     * grant:right: a right; manage:move: DN of the new parent, manage:address: an address;
     * manage:add, manage:class: the kind of entry it is to be (account without).
     */
    struct span value;
};

struct rights_answer {
    struct rights rights;
    const char *usage; /* a fixed text when the question makes no sense: then nothing else is set */
    struct rights_entry actor, target, value;
    struct rights_input in; /* what was decided on */
    struct span scopes[RIGHTS_SCOPES];
    char address_dn[MIRROR_DN_MAX];
};

/*
 * Between mirror_begin and mirror_end; *a is large, and good until the end. age_ms: since the directory
 * last confirmed the mirror, -1 when it was never filled. With an old mirror only questions about
 * one's own entry are answered.
 */
void rights_ask(const struct conf *conf, struct mirror *m, int64_t age_ms,
                const struct rights_question *q, struct rights_answer *a);

#endif
