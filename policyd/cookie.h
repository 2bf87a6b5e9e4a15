/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cookie: how far the mirror has followed the providers: one change sequence
 * number for each server id (SID).
 *
 * A provider's cookie names only the server that changed last, so cookies are
 * merged; and it names the provider itself (sid=), which must not be shown to
 * another one, or that takes us for the first and withholds its changes. The
 * replica id (rid=) is that of whoever relayed a change: ours is 000. Cookies of
 * other servers than OpenLDAP are opaque: the newest counts. Pure.
 */
#ifndef POSTROAD_COOKIE_H
#define POSTROAD_COOKIE_H

#include <stddef.h>

#include "span.h"

#define COOKIE_SIDS_MAX   32
#define COOKIE_CSN_MAX    63
#define COOKIE_OPAQUE_MAX 1024
#define COOKIE_TEXT_MAX   2560 /* bytes that hold every cookie, with the NUL */

struct cookie {
    size_t n; /* CSNs, ordered by SID */
    struct cookie_csn {
        unsigned sid;
        char text[COOKIE_CSN_MAX + 1];
    } csn[COOKIE_SIDS_MAX];
    char rid[4];     /* "000"; "" when none was named */
    size_t opaque_n; /* > 0: not OpenLDAP's, and these bytes are all of it */
    char opaque[COOKIE_OPAQUE_MAX];
};

void cookie_init(struct cookie *c);
/*
 * Take in what a provider sent: a CSN newer than the one known for its SID replaces it. Returns 1
 * something is new, 0 nothing is, -1 unusable (malformed, too long, too many SIDs): *c is as before.
 */
int cookie_merge(struct cookie *c, struct span text);
/* Take in one CSN, a value of contextCSN. As cookie_merge. */
int cookie_merge_csn(struct cookie *c, struct span csn);
/*
 * Whether have knows everything want knows: for each SID of want a CSN as new. An opaque cookie
 * tells nothing about what it stands for: 0.
 */
int cookie_covers(const struct cookie *have, const struct cookie *want);
/* As it is stored and presented: "rid=000,csn=A;B", never with sid=. 0 when nothing is known; -1: cap. */
long cookie_write(const struct cookie *c, char *out, size_t cap);

#endif
