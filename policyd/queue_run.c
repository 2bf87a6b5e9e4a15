/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * queue_run: the helper, and the role's end of the socket to it.
 *
 * The helper has each order watched (program.h). Promises: no shell, no environment but a locale, no
 * descriptors but those for its output, no argument but one checked queue id; never more than RUNNING_MAX
 * at once. It ends with the role. Must not read the queue, or anything a program wrote: the role does,
 * without privileges.
 */
#include "queue_run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "program.h"
#include "queue_rights.h"

#define ARGS_MAX    6
#define RUNNING_MAX 4

/* --- in the watcher --- */

static const char *
program_path(const struct conf *conf, enum queue_program what)
{
    return what == PROGRAM_RELEASE || what == PROGRAM_DELETE ? conf->queue.postsuper
                                                             : conf->queue.postqueue;
}

/* delete: what is on hold, and nothing that left it meanwhile. */
static void
arguments(const struct conf *conf, const struct queue_order *o, const char *argv[ARGS_MAX + 1])
{
    static const char *const option[PROGRAM_N] = {"-j", "-H", "-d", "-i"};
    int n = 0;

    argv[n++] = program_path(conf, o->program);
    if (*conf->queue.config_dir) {
        argv[n++] = "-c";
        argv[n++] = conf->queue.config_dir;
    }
    argv[n++] = option[o->program];
    if (o->program != PROGRAM_LIST)
        argv[n++] = o->queue_id;
    if (o->program == PROGRAM_DELETE)
        argv[n++] = "hold";
    argv[n] = NULL;
}

/* What a watcher has to do. */
struct job {
    const struct conf *conf;
    const struct queue_order *order;
    int out, err;
};

static int
run(void *ctx)
{
    static const char *const environment[] = {"LC_ALL=C", NULL};
    const struct job *j = ctx;
    const char *argv[ARGS_MAX + 1];
    struct program p = {argv, environment, -1, j->out, j->err, NULL};

    if (j->order->program != PROGRAM_RELEASE && j->order->program != PROGRAM_DELETE)
        p.lower = queue_rights_lower;
    arguments(j->conf, j->order, argv);
    return program_run(&p, j->conf->queue.timeout);
}

/* --- in the helper --- */

static int
is_order(struct queue_order *o)
{
    size_t n;

    o->queue_id[QUEUE_ID_MAX] = '\0';
    n = strlen(o->queue_id);
    if (o->program == PROGRAM_LIST)
        return n == 0;
    return (unsigned)o->program < PROGRAM_N && queue_id_is(o->queue_id, n);
}

static void
carry_out(const struct conf *conf, struct queue_order *o, int out, int err)
{
    struct job job = {conf, o, out, err};

    if (is_order(o))
        program_watch(o->number, run, &job);
    else
        program_tell(o->number, -1);
}

/* The two descriptors that came along: 0, or -1 and none is left open. */
static int
take_descriptors(struct msghdr *m, int fd[2])
{
    struct cmsghdr *c = CMSG_FIRSTHDR(m);

    if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
        return -1;
    if (c->cmsg_len == CMSG_LEN(2 * sizeof(int))) {
        memcpy(fd, CMSG_DATA(c), 2 * sizeof(int));
        return 0;
    }
    if (c->cmsg_len == CMSG_LEN(sizeof(int))) { /* there is room for no more than two */
        memcpy(fd, CMSG_DATA(c), sizeof(int));
        close(fd[0]);
    }
    return -1;
}

/* 1: an order was taken; 0: none; -1: the role is gone. */
static int
next_order(int fd, struct queue_order *o, int out_err[2])
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(2 * sizeof(int))];
    } control;
    struct iovec v = {o, sizeof *o};
    struct msghdr m = {.msg_iov = &v,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof control.bytes};
    ssize_t n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC);

    if (n == 0 || (n < 0 && errno != EINTR))
        return -1;
    if (n < 0 || take_descriptors(&m, out_err) < 0)
        return 0;
    if (n == (ssize_t)sizeof *o && !(m.msg_flags & MSG_TRUNC))
        return 1;
    close(out_err[0]);
    close(out_err[1]);
    return 0;
}

/* Watchers that are there, once there is room for another. */
static int
reap(int running)
{
    while (running > 0) {
        pid_t pid = waitpid(-1, NULL, running < RUNNING_MAX ? WNOHANG : 0);

        if (pid == 0)
            break;
        if (pid > 0 || errno == ECHILD)
            running--;
    }
    return running;
}

static void
help(int fd, const struct role_env *env)
{
    const struct rlimit few = {64, 64}, no_core = {0, 0};
    struct queue_order o;
    int out_err[2], running = 0, rc;
    char error[256] = "no way to /";

    program_settle(fd, "postroad-super");
    setrlimit(RLIMIT_CORE, &no_core);
    setrlimit(RLIMIT_NOFILE, &few);
    if (chdir("/") < 0 || queue_rights_keep(env->conf, error, sizeof error) < 0) {
        log_error("can't give up privileges, so nothing is done to the queue error=\"%s\"", error);
        _exit(1);
    }
    while ((rc = next_order(PROGRAM_SOCKET, &o, out_err)) >= 0) {
        if (rc == 0)
            continue;
        running = reap(running);
        carry_out(env->conf, &o, out_err[0], out_err[1]);
        running++;
        close(out_err[0]);
        close(out_err[1]);
    }
    _exit(0);
}

int
queue_run_helper(const struct role_env *env)
{
    return program_helper(help, env);
}

/* --- in the role --- */

static int
post(int fd, const struct queue_order *order, int out, int err)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(2 * sizeof(int))];
    } control = {.bytes = {0}};
    struct iovec v = {(void *)(uintptr_t)order, sizeof *order};
    struct msghdr m = {.msg_iov = &v,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof control.bytes};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    int both[2] = {out, err};

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof both);
    memcpy(CMSG_DATA(c), both, sizeof both);
    return sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof *order ? 0 : -1;
}

int
queue_run(int fd, const struct queue_order *order, int *out_r, int *err_r)
{
    int out[2], err[2], rc = -1;

    if (pipe2(out, O_CLOEXEC) < 0)
        return -1;
    if (pipe2(err, O_CLOEXEC) == 0) {
        rc = post(fd, order, out[1], err[1]);
        close(err[1]);
        if (rc < 0)
            close(err[0]);
    }
    close(out[1]);
    if (rc < 0) {
        close(out[0]);
        return -1;
    }
    *out_r = out[0];
    *err_r = err[0];
    fcntl(out[0], F_SETFL, O_NONBLOCK);
    fcntl(err[0], F_SETFL, O_NONBLOCK);
    return 0;
}
