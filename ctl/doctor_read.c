/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doctor, reading: whether who will read a file can read it: the daemon's user, or root, where the daemon is
 * started as root. Root sees it by trying, as that user, in a process of its own; others only of themselves.
 *
 * Must not read what is in the file.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "doctor.h"
#include "show.h"

static int
open_errno(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), error = errno;

    if (fd >= 0)
        close(fd);
    return fd >= 0 ? 0 : error;
}

/* With the groups a service of that user and group gets. 0 or an errno, -1: can't tell. */
static int
errno_as(const struct passwd *pw, gid_t gid, const char *path)
{
    int status = 0, error;
    pid_t pid;

    fflush(stdout);
    if ((pid = fork()) == 0) {
        if (initgroups(pw->pw_name, gid) < 0 || setresgid(gid, gid, gid) < 0 ||
            setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0)
            _exit(255);
        error = open_errno(path);
        _exit(error < 255 ? error : EIO);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) != 255 ? WEXITSTATUS(status) : -1;
}

int
doctor_reads(const struct conf *conf, const char *path)
{
    const struct passwd *pw = getpwnam(conf->user);
    const struct group *gr = getgrnam(conf->group);

    if (!pw || !gr)
        return -1;
    if (geteuid() == pw->pw_uid)
        return open_errno(path);
    return geteuid() == 0 ? errno_as(pw, gr->gr_gid, path) : -1;
}

int
doctor_runs_as_root(struct doctor *d)
{
    json_t *status, *role;
    char proc[64] = "";
    struct stat st;
    size_t i;

    if (daemon_ask_quietly(d->ctl, json_pack("{s:s}", "verb", "status"), &status) < 0)
        return -1;
    json_array_foreach(json_object_get(status, "roles"), i, role)
    {
        if (strcmp(show_text(role, "name"), "parent") == 0)
            snprintf(proc, sizeof proc, "/proc/%.0f", show_number(role, "pid"));
    }
    json_decref(status);
    return *proc && stat(proc, &st) == 0 ? st.st_uid == 0 : -1;
}
