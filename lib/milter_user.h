/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * milter_user: which Unix user postroad-milter is. It parses what strangers write, so it has one of its own,
 * which may nothing that is postroad-policyd's.
 */
#ifndef POSTROAD_MILTER_USER_H
#define POSTROAD_MILTER_USER_H

#include <sys/types.h>

#include "conf.h"

#define MILTER_USER "postroad-milter" /* the default of milter.user */

struct milter_user {
    uid_t uid;
    gid_t gid; /* its own group */
    uid_t daemon_uid;
    gid_t daemon_gid;
};

/*
 * 1: it has a user of its own, *u; 0: it runs as `user`, as it is configured, or as there is no user of the
 * default's name; -1 and error: there is no such user or group, or it can't be looked up. why_r (may be
 * NULL): for 0, a sentence for the administrator, "" where user is root, which is his wish.
 */
int milter_user(const struct conf *conf, struct milter_user *u, const char **why_r, char *error,
                size_t error_n);

/* The same for who only asks whether that uid is the milter's: 1 with *uid_r, or 0. */
int milter_user_uid(const struct conf *conf, uid_t *uid_r);

#endif
