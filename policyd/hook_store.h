/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hook_store: the new-mail events that are not delivered yet, on disk (LMDB). What was
 * added is there after kill -9 and a power cut; one process writes.
 *
 * A row is one event for one target, under a number that is never given twice. Rows are
 * added and removed in one transaction, so that many cost one fsync.
 */
#ifndef POSTROAD_HOOK_STORE_H
#define POSTROAD_HOOK_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "span.h"

#define HOOK_NAME_MAX  64   /* bytes of a target's name */
#define HOOK_EVENT_MAX 8192 /* bytes of an event's JSON */

struct hook_row {
    uint64_t seq, stored_ms; /* wall clock */
    struct span target, account, event;
};

struct hook_store;

/* max_bytes: of all rows together; there is room for more on disk. NULL and error: it can't be had. */
struct hook_store *hook_store_open(const char *dir, uint64_t max_bytes, char *error,
                                   size_t error_n);
void hook_store_close(struct hook_store **s);

/* All rows by number; fn returns 0 to go on. 0, or -1. Spans are valid inside fn. */
int hook_store_each(struct hook_store *s, int (*fn)(void *ctx, const struct hook_row *r),
                    void *ctx);

/* The number of the next row. */
uint64_t hook_store_next(const struct hook_store *s);

/*
 * Between begin and commit, put and remove; 0, or -1 and hook_store_error: nothing of it has
 * happened, and no commit is due. put: r->seq is hook_store_next, which counts up.
 */
int hook_store_begin(struct hook_store *s);
int hook_store_put(struct hook_store *s, const struct hook_row *r);
int hook_store_remove(struct hook_store *s, uint64_t seq);
int hook_store_commit(struct hook_store *s);

/* The event of a row into out. 1; 0 there is no such row; -1. */
int hook_store_event(struct hook_store *s, uint64_t seq, char out[HOOK_EVENT_MAX], size_t *n_r);
/* Whether it failed in a way that LMDB does not get over: only who opens it anew can write again. */
int hook_store_is_broken(const struct hook_store *s);
const char *hook_store_error(const struct hook_store *s);

#endif
