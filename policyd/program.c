/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * program: see program.h. The helper and its watchers wait: they do nothing else meanwhile.
 *
 * Promises: no shell, no environment and no descriptors but those that were given. Must not read what a
 * program writes: the role does, without privileges.
 */
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* --- the helper --- */

int
program_helper(void (*help)(int fd, const struct role_env *env), const struct role_env *env)
{
    int fd[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) < 0)
        return -1;
    pid = fork();
    if (pid == 0) {
        help(fd[1], env);
        _exit(1);
    }
    close(fd[1]);
    if (pid > 0)
        return fd[0];
    close(fd[0]);
    return -1;
}

void
program_settle(int fd, const char *name)
{
    prctl(PR_SET_NAME, name, 0, 0, 0);
    if (fd != PROGRAM_SOCKET && dup3(fd, PROGRAM_SOCKET, O_CLOEXEC) < 0)
        _exit(1);
    close_range(PROGRAM_SOCKET + 1, ~0u, 0);
}

void
program_tell(uint64_t number, int status)
{
    struct program_report report;

    memset(&report, 0, sizeof report);
    report.number = number;
    report.status = status;
    while (send(PROGRAM_SOCKET, &report, sizeof report, MSG_NOSIGNAL) < 0 && errno == EINTR)
        ;
}

void
program_watch(uint64_t number, int (*run)(void *ctx), void *ctx)
{
    pid_t pid = fork();

    if (pid > 0)
        return;
    if (pid < 0) {
        program_tell(number, -1);
        return;
    }
    signal(SIGCHLD, SIG_DFL);
    program_tell(number, run(ctx));
    _exit(0);
}

/* --- the program --- */

static void __attribute__((noreturn)) become(const struct program *p)
{
    static const int by_default[] = {SIGPIPE, SIGHUP, SIGTERM, SIGCHLD};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), err = p->err < 0 ? null : p->err;

    setpgid(0, 0);
    for (size_t i = 0; i < sizeof by_default / sizeof by_default[0]; i++)
        signal(by_default[i], SIG_DFL);
    if (p->lower && p->lower() < 0)
        _exit(126);
    if (null >= 0 && chdir("/") == 0 && dup2(p->in < 0 ? null : p->in, 0) == 0 &&
        dup2(p->out < 0 ? null : p->out, 1) == 1 && dup2(err, 2) == 2)
        execve(p->argv[0], (char **)(uintptr_t)p->argv, (char **)(uintptr_t)p->environment);
    dprintf(err, "%s: %s\n", p->argv[0], strerror(errno));
    _exit(127);
}

/* In small steps that grow. */
static int
wait_for(pid_t pid, int timeout_s)
{
    struct timespec nap = {0, 1000000};
    int64_t left_ns = (int64_t)timeout_s * 1000000000;
    int status = -1;
    pid_t got = 0;

    while (left_ns > 0 && (got = waitpid(pid, &status, WNOHANG)) == 0) {
        nanosleep(&nap, NULL);
        left_ns -= nap.tv_nsec;
        if (nap.tv_nsec < 50000000)
            nap.tv_nsec += nap.tv_nsec / 4;
    }
    kill(-pid, SIGKILL);
    if (got == 0)
        waitpid(pid, NULL, 0);
    return got == pid ? status : -1;
}

int
program_run(const struct program *p, int timeout_s)
{
    const int fd[] = {p->in, p->out, p->err};
    pid_t pid = fork();

    if (pid == 0)
        become(p);
    for (size_t i = 0; i < sizeof fd / sizeof fd[0]; i++)
        if (fd[i] >= 0)
            close(fd[i]);
    if (pid < 0)
        return -1;
    setpgid(pid, pid);
    return wait_for(pid, timeout_s);
}
