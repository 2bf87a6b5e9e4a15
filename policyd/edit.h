/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * edit: the role that changes the directory for an administrator: what is asked of it,
 * by role access over a pair of sockets (SOCK_SEQPACKET) that the parent keeps, and what it
 * answers. Both ends are one program, of one version, so messages are structs.
 */
#ifndef POSTROAD_EDIT_H
#define POSTROAD_EDIT_H

#include <stdint.h>

#include "conf.h"

#define EDIT_DN   1025
#define EDIT_TEXT 512

struct edit_request {
    uint64_t id;
    int64_t until_ms; /* monotonic: nobody waits for an answer any more */
    uint64_t bytes;   /* quota; 0: without limit */
    char actor[EDIT_DN], target[EDIT_DN];
};

enum edit_verdict { EDIT_UNSURE = -1, EDIT_NO = 0, EDIT_DONE = 1 };

struct edit_answer {
    uint64_t id;
    enum edit_verdict verdict;
    char text[EDIT_TEXT]; /* why it is not done; printable ASCII */
};

/* Whether the configuration says with which credential, so that there is a role edit. */
int edit_configured(const struct conf *conf);

/* edit_ldap.c. With privileges, before they are dropped: read the credential. 0, or -1 and error. */
int edit_ldap_setup(const struct conf *conf, char *error, size_t n);
/*
 * Set the quota of an entry with the rights of the actor. Takes edit.timeout for each step, and
 * each server. log_r: what an administrator has to know of a failure, "" when there is nothing.
 */
enum edit_verdict edit_ldap_quota(const struct conf *conf, const struct edit_request *q,
                                  char text_r[EDIT_TEXT], char log_r[EDIT_TEXT]);

#endif
