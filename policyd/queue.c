/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * queue: the role that knows Postfix's queue: how long it is, what is in it, and how to release or
 * delete what is on hold. For role held, by the pair of sockets that the parent keeps.
 *
 * The role itself runs like all others: as the configured user, without capabilities, in the sandbox; it
 * reads what postqueue wrote, which holds what strangers wrote. What needs root is done by its helper
 * (queue_run.h), which understands four orders and reads nothing. Promises: never waits; works for lists
 * without root, where postqueue lets it. Must not be needed for mail to flow.
 */
#include "queue.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "queue_private.h"

#define TICK_MS 250

static int helper_fd = -1;
static struct queue_role queue;

static int
queue_prepare(struct role_env *env)
{
    if (env->nlisten != 1) {
        log_error("queue was given no socket");
        return -1;
    }
    board_set(&env->board, BOARD_QUEUE_ROOT, geteuid() == 0);
    helper_fd = queue_run_helper(env);
    if (helper_fd >= 0)
        return 0;
    log_error("the helper that runs Postfix's programs can't be started error=\"%s\"",
              strerror(errno));
    return -1;
}

static void
pump(struct queue_role *r)
{
    int64_t now = (int64_t)board_now_ms();

    queue_work_pump(r, now);
    queue_list_pump(r, now);
}

static void
on_request(evutil_socket_t fd, short what, void *ctx)
{
    struct queue_role *r = ctx;
    struct queue_request q;
    ssize_t n = recv(fd, &q, sizeof q, MSG_DONTWAIT | MSG_TRUNC);

    (void)what;
    if (n == (ssize_t)sizeof q && (int64_t)board_now_ms() < q.until_ms)
        queue_work_take(r, &q);
    else if (n == 0)
        event_base_loopbreak(r->base);
    pump(r);
}

static void
on_report(evutil_socket_t fd, short what, void *ctx)
{
    struct queue_role *r = ctx;
    struct program_report report;
    ssize_t n = recv(fd, &report, sizeof report, MSG_DONTWAIT | MSG_TRUNC);

    (void)what;
    if (n == 0) {
        log_error("the helper that runs Postfix's programs is gone, so queue starts anew");
        event_base_loopbreak(r->base);
    }
    if (n != (ssize_t)sizeof report)
        return;
    queue_job_report(&r->list.job, &report);
    queue_job_report(&r->deed, &report);
    queue_job_report(&r->flush, &report);
    pump(r);
}

static void
on_tick(evutil_socket_t fd, short what, void *ctx)
{
    struct queue_role *r = ctx;
    int64_t now = (int64_t)board_now_ms();

    (void)fd;
    (void)what;
    board_beat(&r->env->board);
    queue_job_tick(&r->list.job, now);
    queue_job_tick(&r->deed, now);
    queue_job_tick(&r->flush, now);
    pump(r);
}

static void
on_end(void *ctx, int alone)
{
    (void)alone;
    event_base_loopbreak(((struct queue_role *)ctx)->base);
}

enum { EV_ASK, EV_REPORT, EV_TICK, EV_N };

static int
events_add(struct queue_role *r, struct event *ev[EV_N])
{
    struct timeval tick = {0, TICK_MS * 1000};

    ev[EV_ASK] = event_new(r->base, r->ask_fd, EV_READ | EV_PERSIST, on_request, r);
    ev[EV_REPORT] = event_new(r->base, r->helper_fd, EV_READ | EV_PERSIST, on_report, r);
    ev[EV_TICK] = event_new(r->base, -1, EV_PERSIST, on_tick, r);
    for (int i = 0; i < EV_N; i++)
        if (!ev[i] || event_add(ev[i], i == EV_TICK ? &tick : NULL) < 0)
            return -1;
    return role_end_open(&r->end, r->base, r->env->parent_fd, "queue", on_end, r);
}

static int
queue_run_role(struct role_env *env)
{
    struct queue_role *r = &queue;
    struct event *ev[EV_N] = {NULL};
    int rc = 75;

    r->env = env;
    r->ask_fd = env->listen_fd[0];
    r->helper_fd = helper_fd;
    r->list.job.role = r->deed.role = r->flush.role = r;
    r->base = event_base_new();
    if (!r->base || events_add(r, ev) < 0) {
        log_error("queue can't start: no memory, or a socket it was given does not work");
    } else {
        if (!board_get(&env->board, BOARD_QUEUE, BOARD_QUEUE_ROOT))
            log_notice("not started as root: the queue can be listed, but nothing in it changed");
        on_tick(-1, 0, r);
        event_base_dispatch(r->base);
        rc = 0;
    }
    queue_job_forget(&r->list.job);
    queue_job_forget(&r->deed);
    queue_job_forget(&r->flush);
    for (int i = 0; i < EV_N; i++)
        if (ev[i])
            event_free(ev[i]);
    role_end_close(&r->end);
    if (r->base)
        event_base_free(r->base);
    close(r->helper_fd);
    return rc;
}

const struct role role_queue = {"queue", queue_prepare, queue_run_role, 0};
