/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held: the role that sees held messages through: it finds what postroad-milter had Postfix hold, shows
 * it in the directory, tells senders, hears verdicts, lets messages expire, and has role queue release or
 * delete them. See postroad-moderation(7).
 *
 * Promises: every step is on disk before the next begins, so it may be killed at any moment; nothing is
 * released or deleted without a verdict on disk and in the audit log; a message Postfix holds for
 * another reason is never touched. Must not be needed for other mail to flow.
 */
#include "held.h"

#include <stdlib.h>

#include "clock.h"
#include "access_client.h"
#include "beat.h"
#include "role_end.h"
#include "sandbox.h"

#define TICK_MS 500

enum { EV_TICK, EV_CONTROL, EV_WATCH, EV_SOON, EV_N };

static struct held held;
static struct event *events[EV_N];
static struct role_end end;

int64_t
held_wall_ms(void)
{
    return clock_wall_ms();
}

void
held_soon(struct held *h)
{
    static const struct timeval now = {0, 0};

    (void)h;
    if (!evtimer_pending(events[EV_SOON], NULL))
        evtimer_add(events[EV_SOON], &now);
}

/* --- the loop --- */

static void
on_tick(evutil_socket_t fd, short what, void *ctx)
{
    struct held *h = ctx;
    int64_t now = beat_now();

    (void)fd;
    (void)what;
    maps_rest(h->maps);
    held_scan(h, now);
    held_ldap_tick(h, now);
    held_advance(h, beat_now());
}

static void
on_soon(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    held_advance(ctx, beat_now());
}

static void
on_words(evutil_socket_t fd, short what, void *ctx)
{
    (void)what;
    beat_now();
    held_words(ctx, fd);
}

static void
on_watched(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    beat_now();
    held_watched(ctx);
}

static void
on_end(void *ctx, int alone)
{
    struct held *h = ctx;

    (void)alone;
    event_base_loopbreak(h->base);
}

/* --- beginning and end --- */

static int
held_prepare(struct role_env *env)
{
    char error[HELD_ERROR];

    if (env->nlisten < 1) {
        log_error("held was given no socket");
        return -1;
    }
    held_take_setup(env->conf);
    if (!held_ldap_wanted(env->conf) || held_ldap_setup(env->conf, error, sizeof error) == 0)
        return 0;
    log_error("held can't start why=\"%s\"", error);
    return -1;
}

static int
events_add(struct held *h)
{
    struct timeval tick = {0, TICK_MS * 1000};

    events[EV_TICK] = event_new(h->base, -1, EV_PERSIST, on_tick, h);
    events[EV_CONTROL] =
        event_new(h->base, h->env->listen_fd[0], EV_READ | EV_PERSIST, on_words, h);
    events[EV_SOON] = evtimer_new(h->base, on_soon, h);
    for (int i = 0; i < EV_N; i++)
        if (i != EV_WATCH &&
            (!events[i] || (i != EV_SOON && event_add(events[i], i == EV_TICK ? &tick : NULL) < 0)))
            return -1;
    return role_end_open(&end, h->base, h->env->parent_fd, "held", on_end, h);
}

static int
watch(struct held *h)
{
    if (h->watch_fd < 0)
        return 0;
    events[EV_WATCH] = event_new(h->base, h->watch_fd, EV_READ | EV_PERSIST, on_watched, h);
    return events[EV_WATCH] ? event_add(events[EV_WATCH], NULL) : -1;
}

/* 0; 1 after logging why not; -1: no memory. */
static int
open_all(struct held *h)
{
    h->folder = h->watch_fd = h->drop = h->watch_new = -1;
    h->base = event_base_new();
    h->work = malloc(sizeof *h->work);
    h->maps = maps_new(h->env->conf, &h->env->board);
    if (!h->base || !h->work || !h->maps || beat_start(&h->env->board) < 0 || events_add(h) < 0)
        return -1;
    h->access = access_client_new(h->base, h->env->conf->sockets.access);
    if (!h->access || held_queue_open(h, h->env->nlisten > 1 ? h->env->listen_fd[1] : -1) < 0 ||
        held_ldap_open(h) < 0 || held_mail_open(h) < 0)
        return -1;
    h->limit = held_limit_new((unsigned)h->env->conf->held.notices);
    if (!h->limit)
        return -1;
    if (held_scan_start(h) < 0)
        return 1;
    return watch(h);
}

static void
close_all(struct held *h)
{
    held_mail_close(h);
    held_limit_free(&h->limit);
    held_ldap_close(h);
    held_queue_close(h);
    access_client_free(&h->access);
    for (int i = 0; i < EV_N; i++)
        if (events[i])
            event_free(events[i]);
    role_end_close(&end);
    held_scan_close(h);
    maps_free(&h->maps);
    free(h->work);
    if (h->base)
        event_base_free(h->base);
}

static int
held_run(struct role_env *env)
{
    struct held *h = &held;
    int rc;

    h->env = env;
    rc = open_all(h);
    if (rc < 0)
        log_error("held can't start: no memory, or a socket it was given does not work");
    if (rc == 0) {
        on_tick(-1, 0, h);
        event_base_dispatch(h->base);
    }
    close_all(h);
    return rc == 0 ? 0 : 75;
}

const struct role role_held = {"held", held_prepare, held_run, SANDBOX_CONNECT};
