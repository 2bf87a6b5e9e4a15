/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * privileges: see privileges.h.
 *
 * Promises: after 0 there is no way back to root. Must not be called once there are
 * threads that hold on to what they have.
 */
#include "privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static int
fail(const char *step, const char *name, char *error, size_t error_n)
{
    snprintf(error, error_n, "%s %s: %s", step, name, strerror(errno));
    return -1;
}

static int
drop_ids(const char *user, const char *group, char *error, size_t error_n)
{
    const struct passwd *pw;
    const struct group *gr = NULL;
    uid_t uid;
    gid_t gid;

    errno = ENOENT;
    if (!(pw = getpwnam(user)))
        return fail("user", user, error, error_n);
    uid = pw->pw_uid;
    gid = pw->pw_gid;
    errno = ENOENT;
    if (group && !(gr = getgrnam(group)))
        return fail("group", group, error, error_n);
    if (group)
        gid = gr->gr_gid;
    else
        group = user;
    if (uid == 0)
        return 0;
    if (setgroups(1, &gid) < 0)
        return fail("setgroups", group, error, error_n);
    if (setresgid(gid, gid, gid) < 0)
        return fail("setgid", group, error, error_n);
    if (setresuid(uid, uid, uid) < 0)
        return fail("setuid", user, error, error_n);
    errno = EPERM;
    if (setuid(0) == 0 || geteuid() != uid || getegid() != gid)
        return fail("verify", user, error, error_n);
    return 0;
}

int
privileges_drop(const char *user, const char *group, char *error, size_t error_n)
{
    const struct rlimit no_core = {0, 0};

    setrlimit(RLIMIT_CORE, &no_core);
    if (geteuid() == 0 && drop_ids(user, group, error, error_n) < 0)
        return -1;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return fail("no_new_privs", user, error, error_n);
    return 0;
}
