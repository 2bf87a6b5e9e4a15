/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control: the role administrators and monitoring talk to: the control socket of
 * `postroad` and the loopback HTTP endpoints.
 *
 * Promises: bounded connections, bounded requests, one beat each 500 ms whatever
 * callers do; what it says about a lookup is made by the very code that answers
 * Postfix. Must not write the mirror, hold directory credentials, or be needed
 * for mail to flow: answer doesn't know that it exists.
 */
#include <grp.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "clock.h"
#include "access_client.h"
#include "control.h"
#include "control_compare.h"
#include "control_held.h"
#include "http.h"
#include "http_auth.h"
#include "log.h"
#include "milter_user.h"
#include "role_end.h"
#include "status.h"
#include "trouble.h"

#define BEAT_MS 500
#define END_MS  1500 /* more than ACCESS_CLIENT_MS */

struct moment
control_now(void)
{
    struct moment now = {clock_mono_ms(), clock_wall_ms()};

    return now;
}

/* conf.group's number, found while names can still be looked up. */
static struct {
    gid_t gid;
    int known;
    uid_t milter;
} admins;

static int
control_prepare(struct role_env *env)
{
    const char *name = env->conf->group;
    struct group *gr;
    char error[512];

    if (http_auth_setup(env->conf, error, sizeof error) < 0) {
        log_error("the key for Dovecot's auth policy can't be read: %s", error);
        return -1;
    }
    admins.milter = (uid_t)-1;
    milter_user_uid(env->conf, &admins.milter);
    if (!name || !*name)
        return 0;
    gr = getgrnam(name);
    if (gr) {
        admins.gid = gr->gr_gid;
        admins.known = 1;
    } else {
        log_warning("no such group: only root and our own user may use the control socket group=%s",
                    name);
    }
    return 0;
}

static uint64_t
lookups_total(const struct board *b)
{
    uint64_t sum = 0;

    for (int w = BOARD_LOOKUPS; w < BOARD_LOOKUPS + 4 * MAP_N; w++)
        sum += vitals_sum(b, w);
    return sum;
}

static void
on_tick(evutil_socket_t fd, short what, void *ctx)
{
    struct control *c = ctx;
    struct moment now = control_now();

    (void)fd;
    (void)what;
    board_set(&c->env->board, BOARD_BEAT_MS, (uint64_t)now.mono_ms);
    maps_rest(c->maps);
    status_confirm(c, &now);
    duplicates_watch(c->duplicates, c);
    compare_tick(c->compare, &now);
    rates_sample(&c->rates, now.mono_ms, lookups_total(&c->env->board));
    if (c->door)
        door_tick(c->door);
    if (c->web)
        web_tick(c->web);
}

/* Dovecot would take a connection that ends before the answer for a wrong password. */
static void
on_end(void *ctx, int alone)
{
    static const struct timeval most = {END_MS / 1000, END_MS % 1000 * 1000};
    static const struct timeval linger = {0, 50000}; /* for requests that are under way */
    struct control *c = ctx;

    c->ending = 1;
    event_base_loopexit(c->base, alone ? NULL : c->web && web_end(c->web) ? &most : &linger);
}

static int
events_add(struct control *c, struct event **tick, struct role_end *end)
{
    const struct timeval beat = {0, BEAT_MS * 1000};

    *tick = event_new(c->base, -1, EV_PERSIST, on_tick, c);
    if (!*tick || event_add(*tick, &beat) < 0)
        return -1;
    return role_end_open(end, c->base, c->env->parent_fd, "control", on_end, c);
}

/* Our end of the pair to role held is the last descriptor; -1: there is none. */
static int
held_end(const struct control *c)
{
    int others = *c->env->conf->sockets.http ? 2 : 1;

    return c->env->nlisten > others ? c->env->listen_fd[others] : -1;
}

static int
control_open(struct control *c)
{
    c->maps = maps_new(c->env->conf, &c->env->board);
    c->access = access_client_new(c->base, c->env->conf->sockets.access);
    if (!c->maps || !c->access || control_held_open(c, held_end(c)) < 0)
        return -1;
    if (c->env->nlisten > 0 && c->env->listen_fd[0] != -1) {
        c->door = door_open(c, c->env->listen_fd[0]);
        if (!c->door)
            return -1;
    }
    c->compare = compare_open(c);
    c->web = web_open(c);
    return c->web ? 0 : -1;
}

static void
control_close(struct control *c)
{
    web_close(&c->web);
    compare_close(&c->compare);
    access_client_free(&c->access);
    control_held_close(c);
    door_close(&c->door);
    maps_free(&c->maps);
}

static int
control_run(struct role_env *env)
{
    struct duplicates duplicates = {.n = 0};
    struct control c = {.env = env, .own_uid = geteuid(), .duplicates = &duplicates};
    struct role_end end = {.who = NULL};
    struct event *tick = NULL;
    int status = 1;

    c.group = admins.gid;
    c.has_group = admins.known;
    c.milter_uid = admins.milter;
    signal(SIGPIPE, SIG_IGN);
    c.base = event_base_new();
    if (!c.base) {
        log_error("control can't start: no memory for its event loop");
        return 1;
    }
    if (events_add(&c, &tick, &end) == -1 || control_open(&c) == -1) {
        log_error("control can't start: no memory, or a socket it was given does not work");
    } else {
        on_tick(-1, 0, &c);
        event_base_dispatch(c.base);
        status = 0;
    }
    control_close(&c);
    duplicates_free(&duplicates);
    role_end_close(&end);
    if (tick)
        event_free(tick);
    event_base_free(c.base);
    return status;
}

const struct role role_control = {"control", control_prepare, control_run, 0};
