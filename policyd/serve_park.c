/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * serve_park: lookups that wait for a proof that nobody has the address. The worker
 * answers others meanwhile; these cost nothing but their connection and the bytes it
 * sent, and there is a limit to their number.
 *
 * A timer looks whether a proof came, only while somebody waits: for each of them two
 * words of memory. So does each tick, in case that timer could not be set. Nobody waits
 * longer than unknown_wait and a tick, or beyond the end of the worker.
 */
#include "serve.h"

#include <sys/timerfd.h>
#include <unistd.h>

#define PARK_TICK_NS (25 * 1000000L)

static void
set_timer(struct worker *w, int on)
{
    const struct timespec tick = {0, on ? PARK_TICK_NS : 0};
    const struct itimerspec every = {tick, tick};

    timerfd_settime(w->park_fd, 0, &every, NULL);
}

/* One that is parked again, by its next question, comes last. */
void
park_look(struct worker *w)
{
    unsigned room = maps_room(w->maps);
    struct conn *c = TAILQ_FIRST(&w->list[CONN_PARKED]), *next;

    for (unsigned n = w->nparked; n > 0 && c; n--, c = next) {
        next = TAILQ_NEXT(c, link);
        if (maps_settled(w->maps, c->asked_ms, c->ticket, &room))
            conn_resume(c);
    }
}

static void
on_park_tick(evutil_socket_t fd, short what, void *ctx)
{
    uint64_t ticks;

    (void)what;
    if (read(fd, &ticks, sizeof(ticks)) < 0)
        return;
    park_look(ctx);
}

int
park_open(struct worker *w)
{
    w->park_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (w->park_fd < 0)
        return -1;
    w->park_timer = event_new(w->base, w->park_fd, EV_READ | EV_PERSIST, on_park_tick, w);
    return w->park_timer ? event_add(w->park_timer, NULL) : -1;
}

void
park_close(struct worker *w)
{
    if (w->park_timer)
        event_free(w->park_timer);
    if (w->park_fd >= 0)
        close(w->park_fd);
}

int
park_room(struct worker *w)
{
    if (w->draining)
        return 0;
    if (w->nparked < (unsigned)w->env->conf->answer.max_parked)
        return 1;
    board_add(w->board, BOARD_PARKED_FULL, 1);
    return 0;
}

void
park_enter(struct conn *c)
{
    struct worker *w = c->worker;

    c->ticket = maps_ticket(w->maps);
    board_add(w->board, BOARD_PARKED_TOTAL, 1);
    board_set(w->board, BOARD_PARKED, ++w->nparked);
    if (w->nparked == 1)
        set_timer(w, 1);
}

void
park_leave(struct conn *c)
{
    struct worker *w = c->worker;

    maps_release(w->maps, c->ticket);
    c->ticket = 0;
    board_set(w->board, BOARD_PARKED, --w->nparked);
    if (w->nparked == 0)
        set_timer(w, 0);
}

void
park_release(struct worker *w)
{
    struct conn *c;

    while ((c = TAILQ_FIRST(&w->list[CONN_PARKED])))
        conn_resume(c);
}
