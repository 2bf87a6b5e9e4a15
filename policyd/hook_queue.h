/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hook_queue: which new-mail event is to be sent next, to which target. Each account has a
 * lane of its own at each target: its events go one after the other, in the order they
 * came, and the first that fails holds the others back until it is through or given up.
 *
 * A target that fails HOOK_DOUBT times in a row is doubted: then one event at a time tries
 * it, with pauses that grow, and when it takes one, nobody is held back any more. The queue knows
 * numbers; what is sent is kept by hook_store. Time (any clock's ms) is an argument; no I/O.
 */
#ifndef POSTROAD_HOOK_QUEUE_H
#define POSTROAD_HOOK_QUEUE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "span.h"

#define HOOK_TARGETS 16
#define HOOK_DOUBT   4

struct hook_lane;

struct hook_item {
    TAILQ_ENTRY(hook_item) in_lane, in_all;
    struct hook_lane *lane;
    uint64_t seq, stored_ms; /* wall clock, when it was stored */
    uint32_t bytes, tries;
    int64_t due_ms;
    unsigned char target, flying, gone; /* flying: taken, not done; gone: removed meanwhile */
};

struct hook_limits {
    unsigned concurrency; /* events on their way to one target */
    int64_t retry_min_ms, retry_max_ms;
};

struct hook_queue;

struct hook_queue *hook_queue_new(unsigned targets, const struct hook_limits *limits);
void hook_queue_free(struct hook_queue **q);

/* The newest one of all so far. NULL: no memory. It belongs to the queue. */
struct hook_item *hook_queue_add(struct hook_queue *q, unsigned target, struct span account,
                                 uint64_t seq, uint64_t stored_ms, uint32_t bytes);

/* The next one to be sent to the target now, which then flies; NULL: none. */
struct hook_item *hook_queue_take(struct hook_queue *q, unsigned target, int64_t now);
/* When hook_queue_take may have one: perhaps at once; INT64_MAX: not before something else happens. */
int64_t hook_queue_when(const struct hook_queue *q, unsigned target);

/* One that flew: the target took it, or refused it for good; it is freed. */
void hook_queue_done(struct hook_queue *q, struct hook_item *item);
/* One that flew: to be tried again; freed when it was removed meanwhile. */
void hook_queue_failed(struct hook_queue *q, struct hook_item *item, int64_t now);

/* Take it out; one that flies is freed when it lands. */
void hook_queue_remove(struct hook_queue *q, struct hook_item *item);
/* All that wait may be tried at once. */
void hook_queue_hurry(struct hook_queue *q);

/* In the order they came; NULL: there are no more. */
struct hook_item *hook_queue_oldest(const struct hook_queue *q);
struct hook_item *hook_queue_after(const struct hook_item *item);
struct hook_item *hook_queue_find(const struct hook_queue *q, uint64_t seq);
struct span hook_item_account(const struct hook_item *item);

size_t hook_queue_count(const struct hook_queue *q);
uint64_t hook_queue_bytes(const struct hook_queue *q);
int hook_queue_doubted(const struct hook_queue *q, unsigned target);

/* Pause before the next try, after so many failures (1...). */
int64_t hook_backoff(const struct hook_limits *limits, unsigned failures);

#endif
