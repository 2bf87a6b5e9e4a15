/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * queue_rights: see queue_rights.h.
 *
 * Root here is a user id and three capabilities. Without CAP_DAC_OVERRIDE not even the queue's folders
 * can be opened: postqueue gets at showq's socket by the group that it is setgid to, as no_new_privs
 * takes that away from the program itself. Promises: after 0 nothing that runs from here has more.
 * The filter can't withhold sockets of the Internet families: Postfix's programs look at the machine's
 * addresses with them.
 */
#include "queue_rights.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox.h"

static const int kept[] = {CAP_KILL, CAP_SETGID, CAP_SETUID};

static uid_t low_uid;
static gid_t low_gid;

static int
fail(const char *step, char *error, size_t error_n)
{
    snprintf(error, error_n, "%s: %s", step, strerror(errno));
    return -1;
}

static uint32_t
kept_mask(void)
{
    uint32_t mask = 0;

    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        mask |= UINT32_C(1) << kept[i];
    return mask;
}

/* The group that Postfix lets at its queue reports: the one postqueue is setgid to, or -1. */
static gid_t
postdrop_group(const struct conf *conf)
{
    struct stat st;

    return stat(conf->queue.postqueue, &st) == 0 && (st.st_mode & S_ISGID) ? st.st_gid : (gid_t)-1;
}

static int
find_user(const struct conf *conf, char *error, size_t error_n)
{
    const struct passwd *pw;
    const struct group *gr;

    errno = ENOENT;
    if (!(pw = getpwnam(conf->user)))
        return fail(conf->user, error, error_n);
    low_uid = pw->pw_uid;
    errno = ENOENT;
    if (!(gr = getgrnam(conf->group)))
        return fail(conf->group, error, error_n);
    low_gid = gr->gr_gid;
    return 0;
}

static int
drop_bounding(char *error, size_t error_n)
{
    uint32_t mask = kept_mask();

    for (int cap = 0; cap <= 63; cap++) {
        if ((cap < 32 && (mask >> cap & 1)) || prctl(PR_CAPBSET_READ, cap, 0, 0, 0) != 1)
            continue;
        if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
            return fail("PR_CAPBSET_DROP", error, error_n);
    }
    return 0;
}

static int
set_capabilities(char *error, size_t error_n)
{
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{kept_mask(), kept_mask(), 0}, {0, 0, 0}};

    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return syscall(SYS_capset, &head, data) < 0 ? fail("capset", error, error_n) : 0;
}

static int
keep_root(const struct conf *conf, char *error, size_t error_n)
{
    gid_t drop = postdrop_group(conf), none = 0;

    if (find_user(conf, error, error_n) < 0)
        return -1;
    if (setgroups(drop != (gid_t)-1, drop != (gid_t)-1 ? &drop : &none) < 0)
        return fail("setgroups", error, error_n);
    return drop_bounding(error, error_n) < 0 ? -1 : set_capabilities(error, error_n);
}

int
queue_rights_keep(const struct conf *conf, char *error, size_t error_n)
{
    if (geteuid() == 0 && keep_root(conf, error, error_n) < 0)
        return -1;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return fail("no_new_privs", error, error_n);
    if (!conf->sandbox ||
        sandbox_enter(SANDBOX_CONNECT | SANDBOX_FORK | SANDBOX_PROGRAMS, error, error_n) >= 0)
        return 0;
    return -1;
}

/* The groups stay: that of postqueue is among them. */
int
queue_rights_lower(void)
{
    if (geteuid() != 0 || low_uid == 0)
        return 0;
    return setresgid(low_gid, low_gid, low_gid) < 0 || setresuid(low_uid, low_uid, low_uid) < 0 ? -1
                                                                                                : 0;
}
