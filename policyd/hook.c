/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hook: the role that carries news of new mail to webhooks, postroad-hook(5).
 *
 * Promises: an event that was acknowledged is on disk, and is sent until its target takes
 * it, refuses it for good, or it is too old; at least once, in order for each account. The
 * queue is bounded in number, bytes and age: when it is full the oldest event gives way,
 * counted and logged. Whoever tells of an event waits for one commit, never for a target.
 * Must not be needed for mail to flow: nothing that delivers mail depends on it.
 */
#include "hook.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "beat.h"
#include "hook_run.h"
#include "sandbox.h"

#define TICK_MS 500

/* --- leaving the queue --- */

static void
soon(struct event *ev)
{
    static const struct timeval now = {0, 0};

    if (!evtimer_pending(ev, NULL))
        evtimer_add(ev, &now);
}

/* Its row goes with the next batch; without memory for that, it is sent once more some day. */
static void
remove_later(struct hook *h, uint64_t seq)
{
    if (h->nremoved == h->removed_cap) {
        size_t cap = h->removed_cap ? 2 * h->removed_cap : 256;
        uint64_t *more = realloc(h->removed, cap * sizeof *more);

        if (!more)
            return;
        h->removed = more;
        h->removed_cap = cap;
    }
    h->removed[h->nremoved++] = seq;
    soon(h->commit);
}

void
hook_drop(struct hook *h, struct hook_item *item)
{
    remove_later(h, item->seq);
    hook_queue_remove(h->queue, item);
}

static void
drop_oldest(struct hook *h, int counter, const char *why)
{
    struct hook_item *item = hook_queue_oldest(h->queue);
    unsigned skipped;

    board_add(&h->env->board, counter, 1);
    if (log_limit(&h->full_limit, 1, 60, &skipped))
        log_error("new-mail event given up why=\"%s\" target=%s queued=%zu unlogged=%u", why,
                  h->target[item->target].name, hook_queue_count(h->queue), skipped);
    hook_drop(h, item);
}

static void
make_room(struct hook *h, size_t rows, uint64_t bytes)
{
    const struct conf *conf = h->env->conf;
    uint64_t max = (uint64_t)conf->hook.max_size << 20;

    while (hook_queue_oldest(h->queue) &&
           (hook_queue_count(h->queue) + rows > (size_t)conf->hook.max_events ||
            hook_queue_bytes(h->queue) + bytes > max))
        drop_oldest(h, BOARD_HOOK_DROPPED_FULL, "the queue is full");
}

static void
drop_aged(struct hook *h)
{
    int64_t least = clock_wall_ms() - (int64_t)h->env->conf->hook.max_age * 1000;
    struct hook_item *item;

    while ((item = hook_queue_oldest(h->queue)) && (int64_t)item->stored_ms < least)
        drop_oldest(h, BOARD_HOOK_DROPPED_AGED, "it is too old");
}

/* --- the disk --- */

void
hook_enter(struct hook *h, const struct hook_entry *e)
{
    if (h->nbatch == HOOK_BATCH ||
        (h->nbatch + 1) * h->ntargets > (unsigned)h->env->conf->hook.max_events)
        hook_commit(h);
    h->batch[h->nbatch++] = *e;
    soon(h->commit);
}

/* The rows of an entry, one for each target. */
static int
put_entry(struct hook *h, const struct hook_entry *e, uint64_t now)
{
    char event[HOOK_EVENT_MAX];
    struct hook_row r = {.stored_ms = now, .account = e->account};
    uint64_t id = hook_store_next(h->store);

    r.event.p = event;
    r.event.n = hook_event_finish(e, h->env->conf->site, id, event);
    for (unsigned t = 0; t < h->ntargets; t++) {
        if (!(e->targets >> t & 1))
            continue;
        r.seq = hook_store_next(h->store);
        r.target = span_of(h->target[t].name);
        if (hook_store_put(h->store, &r) < 0)
            return -1;
    }
    return 0;
}

static int
write_all(struct hook *h, uint64_t now)
{
    if (hook_store_begin(h->store) < 0)
        return -1;
    for (size_t i = 0; i < h->nremoved; i++)
        if (hook_store_remove(h->store, h->removed[i]) < 0)
            return -1;
    for (unsigned i = 0; i < h->nbatch; i++)
        if (put_entry(h, &h->batch[i], now) < 0)
            return -1;
    return hook_store_commit(h->store);
}

/* Another process reads all that is on disk. */
static void
begin_anew(struct hook *h)
{
    h->ending = h->anew = 1;
    event_base_loopbreak(h->base);
}

/* What is on disk and not in the queue would not be sent. */
static void
queue_lacks(struct hook *h)
{
    if (!h->anew)
        log_error("no memory for new-mail events that are on disk, so hook starts anew");
    begin_anew(h);
}

/* What was written goes into the queue, under the numbers it was given from first on. */
static void
queue_all(struct hook *h, uint64_t first, uint64_t now)
{
    for (unsigned i = 0; i < h->nbatch; i++) {
        const struct hook_entry *e = &h->batch[i];

        for (unsigned t = 0; t < h->ntargets; t++)
            if (e->targets >> t & 1 && !hook_queue_add(h->queue, t, e->account, first++, now,
                                                       (uint32_t)(e->account.n + e->event_n + 200)))
                queue_lacks(h);
    }
}

static void
answer_all(struct hook *h, const char *answer)
{
    for (unsigned i = 0; i < h->nbatch; i++) {
        if (h->batch[i].conn)
            hook_conn_answer(h->batch[i].conn, answer);
        free(h->batch[i].text);
    }
    h->nbatch = 0;
}

static void
cant_store(struct hook *h)
{
    unsigned skipped;

    board_add(&h->env->board, BOARD_HOOK_STORE_ERRORS, 1);
    board_say(&h->env->board, hook_store_error(h->store));
    if (log_limit(&h->store_limit, 1, 60, &skipped))
        log_error("new-mail events can't be stored, who tells of them is told so why=\"%s\" "
                  "unlogged=%u",
                  hook_store_error(h->store), skipped);
    answer_all(h, "unsure\twhy=it could not be stored\n");
    if (hook_store_is_broken(h->store))
        begin_anew(h);
}

void
hook_commit(struct hook *h)
{
    uint64_t now = (uint64_t)clock_wall_ms(), bytes = 0, first;
    size_t rows = 0;

    for (unsigned i = 0; i < h->nbatch; i++) {
        rows += (size_t)__builtin_popcount(h->batch[i].targets);
        bytes += h->batch[i].event_n * h->ntargets;
    }
    if (rows > 0)
        make_room(h, rows, bytes);
    if (rows == 0 && h->nremoved == 0)
        return;
    beat_step();
    first = hook_store_next(h->store);
    if (write_all(h, now) < 0) {
        beat_now();
        cant_store(h);
        return;
    }
    beat_now();
    h->nremoved = 0;
    board_add(&h->env->board, BOARD_HOOK_STORED, h->nbatch);
    queue_all(h, first, now);
    answer_all(h, "ok\n");
    hook_pump(h);
}

/* --- sending --- */

void
hook_landed(struct hook *h, struct hook_item *item, enum hook_outcome outcome, const char *why)
{
    struct hook_target *t = &h->target[item->target];
    int base = BOARD_HOOK_TARGETS + BOARD_HOOK_WORDS * item->target;
    unsigned skipped;

    board_add(&h->env->board, base + (int)outcome, 1);
    snprintf(t->error, sizeof t->error, "%s", outcome == HOOK_TAKEN ? "" : why);
    if (outcome != HOOK_TAKEN && log_limit(&t->limit, 1, 60, &skipped))
        log_warning("hook target did not take an event target=%s for_good=%s number=%llu tries=%u "
                    "why=\"%s\" unlogged=%u",
                    t->name, outcome == HOOK_REFUSED ? "yes" : "no", (unsigned long long)item->seq,
                    item->tries + 1, why, skipped);
    if (outcome == HOOK_FAILED) {
        hook_queue_failed(h->queue, item, beat_now());
        return;
    }
    if (!item->gone)
        remove_later(h, item->seq);
    hook_queue_done(h->queue, item);
}

static int
send_event(struct hook *h, struct hook_target *t, struct hook_item *item, const char *event,
           size_t n)
{
    return hook_target_is_command(t->url) ? hook_start(h->runner, t, item, event, n)
                                          : hook_send(h->sender, t, item, event, n);
}

/* Begin to send it. What the store has lost is nothing to wait for. */
static void
begin(struct hook *h, struct hook_item *item)
{
    char event[HOOK_EVENT_MAX];
    size_t n;
    int found = hook_store_event(h->store, item->seq, event, &n);

    if (found == 0)
        hook_landed(h, item, HOOK_REFUSED, "its row is gone");
    else if (found < 0)
        hook_landed(h, item, HOOK_FAILED, hook_store_error(h->store));
    else if (send_event(h, &h->target[item->target], item, event, n) < 0)
        hook_landed(h, item, HOOK_FAILED, "no memory");
}

void
hook_pump(struct hook *h)
{
    int64_t now = beat_now(), when = INT64_MAX, next;
    struct hook_item *item;

    for (unsigned t = 0; t < h->ntargets && !h->ending; t++) {
        while ((item = hook_queue_take(h->queue, t, now)))
            begin(h, item);
        next = hook_queue_when(h->queue, t);
        when = next < when ? next : when;
    }
    if (when != INT64_MAX) {
        int64_t ms = when > now ? when - now : 1;
        struct timeval tv = {ms / 1000, ms % 1000 * 1000};

        evtimer_add(h->pump, &tv);
    }
}

/* --- the loop --- */

static void
show(struct hook *h)
{
    struct board *b = &h->env->board;
    struct hook_item *oldest = hook_queue_oldest(h->queue);

    board_set(b, BOARD_HOOK_QUEUED, hook_queue_count(h->queue));
    board_set(b, BOARD_HOOK_BYTES, hook_queue_bytes(h->queue));
    board_set(b, BOARD_HOOK_OLDEST_MS, oldest ? oldest->stored_ms : 0);
    for (unsigned t = 0; t < h->ntargets; t++)
        board_set(b, BOARD_HOOK_TARGETS + BOARD_HOOK_WORDS * (int)t + BOARD_HOOK_DOUBTED,
                  (uint64_t)hook_queue_doubted(h->queue, t));
}

static void
on_tick(evutil_socket_t fd, short what, void *ctx)
{
    struct hook *h = ctx;

    (void)fd;
    (void)what;
    hook_conns_sweep(h, beat_now());
    drop_aged(h);
    if (h->nremoved > 0 || h->nbatch > 0)
        soon(h->commit);
    hook_pump(h);
    show(h);
}

static void
on_commit(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    hook_commit(ctx);
}

static void
on_pump(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    hook_pump(ctx);
}

static void
on_client(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    hook_conn_accept(ctx);
}

static void
on_end(void *ctx, int alone)
{
    struct hook *h = ctx;

    (void)alone;
    h->ending = 1;
    event_base_loopbreak(h->base);
}

/* --- starting --- */

static struct hook hook;

/* A helper, where any target is a command. 0, or -1. */
static int
start_helper(const struct role_env *env)
{
    const struct conf_list *targets = &env->conf->hook.targets;
    int commands = 0;

    for (size_t i = 0; i < targets->n; i++)
        commands |= hook_target_is_command(strchr(targets->v[i], '=') + 1);
    hook.runner_fd = commands ? hook_run_helper(env) : -1;
    if (!commands || hook.runner_fd >= 0)
        return 0;
    log_error("the helper that runs commands can't be started error=\"%s\"", strerror(errno));
    return -1;
}

/* The helper comes first, so that it has no secrets. */
static int
hook_prepare(struct role_env *env)
{
    if (env->nlisten == 1)
        return start_helper(env) < 0 ? -1 : hook_targets_load(&hook, env->conf);
    log_error("hook was given no socket");
    return -1;
}

/* A row of the last run; of a target that is not there any more: nobody waits for it. */
static int
load_row(void *ctx, const struct hook_row *r)
{
    struct hook *h = ctx;
    int t = hook_target_named(h, r->target);

    if (t < 0)
        remove_later(h, r->seq);
    else if (!hook_queue_add(h->queue, (unsigned)t, r->account, r->seq, r->stored_ms,
                             (uint32_t)(r->account.n + r->event.n + 200)))
        h->anew = 1;
    return h->anew;
}

static int
open_store(struct hook *h)
{
    const struct conf *conf = h->env->conf;
    struct hook_limits limits = {(unsigned)conf->hook.concurrency,
                                 (int64_t)conf->hook.retry_min * 1000,
                                 (int64_t)conf->hook.retry_max * 1000};
    char path[1100], error[512];

    snprintf(path, sizeof path, "%s/hook", conf->state_dir);
    beat_step();
    h->store = hook_store_open(path, (uint64_t)conf->hook.max_size << 20, error, sizeof error);
    h->queue = h->store ? hook_queue_new(h->ntargets, &limits) : NULL;
    if (!h->queue) {
        log_error("the queue of new-mail events can't be opened error=\"%s\"",
                  h->store ? "no memory" : error);
        return -1;
    }
    if (hook_store_each(h->store, load_row, h) < 0) {
        log_error("the queue of new-mail events can't be read error=\"%s\"",
                  hook_store_error(h->store));
        return -1;
    }
    if (h->anew) {
        log_error("no memory for new-mail events that are on disk, so hook starts anew");
        return -1;
    }
    log_info("new-mail events queue opened queued=%zu", hook_queue_count(h->queue));
    return 0;
}

enum { EV_LISTEN, EV_TICK, EV_COMMIT, EV_PUMP, EV_N };

static int
events_add(struct hook *h, struct event *ev[EV_N])
{
    struct timeval tick = {0, TICK_MS * 1000};

    ev[EV_LISTEN] = event_new(h->base, h->env->listen_fd[0], EV_READ | EV_PERSIST, on_client, h);
    ev[EV_TICK] = event_new(h->base, -1, EV_PERSIST, on_tick, h);
    ev[EV_COMMIT] = evtimer_new(h->base, on_commit, h);
    ev[EV_PUMP] = evtimer_new(h->base, on_pump, h);
    h->listener = ev[EV_LISTEN];
    h->commit = ev[EV_COMMIT];
    h->pump = ev[EV_PUMP];
    for (int i = 0; i < EV_N; i++)
        if (!ev[i] || (i < EV_COMMIT && event_add(ev[i], i == EV_TICK ? &tick : NULL) < 0))
            return -1;
    return role_end_open(&h->end, h->base, h->env->parent_fd, "hook", on_end, h);
}

static void
finish(struct hook *h)
{
    hook_commit(h);
    event_base_loop(h->base, EVLOOP_NONBLOCK); /* who was answered reads it */
    hook_conns_close(h);
}

static int
hook_run(struct role_env *env)
{
    struct hook *h = &hook;
    struct event *ev[EV_N] = {NULL};
    int rc = 75;

    h->env = env;
    TAILQ_INIT(&h->conns);
    h->base = event_base_new();
    if (!h->base || beat_start(&env->board) < 0 || events_add(h, ev) < 0 ||
        !(h->sender = hook_sender_new(h)) ||
        (h->runner_fd >= 0 && !(h->runner = hook_runner_new(h, h->runner_fd)))) {
        log_error("hook can't start: no memory, or a socket it was given does not work");
    } else if (open_store(h) == 0) {
        on_tick(-1, 0, h);
        event_base_dispatch(h->base);
        finish(h);
        rc = h->anew ? 75 : 0;
    }
    hook_sender_free(&h->sender);
    hook_runner_free(&h->runner);
    for (int i = 0; i < EV_N; i++)
        if (ev[i])
            event_free(ev[i]);
    role_end_close(&h->end);
    hook_queue_free(&h->queue);
    hook_store_close(&h->store);
    hook_targets_free(h);
    free(h->removed);
    if (h->base)
        event_base_free(h->base);
    return rc;
}

const struct role role_hook = {"hook", hook_prepare, hook_run, SANDBOX_CONNECT};
