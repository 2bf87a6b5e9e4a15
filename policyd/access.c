/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * access: the role that Dovecot asks who may open whose mailbox, and that writes the
 * audit log; it speaks postroad-access(5) on sockets.access.
 *
 * Promises: bounded time and memory for each question; a record is on disk before what
 * it records is permitted. Told to end, it takes no more clients, answers who has asked,
 * and then ends all connections: their mail sessions go on, and connect again. Must not
 * write the mirror, or hold credentials of the directory.
 */
#include "access.h"

#include <grp.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "beat.h"
#include "edit_ask.h"
#include "milter_user.h"

#define TICK_MS 500

static uid_t milter_uid = (uid_t)-1; /* found while names can still be looked up */

static int
access_prepare(struct role_env *env)
{
    const char *name = env->conf->access.socket_group;

    if (env->nlisten < 1) {
        log_error("access was given no socket");
        return -1;
    }
    milter_user_uid(env->conf, &milter_uid);
    if (geteuid() == 0 && *name && !getgrnam(name))
        log_warning("no such group: only root may use the access socket group=%s", name);
    return 0;
}

static void
on_client(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    access_accept(ctx);
}

static void
on_tick(evutil_socket_t fd, short what, void *ctx)
{
    struct access *a = ctx;
    int64_t now = beat_now();

    (void)fd;
    (void)what;
    maps_rest(a->maps);
    access_sweep(a, now);
    access_log_tick(a, now);
    access_opening_tick(a, now);
    if (a->not_accepting && event_add(a->listener, NULL) == 0)
        a->not_accepting = 0;
}

static void
on_end(void *ctx, int alone)
{
    struct access *a = ctx;

    (void)alone;
    a->ending = 1;
    event_del(a->listener);
    event_base_loopbreak(a->base);
}

enum { EV_LISTEN, EV_TICK, EV_N };

static int
events_add(struct access *a, struct event *ev[EV_N])
{
    struct timeval tick = {0, TICK_MS * 1000};

    ev[EV_LISTEN] = event_new(a->base, a->env->listen_fd[0], EV_READ | EV_PERSIST, on_client, a);
    ev[EV_TICK] = event_new(a->base, -1, EV_PERSIST, on_tick, a);
    a->listener = ev[EV_LISTEN];
    for (int i = 0; i < EV_N; i++)
        if (!ev[i] || event_add(ev[i], i == EV_TICK ? &tick : NULL) < 0)
            return -1;
    return role_end_open(&a->end, a->base, a->env->parent_fd, "access", on_end, a);
}

static unsigned
room_for_clients(const struct conf *conf)
{
    unsigned room = role_room_for_clients(conf->access.max_connections);

    if (room < (unsigned)conf->access.max_connections)
        log_warning("access.max_connections is more than the limit of open files allows using=%u",
                    room);
    return room;
}

static struct access *
access_new(struct role_env *env)
{
    struct access *a = calloc(1, sizeof *a);

    if (!a)
        return NULL;
    a->env = env;
    a->board = &env->board;
    a->session_number = (uint64_t)clock_wall_ms(); /* so that none comes twice */
    TAILQ_INIT(&a->idle);
    TAILQ_INIT(&a->busy);
    TAILQ_INIT(&a->sessions);
    a->milter_uid = milter_uid;
    a->max_conns = room_for_clients(env->conf);
    a->work = malloc(sizeof *a->work);
    a->maps = maps_new(env->conf, &env->board);
    a->base = event_base_new();
    if (a->base)
        a->edit = edit_ask_new(a->base, env->nlisten > 1 ? env->listen_fd[1] : -1, env->conf);
    return a;
}

static void
access_free(struct access *a)
{
    if (!a)
        return;
    access_close_all(a);
    edit_ask_free(&a->edit);
    openings_free(&a->openings);
    access_log_close(a);
    maps_free(&a->maps);
    free(a->work);
    if (a->base)
        event_base_free(a->base);
    free(a);
}

/* Who has asked gets his answer; then all connections end, with a record for each open session. */
static void
finish(struct access *a)
{
    event_base_loop(a->base, EVLOOP_NONBLOCK);
    access_close_all(a);
}

static int
access_run(struct role_env *env)
{
    struct access *a = access_new(env);
    struct event *ev[EV_N] = {NULL};
    int rc = 75;

    if (!a || !a->work || !a->maps || !a->base || !a->edit || beat_start(&env->board) < 0 ||
        events_add(a, ev) < 0) {
        log_error("access can't start: no memory, or a socket it was given does not work");
    } else {
        access_log_open(a);
        on_tick(-1, 0, a);
        event_base_dispatch(a->base);
        finish(a);
        rc = 0;
    }
    for (int i = 0; i < EV_N; i++)
        if (ev[i])
            event_free(ev[i]);
    if (a)
        role_end_close(&a->end);
    access_free(a);
    return rc;
}

const struct role role_access = {"access", access_prepare, access_run, 0};
