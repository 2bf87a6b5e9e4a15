/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * role_start: the parent's end of starting a role: descriptors at their fixed
 * places, the configuration in memory, and the same program again.
 *
 * The program is /proc/self/exe, so a role is never of another version than its
 * parent, even while a package is being upgraded.
 */
#include "role_start.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FD_MAX (ROLE_FD_LISTEN + ROLE_LISTEN_MAX)

/* First out of the way, then down to their places: none treads on another. */
static int
place_descriptors(const struct role_order *o)
{
    int fd[FD_MAX], n = 0;

    fd[n++] = o->parent_fd;
    fd[n++] = o->board_fd;
    fd[n++] = o->conf_fd;
    for (int i = 0; i < o->nlisten; i++)
        fd[n++] = o->listen_fd[i];
    for (int i = 0; i < n; i++) {
        fd[i] = fcntl(fd[i], F_DUPFD_CLOEXEC, ROLE_FD_PARENT + FD_MAX);
        if (fd[i] < 0)
            return -1;
    }
    for (int i = 0; i < n; i++)
        if (dup2(fd[i], ROLE_FD_PARENT + i) < 0)
            return -1;
    return 0;
}

pid_t
role_fork(void)
{
    static const int handled[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
    sigset_t all, before;
    pid_t pid;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid = fork();
    for (size_t i = 0; pid == 0 && i < sizeof(handled) / sizeof(handled[0]); i++)
        signal(handled[i], SIG_DFL);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return pid;
}

void
role_exec(const struct role_order *o)
{
    char order[64];
    char *argv[] = {(char *)"postroad-policyd", (char *)"-x", order, (char *)"-c",
                    (char *)o->conf_path,       NULL};
    static const char *const parents_own[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"};
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    for (size_t i = 0; i < sizeof(parents_own) / sizeof(parents_own[0]); i++)
        unsetenv(parents_own[i]);
    snprintf(order, sizeof(order), "%s:%d:%d", o->role->name, o->page, o->nlisten);
    if (null >= 0 && dup2(null, STDIN_FILENO) >= 0 && place_descriptors(o) == 0)
        execv("/proc/self/exe", argv);
    dprintf(STDERR_FILENO, "postroad-policyd: can't start role %s: %s\n", o->role->name,
            strerror(errno));
    _exit(75);
}
