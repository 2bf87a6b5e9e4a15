/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * milter_user: see milter_user.h. Names are looked up here and nowhere else, so that the milter, those who
 * refuse it and `postroad doctor` mean the same user.
 *
 * Must not be called by whom the sandbox or a chroot keeps from the user database.
 */
#include "milter_user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

static int
fail(char *error, size_t error_n, const char *key, const char *name)
{
    snprintf(error, error_n, "%s: \"%s\": %s", key, name,
             errno ? strerror(errno) : "there is no such name, see sysusers.d(5)");
    return -1;
}

static int
find_daemon(const struct conf *conf, struct milter_user *u, char *error, size_t error_n)
{
    const struct passwd *pw;
    const struct group *gr;

    errno = 0;
    if (!(pw = getpwnam(conf->user)))
        return fail(error, error_n, "user", conf->user);
    u->daemon_uid = pw->pw_uid;
    errno = 0;
    if (!(gr = getgrnam(conf->group)))
        return fail(error, error_n, "group", conf->group);
    u->daemon_gid = gr->gr_gid;
    return 0;
}

int
milter_user(const struct conf *conf, struct milter_user *u, const char **why_r, char *error,
            size_t error_n)
{
    const char *name = conf->milter.user, *unused;
    const struct passwd *pw;

    why_r = why_r ? why_r : &unused;
    *why_r = "";
    if (find_daemon(conf, u, error, error_n) < 0)
        return -1;
    if (u->daemon_uid == 0)
        return 0;
    *why_r = "milter.user is that of postroad-policyd: who takes over postroad-milter may do all "
             "that postroad-policyd may";
    if (!*name)
        return 0;
    errno = 0;
    pw = getpwnam(name);
    if (!pw && (errno != 0 || strcmp(name, MILTER_USER) != 0))
        return fail(error, error_n, "milter.user", name);
    if (!pw)
        *why_r = "there is no user " MILTER_USER ", so postroad-milter runs as that of "
                 "postroad-policyd: who takes it over may do all that postroad-policyd may";
    if (!pw || pw->pw_uid == u->daemon_uid)
        return 0;
    *why_r = "";
    u->uid = pw->pw_uid;
    u->gid = pw->pw_gid;
    errno = 0;
    if (u->uid != 0 && u->gid != 0 && u->gid != u->daemon_gid)
        return 1;
    snprintf(error, error_n, "milter.user: \"%s\": must be neither root nor in group %s or root",
             name, conf->group);
    return -1;
}

int
milter_user_uid(const struct conf *conf, uid_t *uid_r)
{
    struct milter_user u;
    char error[512];

    if (milter_user(conf, &u, NULL, error, sizeof error) != 1)
        return 0;
    *uid_r = u.uid;
    return 1;
}
