/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hook_queue: lanes in a hash table; for each target a heap of the lanes whose first event
 * waits, the one due first on top. A lane whose first event flies is in no heap. An empty
 * lane is freed.
 */
#include "hook_queue.h"

#include <stdlib.h>
#include <string.h>

#include "fnv.h"

#define BUCKETS 4096
#define NOWHERE ((size_t)-1)

TAILQ_HEAD(items, hook_item);

struct hook_lane {
    struct hook_lane *next; /* in its bucket */
    struct items items;
    size_t at; /* in the heap, or NOWHERE */
    size_t account_n;
    unsigned char target;
    char account[];
};

struct target {
    struct hook_lane **heap;
    size_t n, cap;
    unsigned flying, failures;
    int64_t pause_ms; /* nobody tries before */
};

struct hook_queue {
    struct hook_limits limits;
    unsigned ntargets;
    struct target target[HOOK_TARGETS];
    struct hook_lane *bucket[BUCKETS];
    struct items all;
    size_t count;
    uint64_t bytes;
};

struct hook_queue *
hook_queue_new(unsigned targets, const struct hook_limits *limits)
{
    struct hook_queue *q = calloc(1, sizeof *q);

    if (!q)
        return NULL;
    q->limits = *limits;
    q->ntargets = targets < HOOK_TARGETS ? targets : HOOK_TARGETS;
    TAILQ_INIT(&q->all);
    return q;
}

/* --- the heaps --- */

static int64_t
due(const struct hook_lane *l)
{
    return TAILQ_FIRST(&l->items)->due_ms;
}

/* Whether a goes before b: due earlier, or at the same time and older. */
static int
before(const struct hook_lane *a, const struct hook_lane *b)
{
    if (due(a) != due(b))
        return due(a) < due(b);
    return TAILQ_FIRST(&a->items)->seq < TAILQ_FIRST(&b->items)->seq;
}

static void
heap_set(struct target *t, size_t at, struct hook_lane *l)
{
    t->heap[at] = l;
    l->at = at;
}

static void
heap_settle(struct target *t, size_t at)
{
    struct hook_lane *l = t->heap[at];

    for (size_t up; at > 0 && before(l, t->heap[up = (at - 1) / 2]); at = up)
        heap_set(t, at, t->heap[up]);
    for (size_t down; (down = 2 * at + 1) < t->n; at = down) {
        if (down + 1 < t->n && before(t->heap[down + 1], t->heap[down]))
            down++;
        if (!before(t->heap[down], l))
            break;
        heap_set(t, at, t->heap[down]);
    }
    heap_set(t, at, l);
}

static void
heap_add(struct target *t, struct hook_lane *l)
{
    t->heap[t->n++] = l; /* there is room: see lane_new */
    heap_settle(t, t->n - 1);
}

static void
heap_take_out(struct target *t, struct hook_lane *l)
{
    size_t at = l->at;
    struct hook_lane *last = t->heap[--t->n];

    l->at = NOWHERE;
    if (last == l)
        return;
    heap_set(t, at, last);
    heap_settle(t, at);
}

/* --- lanes --- */

static unsigned
bucket_of(unsigned target, struct span account)
{
    return fnv32(FNV32 ^ target, account.p, account.n) % BUCKETS;
}

/* Room for one more lane in the heap; lanes that fly come back to it. 0, or -1. */
static int
heap_room(struct target *t)
{
    size_t need = t->n + t->flying + 1, cap = t->cap ? t->cap : 64;
    struct hook_lane **heap;

    while (cap < need)
        cap *= 2;
    if (cap == t->cap)
        return 0;
    heap = realloc(t->heap, cap * sizeof *heap);
    if (!heap)
        return -1;
    t->heap = heap;
    t->cap = cap;
    return 0;
}

static struct hook_lane *
lane_new(struct hook_queue *q, unsigned target, struct span account, unsigned bucket)
{
    struct hook_lane *l =
        heap_room(&q->target[target]) < 0 ? NULL : malloc(sizeof *l + account.n + 1);

    if (!l)
        return NULL;
    TAILQ_INIT(&l->items);
    l->at = NOWHERE;
    l->target = (unsigned char)target;
    l->account_n = account.n;
    memcpy(l->account, account.p, account.n);
    l->next = q->bucket[bucket];
    q->bucket[bucket] = l;
    return l;
}

static struct hook_lane *
lane_of(struct hook_queue *q, unsigned target, struct span account)
{
    unsigned bucket = bucket_of(target, account);

    for (struct hook_lane *l = q->bucket[bucket]; l; l = l->next)
        if (l->target == target && span_same((struct span){l->account, l->account_n}, account))
            return l;
    return lane_new(q, target, account, bucket);
}

static void
lane_free(struct hook_queue *q, struct hook_lane *l)
{
    struct hook_lane **at =
        &q->bucket[bucket_of(l->target, (struct span){l->account, l->account_n})];

    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    free(l);
}

/* --- items --- */

struct hook_item *
hook_queue_add(struct hook_queue *q, unsigned target, struct span account, uint64_t seq,
               uint64_t stored_ms, uint32_t bytes)
{
    struct hook_lane *l = lane_of(q, target, account);
    struct hook_item *item = l ? calloc(1, sizeof *item) : NULL;

    if (!item) {
        if (l && TAILQ_EMPTY(&l->items))
            lane_free(q, l);
        return NULL;
    }
    *item = (struct hook_item){.lane = l,
                               .seq = seq,
                               .stored_ms = stored_ms,
                               .bytes = bytes,
                               .target = (unsigned char)target};
    item->due_ms = INT64_MIN;
    TAILQ_INSERT_TAIL(&l->items, item, in_lane);
    TAILQ_INSERT_TAIL(&q->all, item, in_all);
    q->count++;
    q->bytes += bytes;
    if (TAILQ_FIRST(&l->items) == item)
        heap_add(&q->target[target], l);
    return item;
}

/* Out of everything. Its lane waits with its next event, or goes. */
static void
item_free(struct hook_queue *q, struct hook_item *item)
{
    struct hook_lane *l = item->lane;
    struct target *t = &q->target[item->target];
    int was_first = TAILQ_FIRST(&l->items) == item;

    if (l->at != NOWHERE && was_first)
        heap_take_out(t, l);
    TAILQ_REMOVE(&l->items, item, in_lane);
    free(item);
    if (TAILQ_EMPTY(&l->items))
        lane_free(q, l);
    else if (was_first)
        heap_add(t, l);
}

/* It does not count any more. */
static void
forget(struct hook_queue *q, struct hook_item *item)
{
    TAILQ_REMOVE(&q->all, item, in_all);
    q->count--;
    q->bytes -= item->bytes;
}

void
hook_queue_remove(struct hook_queue *q, struct hook_item *item)
{
    forget(q, item);
    if (item->flying)
        item->gone = 1;
    else
        item_free(q, item);
}

static void
land(struct hook_queue *q, struct hook_item *item)
{
    item->flying = 0;
    q->target[item->target].flying--;
}

/* The target works after all: who was held back for its sake goes on. */
static void
trust(struct hook_queue *q, struct target *t)
{
    int doubted = t->failures >= HOOK_DOUBT;

    t->failures = 0;
    t->pause_ms = INT64_MIN;
    if (doubted)
        hook_queue_hurry(q);
}

void
hook_queue_done(struct hook_queue *q, struct hook_item *item)
{
    struct target *t = &q->target[item->target];

    land(q, item);
    if (!item->gone)
        forget(q, item);
    item_free(q, item);
    trust(q, t);
}

void
hook_queue_failed(struct hook_queue *q, struct hook_item *item, int64_t now)
{
    struct target *t = &q->target[item->target];

    land(q, item);
    if (++t->failures >= HOOK_DOUBT)
        t->pause_ms = now + hook_backoff(&q->limits, t->failures - HOOK_DOUBT + 1);
    item->tries++;
    item->due_ms = now + hook_backoff(&q->limits, item->tries);
    if (item->gone)
        item_free(q, item);
    else
        heap_add(t, item->lane);
}

struct hook_item *
hook_queue_take(struct hook_queue *q, unsigned target, int64_t now)
{
    struct target *t = &q->target[target];
    unsigned most = t->failures >= HOOK_DOUBT ? 1 : q->limits.concurrency;
    struct hook_item *item;

    if (t->n == 0 || t->flying >= most || t->pause_ms > now || due(t->heap[0]) > now)
        return NULL;
    item = TAILQ_FIRST(&t->heap[0]->items);
    heap_take_out(t, t->heap[0]);
    item->flying = 1;
    t->flying++;
    return item;
}

int64_t
hook_queue_when(const struct hook_queue *q, unsigned target)
{
    const struct target *t = &q->target[target];
    unsigned most = t->failures >= HOOK_DOUBT ? 1 : q->limits.concurrency;

    if (t->n == 0 || t->flying >= most)
        return INT64_MAX;
    return due(t->heap[0]) > t->pause_ms ? due(t->heap[0]) : t->pause_ms;
}

void
hook_queue_hurry(struct hook_queue *q)
{
    struct hook_item *item;

    TAILQ_FOREACH(item, &q->all, in_all)
    item->due_ms = INT64_MIN;
    for (unsigned i = 0; i < q->ntargets; i++) {
        struct target *t = &q->target[i];

        t->pause_ms = INT64_MIN;
        for (size_t k = t->n; k-- > 0;)
            heap_settle(t, k);
    }
}

/* --- looking --- */

struct hook_item *
hook_queue_oldest(const struct hook_queue *q)
{
    return TAILQ_FIRST(&q->all);
}

struct hook_item *
hook_queue_after(const struct hook_item *item)
{
    return TAILQ_NEXT(item, in_all);
}

struct hook_item *
hook_queue_find(const struct hook_queue *q, uint64_t seq)
{
    struct hook_item *item = TAILQ_FIRST(&q->all);

    while (item && item->seq != seq)
        item = TAILQ_NEXT(item, in_all);
    return item;
}

struct span
hook_item_account(const struct hook_item *item)
{
    return (struct span){item->lane->account, item->lane->account_n};
}

size_t
hook_queue_count(const struct hook_queue *q)
{
    return q->count;
}

uint64_t
hook_queue_bytes(const struct hook_queue *q)
{
    return q->bytes;
}

int
hook_queue_doubted(const struct hook_queue *q, unsigned target)
{
    return q->target[target].failures >= HOOK_DOUBT;
}

int64_t
hook_backoff(const struct hook_limits *limits, unsigned failures)
{
    int64_t ms = limits->retry_min_ms;

    for (unsigned i = 1; i < failures && ms < limits->retry_max_ms; i++)
        ms *= 2;
    return ms < limits->retry_max_ms ? ms : limits->retry_max_ms;
}

void
hook_queue_free(struct hook_queue **q)
{
    struct hook_queue *old = *q;
    struct hook_item *item;

    if (!old)
        return;
    while ((item = TAILQ_FIRST(&old->all))) {
        item->flying = 0;
        hook_queue_remove(old, item);
    }
    for (unsigned i = 0; i < HOOK_TARGETS; i++)
        free(old->target[i].heap);
    free(old);
    *q = NULL;
}
