/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hook_run: the helper that runs commands, and the role's end of the socket to it.
 *
 * The helper has a command run and watched for each event (program.h), no longer than hook.timeout.
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

/* What a watcher has to do. */
struct job {
    const char *command, *event;
    size_t n;
    int timeout_s;
};

static int
run(void *ctx)
{
    static const char *const environment[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C.UTF-8",
                                              NULL};
    const struct job *j = ctx;
    char buf[16384], *words[HOOK_ARGS + 1];
    struct program p = {(const char *const *)words, environment, -1, -1, -1, NULL};

    if (hook_args(j->command, j->event, j->n, buf, sizeof buf, words) < 0)
        return EXIT_USAGE << 8;
    p.in = event_pipe(j->event, j->n);
    return p.in < 0 ? -1 : program_run(&p, j->timeout_s);
}

/* --- in the helper --- */

static void
carry_out(const char *message, size_t size, int timeout_s)
{
    struct order o;
    struct job job;

    if (size < sizeof o)
        return;
    memcpy(&o, message, sizeof o);
    if (size != sizeof o + o.command_n + o.event_n) {
        program_tell(o.seq, -1);
        return;
    }
    message += sizeof o;
    job = (struct job){message, message + o.command_n, o.event_n, timeout_s};
    program_watch(o.seq, run, &job);
}

static void
help(int fd, const struct role_env *env)
{
    static char message[ORDER_MAX];
    ssize_t n;

    role_drop(env);
    program_settle(fd, "postroad-run");
    signal(SIGCHLD, SIG_IGN); /* nobody waits for the watchers */
    while ((n = recv(PROGRAM_SOCKET, message, sizeof message, 0)) > 0 || (n < 0 && errno == EINTR))
        if (n > 0)
            carry_out(message, (size_t)n, env->conf->hook.timeout);
    _exit(0);
}

int
hook_run_helper(const struct role_env *env)
{
    return program_helper(help, env);
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
    struct program_report report;
    ssize_t n = recv(fd, &report, sizeof report, MSG_DONTWAIT | MSG_TRUNC);

    (void)what;
    if (n == 0) {
        log_error("the helper that runs commands is gone, so hook starts anew");
        event_base_loopbreak(r->hook->base);
        event_del(r->ev);
    }
    if (n != (ssize_t)sizeof report)
        return;
    TAILQ_FOREACH(one, &r->all, link)
    if (one->seq == report.number)
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
