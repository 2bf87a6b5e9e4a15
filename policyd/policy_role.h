/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy_role: what the role policy says to Postfix's smtpd. policy_role.c speaks
 * the protocol, policy_handoff.c judges what a peer hands over, policy_send.c all else.
 */
#ifndef POSTROAD_POLICY_ROLE_H
#define POSTROAD_POLICY_ROLE_H

#include <stddef.h>

#include "policy.h"

#define POLICY_ACTION_MAX 512 /* bytes of one action; smtpd's reply holds it */

/* Kinds of answers, as they are counted at BOARD_POLICY_ANSWERS. */
enum policy_answer {
    POLICY_DUNNO,    /* none of our business */
    POLICY_TAKEN,    /* handed over to us, and ours */
    POLICY_DEFERRED, /* handed over to us, but it does not stay here */
    POLICY_STRANGER, /* on the hand-off port, but no site's certificate */
    POLICY_TROUBLE,  /* could not look */
    POLICY_REFUSED,  /* may not be sent, or not to there */
    POLICY_LATER,    /* not now: no room for it, or it can't be told */
    POLICY_ANSWER_N
};

/* "dunno", "taken", "deferred", "stranger", "trouble", "refused", "later" */
const char *policy_answer_word(enum policy_answer a);

struct worker;

/*
 * The recipient of a request in the hand-off context: what Postfix shall do goes into action
 * (cap >= POLICY_ACTION_MAX), NUL-terminated, printable ASCII. Logs what it defers.
 */
enum policy_answer policy_handoff(struct worker *w, const struct policy_request *req, char *action,
                                  size_t cap);

#endif
