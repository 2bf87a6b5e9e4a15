/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * parent: keeps sockets and roles, and does nothing else.
 *
 *   parent ── control   `postroad`, HTTP      (control, http sockets)
 *          ├─ sync      directory -> mirror
 *          ├─ policy    hand-off -> Postfix   (policy socket, where there is one)
 *          ├─ access    mirror -> Dovecot     (access socket, where there is one), audit log
 *          ├─ edit      access -> directory   (where it has a credential for that)
 *          ├─ cold      mirror -> tables      (where there is a folder for them)
 *          ├─ hook      Dovecot -> webhooks   (hook socket, where there are targets)
 *          ├─ homes     mirror -> Dovecot     (likewise)
 *          ├─ held      held mail             (where mail is held)
 *          ├─ queue     Postfix's queue       (where queue.manage is set); its helper stays root
 *          └─ answer ×n mirror -> Postfix     (map socket)
 *
 * Reload makes new answer workers beside the old; once all of them beat, the old
 * ones are told to end, and the other roles are replaced one for one. If a new one
 * fails, nothing has changed. The one message that is passed on is "sweep-accept",
 * from control to sync. Must not read the directory, the mirror or anything a
 * client sent: it may run as root.
 */
#include "parent.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "child.h"
#include "generation.h"
#include "log.h"

#define TICK_MS   250   /* at rest; with CHILD_SILENCE_MS less than 3 s */
#define HURRY_MS  20    /* while starting, reloading or stopping */
#define READY_MS  5000  /* so long the start waits for a first refresh */
#define PROVE_MS  10000 /* so long new workers may take to beat */
#define PAUSED_MS 1500  /* a tick that late: we stood still ourselves */

enum { SIGNAL_N = 4 };

struct parent {
    const char *conf_path;
    struct event_base *base;
    struct event *tick, *hurry, *signals[SIGNAL_N], *messages[CHILD_MAX];
    struct board board;
    struct children children;
    struct listen_set listen;
    struct generation *now, *next; /* next: during a reload */
    unsigned generations;
    int64_t ready_at_ms, prove_until_ms, last_tick_ms, patient_until_ms, ping_ms;
    int reload_again, stopping, ready;
    uint64_t phase_told;
};

static const struct role *const stop_order[] = {
    &role_answer, &role_policy, &role_control, &role_held,  &role_access, &role_edit,
    &role_hook,   &role_cold,   &role_homes,   &role_queue, &role_sync};

static int64_t
clock_ms(void)
{
    return (int64_t)board_now_ms();
}

/* --- the process graph --- */

static int
start_workers(struct parent *p, const struct generation *g, int64_t now)
{
    for (int i = 0; i < g->conf->answer.workers; i++)
        if (!child_add(&p->children, &role_answer, BOARD_ANSWER, g, now))
            return -1;
    return 0;
}

/* Whether generation g has this role at all. */
static int
has_role(const struct role *role, const struct generation *g)
{
    return role == &role_policy   ? g->policy_fd >= 0
           : role == &role_access ? g->access_fd >= 0
           : role == &role_edit   ? g->edit_fd[1] >= 0
           : role == &role_queue  ? g->queue_fd[1] >= 0
           : role == &role_cold   ? *g->conf->cold.dir != '\0'
           : role == &role_homes  ? *g->conf->homes.dir != '\0'
           : role == &role_hook   ? g->hook_fd >= 0
           : role == &role_held   ? g->held_fd[1] >= 0
                                  : 1;
}

/* Start what not every configuration has, and the last one had not. */
static void
start_optional(struct parent *p, const struct generation *g, int64_t now)
{
    static const struct {
        const struct role *role;
        int page;
    } optional[] = {{&role_policy, BOARD_POLICY}, {&role_access, BOARD_ACCESS},
                    {&role_edit, BOARD_EDIT},     {&role_cold, BOARD_COLD},
                    {&role_homes, BOARD_HOMES},   {&role_hook, BOARD_HOOK},
                    {&role_queue, BOARD_QUEUE},   {&role_held, BOARD_HELD}};

    for (size_t i = 0; i < sizeof(optional) / sizeof(optional[0]); i++)
        if (has_role(optional[i].role, g) && child_count(&p->children, optional[i].role) == 0)
            child_add(&p->children, optional[i].role, optional[i].page, g, now);
}

static void
start_roles(struct parent *p, const struct generation *g, int64_t now)
{
    child_add(&p->children, &role_sync, BOARD_SYNC, g, now);
    child_add(&p->children, &role_control, BOARD_CONTROL, g, now);
    start_optional(p, g, now);
    start_workers(p, g, now);
}

/* Every role goes over to the generation g: answer workers of another end, the others are replaced. */
static void
replace_roles(struct parent *p, const struct generation *g, int64_t now)
{
    for (int i = 0; i < CHILD_MAX; i++) {
        struct child *c = &p->children.at[i];

        if (c->state == CHILD_NONE || c->generation == g)
            continue;
        c->generation = c->role != &role_answer && has_role(c->role, g) ? g : NULL;
        if (c->generation && c->state == CHILD_ENDING)
            c->state = CHILD_REPLACED; /* the last reload took it out, this one wants it again */
        child_end(c, c->generation != NULL, now);
    }
    start_optional(p, g, now);
}

static void
end_roles(struct parent *p, const struct role *role, const struct generation *g, int64_t now)
{
    for (int i = 0; i < CHILD_MAX; i++) {
        struct child *c = &p->children.at[i];

        if (c->state != CHILD_NONE && c->state != CHILD_ENDING && (!role || c->role == role) &&
            (!g || c->generation == g))
            child_end(c, 0, now);
    }
}

/* --- messages between roles --- */

static void
on_message(evutil_socket_t fd, short what, void *ctx)
{
    struct parent *p = ctx;
    char word[ROLE_MESSAGE_MAX];
    ssize_t n = recv(fd, word, sizeof(word), MSG_DONTWAIT);
    int ended = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);

    (void)what;
    for (int i = 0; i < CHILD_MAX; i++) {
        struct child *c = &p->children.at[i];

        if (c->state >= CHILD_RUNNING && c->fd == fd && ended)
            event_del(p->messages[i]); /* it is dying; SIGCHLD follows */
        else if (c->state >= CHILD_RUNNING && c->fd == fd && c->role != &role_control)
            return;
    }
    if (n != 12 || memcmp(word, "sweep-accept", 12) != 0)
        return;
    for (int i = 0; i < CHILD_MAX; i++) {
        struct child *c = &p->children.at[i];

        if (c->state == CHILD_RUNNING && c->role == &role_sync &&
            send(c->fd, word, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) == n)
            log_notice("an administrator accepted the refused sweep");
    }
}

/* Listen to the roles: to new ones, and to those that could not be listened to for lack of memory. */
static void
hear(struct parent *p)
{
    for (int i = 0; i < CHILD_MAX; i++) {
        struct child *c = &p->children.at[i];
        struct event **ev = &p->messages[i];

        if (c->state < CHILD_RUNNING)
            continue;
        if (!*ev)
            *ev = event_new(p->base, c->fd, EV_READ | EV_PERSIST, on_message, p);
        if (*ev && !event_pending(*ev, EV_READ, NULL))
            event_add(*ev, NULL);
    }
}

static void
on_started(void *ctx, struct child *c)
{
    (void)c;
    hear(ctx);
}

static void
on_gone(void *ctx, struct child *c)
{
    struct parent *p = ctx;
    struct event **ev = &p->messages[c - p->children.at];

    if (*ev)
        event_free(*ev);
    *ev = NULL;
}

/* --- what the service manager is told --- */

static void
tell_phase(struct parent *p)
{
    static const char *const words[] = {
        "not asked yet", "connecting",    "filling the mirror", "followed",
        "loaded",        "not reachable", "refused a sweep",    "not kept, see the log"};
    uint64_t phase = board_get(&p->board, BOARD_SYNC, BOARD_SYNC_PHASE);

    if (phase == p->phase_told || phase > PHASE_UNREAD)
        return;
    p->phase_told = phase;
    sd_notifyf(0, "STATUS=site %s answers; directory: %s", p->now->conf->site, words[phase]);
}

/* Ready is who answers from a filled mirror; but a directory that is away must not hold up the start. */
static int
is_ready(const struct parent *p, int64_t now)
{
    uint64_t phase = board_get(&p->board, BOARD_SYNC, BOARD_SYNC_PHASE);

    return child_beating(&p->children, &role_answer, p->now) >= p->now->conf->answer.workers &&
           child_beating(&p->children, &role_control, p->now) > 0 &&
           (p->now->policy_fd < 0 || child_beating(&p->children, &role_policy, p->now) > 0) &&
           phase != PHASE_NONE &&
           (now >= p->ready_at_ms || (phase != PHASE_CONNECTING && phase != PHASE_REFRESH));
}

static void
tell_ready(struct parent *p, int64_t now)
{
    if (p->ready || p->stopping || !is_ready(p, now))
        return;
    p->ready = 1;
    log_notice("ready site=%s generation=%u workers=%d", p->now->conf->site, p->now->number,
               p->now->conf->answer.workers);
    sd_notify(0, "READY=1");
}

static void
ping_watchdog(struct parent *p, int64_t now)
{
    uint64_t usec;

    if (sd_watchdog_enabled(0, &usec) <= 0 || now < p->ping_ms)
        return;
    p->ping_ms = now + (int64_t)(usec / 3000);
    sd_notify(0, "WATCHDOG=1");
}

/* --- reload --- */

static void
reload_over(struct parent *p)
{
    sd_notify(0, "READY=1");
    if (p->reload_again)
        raise(SIGHUP);
    p->reload_again = 0;
}

static void
reload_refuse(struct parent *p, const char *error)
{
    log_error("reload refused, nothing has changed: %s", error);
    generation_keep(p->now, &p->listen);
    listen_sweep(&p->listen);
    reload_over(p);
}

static void
reload_abort(struct parent *p, const char *why, int64_t now)
{
    end_roles(p, NULL, p->next, now);
    generation_free(&p->next);
    reload_refuse(p, why);
}

static void
reload_commit(struct parent *p, int64_t now)
{
    const struct conf *conf = p->next->conf;

    replace_roles(p, p->next, now);
    generation_free(&p->now);
    p->now = p->next;
    p->next = NULL;
    generation_keep(p->now, &p->listen);
    listen_sweep(&p->listen);
    log_open(conf->log.to, conf->log.facility, conf->log.level, "postroad-policyd");
    log_notice("reloaded file=%s generation=%u", p->conf_path, p->now->number);
    reload_over(p);
}

static void
reload_begin(struct parent *p, int64_t now)
{
    char error[1024];

    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIi64, now * 1000);
    if (generation_load(p->conf_path, p->generations + 1, &p->next, error, sizeof(error)) !=
        PARENT_OK) {
        reload_refuse(p, error);
        return;
    }
    if (generation_open(p->next, &p->listen, error, sizeof(error)) < 0) {
        generation_free(&p->next);
        reload_refuse(p, error);
        return;
    }
    p->generations++;
    p->prove_until_ms = now + PROVE_MS;
    if (start_workers(p, p->next, now) < 0)
        reload_abort(p, "no room for more workers while old ones are ending", now);
}

/* New workers prove themselves by beating, all of them; one that dies spoils it. */
static void
reload_advance(struct parent *p, int64_t now)
{
    int running = 0;

    if (!p->next)
        return;
    for (int i = 0; i < CHILD_MAX; i++)
        running +=
            p->children.at[i].state == CHILD_RUNNING && p->children.at[i].generation == p->next;
    if (child_beating(&p->children, &role_answer, p->next) == p->next->conf->answer.workers)
        reload_commit(p, now);
    else if (running < p->next->conf->answer.workers || now >= p->prove_until_ms)
        reload_abort(p, "the new answer workers do not live", now);
}

/* --- stop --- */

static void
stop_begin(struct parent *p, int64_t now)
{
    if (p->stopping) { /* asked twice: no more waiting */
        for (int i = 0; i < CHILD_MAX; i++)
            p->children.at[i].kill_ms = now;
        return;
    }
    log_notice("stopping");
    sd_notify(0, "STOPPING=1");
    p->stopping = p->children.stopping = 1;
}

/* In order: first who answers Postfix, last who writes the mirror. */
static void
stop_advance(struct parent *p, int64_t now)
{
    if (!p->stopping)
        return;
    for (size_t i = 0; i < sizeof(stop_order) / sizeof(stop_order[0]); i++) {
        end_roles(p, stop_order[i], NULL, now);
        if (child_count(&p->children, stop_order[i]) > 0)
            return;
    }
    event_base_loopbreak(p->base);
}

/* --- the loop --- */

/* The tick comes whatever happens; here, something is due before it. */
static void
schedule(struct parent *p, int64_t now)
{
    int hurry = !p->ready || p->next || p->stopping;
    int64_t wait = hurry ? HURRY_MS : TICK_MS, due = child_next_ms(&p->children) - now;
    struct timeval tv;

    wait = due < wait ? due : wait;
    wait = wait > 0 ? wait : 0;
    tv.tv_sec = wait / 1000;
    tv.tv_usec = wait % 1000 * 1000;
    if (wait < TICK_MS)
        event_add(p->hurry, &tv);
}

static void
advance(struct parent *p)
{
    int64_t now = clock_ms();

    if (now - p->last_tick_ms > PAUSED_MS)
        p->patient_until_ms = now + CHILD_SILENCE_MS;
    p->last_tick_ms = now;
    board_beat(&p->board);
    hear(p);
    child_watch(&p->children, now, now < p->patient_until_ms);
    reload_advance(p, now);
    stop_advance(p, now);
    tell_phase(p);
    tell_ready(p, now);
    ping_watchdog(p, now);
    schedule(p, now);
}

static void
reap(struct parent *p)
{
    pid_t pid;
    int status;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        child_died(&p->children, pid, status, clock_ms());
}

/* SIGCHLD tells at once who died; no death may stay unnoticed if that gets lost. */
static void
on_tick(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    reap(ctx);
    advance(ctx);
}

static void
on_signal(evutil_socket_t number, short what, void *ctx)
{
    struct parent *p = ctx;

    (void)what;
    if (number == SIGCHLD)
        reap(p);
    else if (number != SIGHUP)
        stop_begin(p, clock_ms());
    else if (p->next)
        p->reload_again = 1;
    else if (!p->stopping)
        reload_begin(p, clock_ms());
    advance(p);
}

static int
events_open(struct parent *p)
{
    static const int numbers[SIGNAL_N] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
    static const struct timeval tick = {0, TICK_MS * 1000};

    p->base = event_base_new();
    if (!p->base)
        return -1;
    p->tick = event_new(p->base, -1, EV_PERSIST, on_tick, p);
    p->hurry = evtimer_new(p->base, on_tick, p);
    if (!p->tick || !p->hurry || event_add(p->tick, &tick) < 0)
        return -1;
    for (int i = 0; i < SIGNAL_N; i++) {
        p->signals[i] = evsignal_new(p->base, numbers[i], on_signal, p);
        if (!p->signals[i] || event_add(p->signals[i], NULL) < 0)
            return -1;
    }
    return 0;
}

static int
board_open(struct parent *p)
{
    int fd = board_create();

    if (fd < 0 || board_attach(&p->board, fd, BOARD_PARENT, 1) < 0)
        return -1;
    board_set(&p->board, BOARD_PID, (uint64_t)getpid());
    board_set(&p->board, BOARD_STARTED_MS, (uint64_t)time(NULL) * 1000);
    p->children = (struct children){.board = &p->board,
                                    .board_fd = fd,
                                    .conf_path = p->conf_path,
                                    .started = on_started,
                                    .gone = on_gone,
                                    .ctx = p};
    return 0;
}

/* Everything that can fail before the first role is started; a PARENT_ code. */
static int
set_up(struct parent *p)
{
    char error[1024];
    const struct conf *conf;
    int rc = generation_load(p->conf_path, ++p->generations, &p->now, error, sizeof(error));

    if (rc != PARENT_OK) {
        log_error("%s", error);
        return rc;
    }
    conf = p->now->conf;
    log_open(conf->log.to, conf->log.facility, conf->log.level, "postroad-policyd");
    if (geteuid() != 0)
        log_notice("not started as root: users and groups stay as they are");
    if (listen_inherit(&p->listen) < 0 ||
        generation_open(p->now, &p->listen, error, sizeof(error)) < 0) {
        log_error("can't open the sockets: %s", error);
        return PARENT_TEMPORARY;
    }
    if (listen_drop_inherited(&p->listen) > 0)
        log_warning("closed inherited sockets that no setting below sockets names");
    if (events_open(p) < 0 || board_open(p) < 0) {
        log_error("can't start: %s", strerror(errno));
        return PARENT_TEMPORARY;
    }
    return PARENT_OK;
}

static void
tear_down(struct parent *p)
{
    listen_sweep(&p->listen);
    for (int i = 0; i < SIGNAL_N; i++)
        if (p->signals[i])
            event_free(p->signals[i]);
    if (p->tick)
        event_free(p->tick);
    if (p->hurry)
        event_free(p->hurry);
    if (p->base)
        event_base_free(p->base);
    board_detach(&p->board);
    generation_free(&p->now);
    generation_free(&p->next);
}

int
parent_run(const char *conf_path)
{
    static struct parent parent;
    struct parent *p = &parent;
    int rc;

    p->conf_path = conf_path;
    rc = set_up(p);
    if (rc == PARENT_OK) {
        p->last_tick_ms = clock_ms();
        p->ready_at_ms = p->last_tick_ms + READY_MS;
        start_roles(p, p->now, p->last_tick_ms);
        advance(p);
        if (event_base_dispatch(p->base) < 0) {
            log_error("can't wait for events error=\"%s\"", strerror(errno));
            rc = PARENT_TEMPORARY;
        }
        log_notice("stopped");
    }
    tear_down(p);
    return rc;
}
