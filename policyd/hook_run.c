/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hook_run: the helper that runs commands, and the role's end of the socket to it.
 *
 * The helper forks a watcher for each event; that starts the command in a process group of
 * its own, waits for it no longer than hook.timeout, ends the group, and tells the role what came of it.
 * Exit 0: taken; 64 and 65 (usage, data, see sysexits.h): refused for good; all else, also a signal, and
 * a program that is not there: to be tried again. Nobody survives the role: when the
 * socket ends, the helper does, and what still runs has its time-out.
 */
#include "hook_run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

#define EXIT_USAGE 64
#define EXIT_DATA  65

/* To the helper: this, the command line with its NUL, the event. */
struct order {
    uint64_t seq;
    uint32_t command_n, event_n;
};

struct report {
    uint64_t seq;
    int status; /* as of waitpid; -1: its time was up, or it could not be started */
};

#define ORDER_MAX (sizeof(struct order) + 1025 + HOOK_EVENT_MAX)

/* --- in the watcher --- */

/* Standard input that holds the event: a pipe takes as much without a reader. */
static int
event_pipe(const char *event, size_t n)
{
    int fd[2];

    if (pipe2(fd, O_CLOEXEC) < 0)
        return -1;
    if (write(fd[1], event, n) != (ssize_t)n) {
        close(fd[0]);
        fd[0] = -1;
    }
    close(fd[1]);
    return fd[0];
}

static void __attribute__((noreturn)) become(char **words, int input)
{
    static char path[] = "PATH=/usr/local/bin:/usr/bin:/bin", lang[] = "LC_ALL=C.UTF-8";
    char *environment[] = {path, lang, NULL};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    setpgid(0, 0);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    signal(SIGCHLD, SIG_DFL);
    if (chdir("/") == 0 && null >= 0 && dup2(input, 0) == 0 && dup2(null, 1) == 1 &&
        dup2(null, 2) == 2)
        execve(words[0], words, environment);
    _exit(127);
}

static int
run(const char *command, const char *event, size_t n, int timeout_s)
{
    char buf[16384], *words[HOOK_ARGS + 1];
    int input = event_pipe(event, n), status;
    pid_t pid;

    if (input < 0)
        return -1;
    if (hook_args(command, event, n, buf, sizeof buf, words) < 0) {
        close(input);
        return EXIT_USAGE << 8;
    }
    pid = fork();
    if (pid == 0)
        become(words, input);
    close(input);
    if (pid < 0)
        return -1;
    setpgid(pid, pid);
    status = program_wait(pid, timeout_s);
    return status;
}

/* --- in the helper --- */

static void
carry_out(int fd, const char *message, size_t size, int timeout_s)
{
    struct report report;
    struct order o;
    pid_t pid;

    if (size < sizeof o)
        return;
    memcpy(&o, message, sizeof o);
    report = (struct report){o.seq, -1};
    pid = size == sizeof o + o.command_n + o.event_n ? fork() : -1;
    if (pid == 0) {
        signal(SIGCHLD, SIG_DFL);
        report.status =
            run(message + sizeof o, message + sizeof o + o.command_n, o.event_n, timeout_s);
    }
    if (pid <= 0)
        (void)!send(fd, &report, sizeof report, MSG_NOSIGNAL);
    if (pid == 0)
        _exit(0);
}

static void __attribute__((noreturn)) help(int fd, const struct role_env *env)
{
    static char message[ORDER_MAX];
    ssize_t n;

    role_drop(env);
    prctl(PR_SET_NAME, "postroad-run", 0, 0, 0);
    signal(SIGCHLD, SIG_IGN); /* nobody waits for the watchers */
    if (fd != 3)
        dup3(fd, 3, O_CLOEXEC);
    close_range(4, ~0u, 0);
    while ((n = recv(3, message, sizeof message, 0)) > 0 || (n < 0 && errno == EINTR))
        if (n > 0)
            carry_out(3, message, (size_t)n, env->conf->hook.timeout);
    _exit(0);
}

int
hook_run_helper(const struct role_env *env)
{
    int fd[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) < 0)
        return -1;
    pid = fork();
    if (pid == 0)
        help(fd[1], env);
    close(fd[1]);
    if (pid > 0)
        return fd[0];
    close(fd[0]);
    return -1;
}

/* --- in the role --- */

struct running {
    TAILQ_ENTRY(running) link;
    struct hook_item *item;
    uint64_t seq;
};

struct hook_runner {
    struct hook *hook;
    int fd;
    struct event *ev;
    TAILQ_HEAD(, running) all;
};

static void
landed(struct hook_runner *r, struct running *one, int status)
{
    struct hook_item *item = one->item;
    enum hook_outcome outcome = HOOK_FAILED;
    char why[64] = "its time was up, or it could not be started";

    TAILQ_REMOVE(&r->all, one, link);
    free(one);
    if (status != -1 && WIFEXITED(status)) {
        int code = WEXITSTATUS(status);

        snprintf(why, sizeof why, "exit code %d", code);
        outcome = code == 0                                 ? HOOK_TAKEN
                  : code == EXIT_USAGE || code == EXIT_DATA ? HOOK_REFUSED
                                                            : HOOK_FAILED;
    } else if (status != -1 && WIFSIGNALED(status)) {
        snprintf(why, sizeof why, "signal %d", WTERMSIG(status));
    }
    hook_landed(r->hook, item, outcome, why);
}

static void
on_report(evutil_socket_t fd, short what, void *ctx)
{
    struct hook_runner *r = ctx;
    struct running *one;
    struct report report;
    ssize_t n = recv(fd, &report, sizeof report, MSG_DONTWAIT);

    (void)what;
    if (n == 0) {
        log_error("the helper that runs commands is gone, so hook starts anew");
        event_base_loopbreak(r->hook->base);
        event_del(r->ev);
    }
    if (n != (ssize_t)sizeof report)
        return;
    TAILQ_FOREACH(one, &r->all, link)
    if (one->seq == report.seq)
        break;
    if (one)
        landed(r, one, report.status);
    hook_pump(r->hook);
}

int
hook_start(struct hook_runner *r, struct hook_target *t, struct hook_item *item, const char *event,
           size_t n)
{
    static char message[ORDER_MAX];
    const char *command = t->url + strlen("command:");
    struct order o = {item->seq, (uint32_t)strlen(command) + 1, (uint32_t)n};
    struct running *one = malloc(sizeof *one);

    if (!one || sizeof o + o.command_n + n > sizeof message) {
        free(one);
        return -1;
    }
    memcpy(message, &o, sizeof o);
    memcpy(message + sizeof o, command, o.command_n);
    memcpy(message + sizeof o + o.command_n, event, n);
    if (send(r->fd, message, sizeof o + o.command_n + n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        free(one);
        return -1;
    }
    *one = (struct running){.item = item, .seq = item->seq};
    TAILQ_INSERT_TAIL(&r->all, one, link);
    return 0;
}

struct hook_runner *
hook_runner_new(struct hook *h, int fd)
{
    struct hook_runner *r = calloc(1, sizeof *r);

    if (!r)
        return NULL;
    r->hook = h;
    r->fd = fd;
    TAILQ_INIT(&r->all);
    r->ev = event_new(h->base, fd, EV_READ | EV_PERSIST, on_report, r);
    if (r->ev && event_add(r->ev, NULL) == 0)
        return r;
    hook_runner_free(&r);
    return NULL;
}

void
hook_runner_free(struct hook_runner **r)
{
    struct running *one;

    if (!*r)
        return;
    while ((one = TAILQ_FIRST(&(*r)->all))) {
        TAILQ_REMOVE(&(*r)->all, one, link);
        free(one);
    }
    if ((*r)->ev)
        event_free((*r)->ev);
    close((*r)->fd);
    free(*r);
    *r = NULL;
}
