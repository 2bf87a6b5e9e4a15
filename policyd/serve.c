/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * serve: the loop of a process that answers Postfix on one socket, with one thread.
 * Several may accept on the same socket; they know nothing of one another.
 *
 * Promises: a request is answered or its connection closed, within bounded time and
 * memory, whatever other clients do; with too many clients the one idle longest goes.
 * Told to end, it takes no more clients, goes on answering those it has for a moment, and
 * then closes them: Postfix connects again by itself, but once only. So the moment is
 * there for all who were told to end to have stopped taking clients, or the next one might
 * close the same client again. Holds no state that matters, so it may be killed at any time.
 */
#include "serve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define ACCEPT_BATCH 16 /* at once, so that workers share */
#define LINGER_TICKS 1  /* so long ending goes on answering */
#define DRAIN_TICKS  4  /* and then waits for half requests and slow readers */

/* --- clients come --- */

static void
accept_paused(struct worker *w)
{
    unsigned skipped;

    if (log_limit(&w->accept_limit, 5, 60, &skipped))
        log_error("can't take a client error=\"%s\" connections=%u skipped=%u", strerror(errno),
                  w->nconns, skipped);
    if (conn_close_oldest(w))
        return;
    event_del(w->listener);
    w->not_accepting = 1; /* until the next tick */
}

static void
on_client(evutil_socket_t fd, short what, void *ctx)
{
    struct worker *w = ctx;

    (void)what;
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        int client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (client < 0) {
            if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
                accept_paused(w);
            return;
        }
        if (w->nconns >= w->max_conns)
            conn_close_oldest(w);
        conn_open(w, client);
    }
}

/* --- time, and the end --- */

/*
 * The tick comes from a descriptor, not from libevent's timers: with those every wait
 * for the next question has a time-out, and setting the kernel's timer anew each time
 * costs more than the answer.
 */
static int
start_tick(int fd)
{
    static const struct timespec tick = {SERVE_TICK_MS / 1000, SERVE_TICK_MS % 1000 * 1000000L};
    const struct itimerspec every = {tick, tick};

    return timerfd_settime(fd, 0, &every, NULL);
}

static int
open_tick(void)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

    if (fd >= 0 && start_tick(fd) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void
drain_begin(struct worker *w)
{
    if (w->draining)
        return;
    w->draining = 1;
    event_del(w->listener);
    close(event_get_fd(w->listener));
    start_tick(w->tick_fd);
    w->close_from = w->tick + LINGER_TICKS;
    w->drain_until = w->close_from + DRAIN_TICKS;
    if (w->nconns == 0)
        event_base_loopbreak(w->base);
}

static void
drain_advance(struct worker *w)
{
    if (w->tick < w->close_from)
        return;
    if (w->tick == w->close_from) { /* serve_run goes on */
        event_base_loopbreak(w->base);
        return;
    }
    conn_sweep(w);
    if (w->nconns == 0 || w->tick >= w->drain_until)
        event_base_loopbreak(w->base);
}

static void
on_tick(evutil_socket_t fd, short what, void *ctx)
{
    struct worker *w = ctx;

    uint64_t ticks;

    (void)what;
    if (fd >= 0 && read(fd, &ticks, sizeof(ticks)) < 0)
        return;
    w->tick++;
    board_beat(w->board);
    if (w->service->tick)
        w->service->tick(w);
    maps_rest(w->maps);
    if (w->draining) {
        drain_advance(w);
        return;
    }
    conn_sweep(w);
    park_look(w);
    if (w->not_accepting && event_add(w->listener, NULL) == 0)
        w->not_accepting = 0;
}

static void
on_end(void *ctx, int alone)
{
    (void)alone;
    drain_begin(ctx);
}

/* --- set-up --- */

static unsigned
room_for_clients(const struct conf *conf)
{
    unsigned room = role_room_for_clients(conf->answer.max_connections);

    if (room < (unsigned)conf->answer.max_connections)
        log_warning("answer.max_connections is more than the limit of open files allows using=%u",
                    room);
    return room;
}

static struct event_base *
make_base(void)
{
    struct event_config *cfg = event_config_new();
    struct event_base *base = NULL;

    if (cfg && event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK) == 0 &&
        event_config_set_flag(cfg, EVENT_BASE_FLAG_NO_CACHE_TIME) == 0)
        base = event_base_new_with_config(cfg);
    if (cfg)
        event_config_free(cfg);
    return base;
}

static int
open_worker(struct worker *w, struct role_env *env)
{
    struct event **all[] = {&w->listener, &w->timer};

    w->tick_fd = w->park_fd = -1;
    w->env = env;
    w->board = &env->board;
    for (int i = 0; i < CONN_STATES; i++)
        TAILQ_INIT(&w->list[i]);
    w->max_conns = room_for_clients(env->conf);
    w->base = make_base();
    w->maps = maps_new(env->conf, &env->board);
    if (!w->base || !w->maps)
        return -1;
    w->listener = event_new(w->base, env->listen_fd[0], EV_READ | EV_PERSIST, on_client, w);
    w->tick_fd = open_tick();
    if (w->tick_fd < 0)
        return -1;
    w->timer = event_new(w->base, w->tick_fd, EV_READ | EV_PERSIST, on_tick, w);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (!*all[i] || event_add(*all[i], NULL) < 0)
            return -1;
    if (role_end_open(&w->end, w->base, env->parent_fd, "this worker", on_end, w) < 0)
        return -1;
    return park_open(w);
}

static void
close_worker(struct worker *w)
{
    struct event *all[] = {w->listener, w->timer};

    while (w->base && conn_close_oldest(w))
        ;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (all[i])
            event_free(all[i]);
    role_end_close(&w->end);
    park_close(w);
    if (w->tick_fd >= 0)
        close(w->tick_fd);
    maps_free(&w->maps);
    if (w->base)
        event_base_free(w->base);
    free(w);
}

int
serve_run(struct role_env *env, const struct service *service)
{
    struct worker *w = calloc(1, sizeof(*w));

    if (w)
        w->service = service;
    if (!w || open_worker(w, env) < 0) {
        log_error("can't serve: no memory for an event loop");
        if (w)
            close_worker(w);
        return 75;
    }
    if (service->open)
        service->open(w);
    on_tick(-1, 0, w);
    event_base_dispatch(w->base);
    if (w->draining) {
        /* Once more round: who has asked gets his answer. */
        event_base_loop(w->base, EVLOOP_NONBLOCK);
        conn_sweep(w);
        if (w->nconns > 0)
            event_base_dispatch(w->base);
    }
    if (service->close)
        service->close(w);
    close_worker(w);
    return 0;
}
