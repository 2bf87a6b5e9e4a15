/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_act: does what held_step says for each message that is due.
 *
 * Promises: what was done is on disk before the next step begins; what failed is tried again, with
 * pauses that grow; HELD_BUSY_MAX answers are waited for at once. Must not decide anything.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "beat.h"
#include "held.h"

#define IDLE_MS   1000
#define RETRY_MAX 60000
#define BUDGET_MS 200   /* then others have their turn */
#define HEARD_MS  60000 /* a verdict in the directory is seen every two seconds, while it is there */

static void
facts_of(struct held *h, const struct held_item *item, int64_t now, struct held_facts *f)
{
    const struct conf *conf = h->env->conf;

    *f = (struct held_facts){
        .state = (enum held_state)item->state,
        .on_expire = (enum held_on_expire)item->on_expire,
        .seen = item->seen,
        .audited = item->audited,
        .done = item->done,
        .noticed = item->noticed,
        .end_noticed = item->end_noticed,
        .published = item->published,
        .shown = item->shown,
        .recheck = now >= item->look_ms,
        .waiting = item->heard_ms && now - item->heard_ms < HEARD_MS,
        .time_ms = item->time_ms,
        .expires_ms = item->expires_ms,
        .decided_ms = item->decided_ms,
        .now_ms = h->clock.at_ms,
        .grace_ms = HELD_GRACE_MS,
        .keep_ms = (int64_t)conf->held.keep * 1000,
        .queue = (enum held_queue)item->queue,
        .directory = held_ldap_state(h),
        .notify = h->mailer && now >= item->later_ms[item->state != HELD_HELD] ? item->notify : 0};
}

static void
pause_for(struct held_item *item, int64_t now)
{
    int64_t ms = (int64_t)IDLE_MS << (item->tries < 6 ? item->tries : 6);

    item->tries += item->tries < 100;
    item->due_ms = now + (ms < RETRY_MAX ? ms : RETRY_MAX);
    item->queue = HELD_QUEUE_UNASKED;
}

void
held_settled(struct held *h, struct held_item *item, int failed)
{
    if (item->busy) {
        item->busy = 0;
        h->busy--;
    }
    if (failed) {
        pause_for(item, (int64_t)board_now_ms());
        return;
    }
    item->tries = 0;
    item->due_ms = 0;
    held_soon(h);
}

/* --- what is written down --- */

static int
mark_end(struct held *h, struct held_item *item, enum held_state state, const char *reason)
{
    h->record.state = state;
    h->record.decided_ms = held_wall_ms();
    h->record.shown = 0;
    if (!*h->record.reason)
        snprintf(h->record.reason, sizeof h->record.reason, "%s", reason);
    log_notice("held message ended without a verdict id=%s state=%s why=\"%s\"", item->id,
               held_state_word(state), reason);
    return held_save(h, item);
}

static int
mark_done(struct held *h, struct held_item *item, const char *why)
{
    h->record.done = 1;
    if (held_save(h, item) < 0)
        return -1;
    log_notice("held message done with what=%s id=%s state=%s by=\"%s\" why=\"%s\"",
               held_lets_go(h->record.state, h->record.on_expire) ? "released" : "deleted",
               item->id, held_state_word(h->record.state), h->record.by, why);
    return 0;
}

/* The item is gone with it. */
static int
forget(struct held *h, struct held_item *item, const char *why)
{
    char error[HELD_ERROR];

    if (held_record_remove(h->folder, item->id, error, sizeof error) < 0) {
        log_error("record of a held message can't be removed, it is tried again error=\"%s\"",
                  error);
        return -1;
    }
    log_info("held message forgotten id=%s state=%s why=\"%s\"", item->id,
             held_state_word((enum held_state)item->state), why);
    held_index_remove(&h->index, item);
    return 1;
}

/* --- one step --- */

/* An answer will come: 0; -1 it can't be asked for. */
static int
wait_for(struct held *h, struct held_item *item, int rc)
{
    if (rc < 0)
        return -1;
    item->busy = 1;
    h->busy++;
    return 0;
}

/* 0; -1 it failed; 1 the item is gone. */
static int
act(struct held *h, struct held_item *item, const struct held_next *n)
{
    switch (n->what) {
    case HELD_WAIT:
        return -1;
    case HELD_LOOK:
        return wait_for(h, item, held_queue_look(h, item));
    case HELD_DROP:
    case HELD_REMOVE:
        if (item->published && held_ldap_state(h) > 0)
            return wait_for(h, item, held_ldap_remove(h, item));
        return forget(h, item, n->why);
    case HELD_MARK_GONE:
        return mark_end(h, item, HELD_GONE, n->why);
    case HELD_SEEN:
        h->record.seen = 1;
        held_know_target(h);
        return held_save(h, item);
    case HELD_EXPIRE:
        return mark_end(h, item, HELD_EXPIRED, n->why);
    case HELD_PUBLISH:
        return wait_for(h, item, held_ldap_publish(h, item));
    case HELD_NOTICE:
    case HELD_END_NOTICE:
        return held_tell(h, item, n->what == HELD_END_NOTICE);
    case HELD_AUDIT:
        return wait_for(h, item, held_audit(h, item));
    case HELD_RELEASE:
    case HELD_DELETE:
        return wait_for(h, item, held_queue_order(h, item, n->what == HELD_RELEASE));
    case HELD_DONE:
        return mark_done(h, item, n->why);
    case HELD_FAIL:
        return mark_end(h, item, HELD_FAILED, n->why);
    case HELD_SHOW:
        return wait_for(h, item, held_ldap_show(h, item));
    }
    return -1;
}

/* Whether the sender is to be told anything; looked up once, and only when it matters. */
static void
find_notify(struct held *h, struct held_item *item)
{
    if (!h->mailer || item->notify >= 0 || (item->noticed && item->state == HELD_HELD) ||
        item->end_noticed || !item->seen)
        return;
    if (held_load(h, item) == 0)
        item->notify = (signed char)held_sender_inside(h);
}

/* Rest: for a message that waits, or until whoever is needed for it is there again. */
static void
rest(const struct held *h, struct held_item *item, const struct held_next *n, int64_t now)
{
    if (n->step == 3 || n->step == 2 || n->step == 13) {
        pause_for(item, now);
        return;
    }
    if (item->queue != HELD_QUEUE_UNASKED)
        item->look_ms = now + held_recheck_ms(h);
    item->queue = HELD_QUEUE_UNASKED;
    item->tries = 0;
    item->due_ms = now + IDLE_MS;
}

/* 1 it is gone, 0. */
static int
step(struct held *h, struct held_item *item, int64_t now)
{
    struct held_facts f;
    struct held_next n;
    int rc;

    find_notify(h, item);
    facts_of(h, item, now, &f);
    n = held_step(&f);
    if (n.what == HELD_WAIT) {
        rest(h, item, &n, now);
        return 0;
    }
    log_debug("held message id=%s step=%d do=%s", item->id, n.step, held_do_word(n.what));
    rc = n.what == HELD_DROP || n.what == HELD_REMOVE || held_load(h, item) == 0 ? act(h, item, &n)
                                                                                 : -1;
    if (rc < 0)
        pause_for(item, now);
    else
        held_soon(h);
    return rc > 0;
}

/* --- all of them --- */

static void
show_figures(struct held *h, const uint64_t counts[HELD_FAILED + 1], int64_t oldest)
{
    struct board *b = &h->env->board;

    for (int s = 0; s <= HELD_FAILED; s++)
        board_set(b, BOARD_HELD_STATES + s, counts[s]);
    board_set(b, BOARD_HELD_OLDEST_MS, (uint64_t)oldest);
    board_set(b, BOARD_HELD_DIRECTORY, (uint64_t)(held_ldap_state(h) + 1));
    board_set(b, BOARD_HELD_ASKING, h->busy);
}

void
held_advance(struct held *h, int64_t now)
{
    uint64_t counts[HELD_FAILED + 1] = {0};
    int64_t oldest = 0, until = now + BUDGET_MS;
    int spent = 0;

    held_time(h, now);
    for (size_t i = 0; i < h->index.n;) {
        struct held_item *item = h->index.at[i];

        if (!spent && !item->busy && item->due_ms <= now && h->busy < HELD_BUSY_MAX) {
            if (step(h, item, now))
                continue;
            spent = beat_now() >= until;
        }
        counts[item->state]++;
        if (item->state == HELD_HELD && item->seen && (!oldest || item->time_ms < oldest))
            oldest = item->time_ms;
        i++;
    }
    show_figures(h, counts, oldest);
    if (spent) {
        held_soon(h);
        return;
    }
    board_add(&h->env->board, BOARD_HELD_ROUNDS, 1);
    board_set(&h->env->board, BOARD_HELD_ROUND_MS, (uint64_t)held_wall_ms());
}
