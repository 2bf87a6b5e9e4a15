/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_index: the held messages of this site in memory, in the order of their IDs, which is that of
 * time: what held_step has to know of each; all else stays on disk. About 170 bytes a message.
 */
#ifndef POSTROAD_HELD_INDEX_H
#define POSTROAD_HELD_INDEX_H

#include <stddef.h>

#include "held_step.h"

#define HELD_INDEX_MAX 262144 /* more are left on disk until there is room */

struct held_item {
    int64_t time_ms, expires_ms, decided_ms;
    int64_t due_ms;      /* monotonic: nothing is done before */
    int64_t look_ms;     /* monotonic: Postfix is asked for it again then */
    int64_t heard_ms;    /* monotonic: a verdict was seen that could not be taken; 0 never */
    int64_t first_ms;    /* monotonic: since when it is seen */
    int64_t later_ms[2]; /* monotonic: its sender is not told before that it is held; of its end */
    int64_t target_ms; /* monotonic: the mirror of then is to say whether that is right; 0 it is */
    uint64_t target_sum;            /* of the target its entry had then */
    unsigned pass;                  /* of the scan that saw its file last */
    unsigned char state, on_expire; /* the enums */
    unsigned char seen, audited, done, published, shown, noticed, end_noticed; /* as on disk */
    unsigned char gathered, end_gathered; /* see held_limit.h */
    unsigned char queue;                  /* enum held_queue */
    unsigned char listed;                 /* the directory was found to have it */
    unsigned char late;                   /* a verdict that came too late is recorded */
    unsigned char doubtful; /* its verdict may be in the audit log though it is not known to be */
    unsigned char busy;     /* an answer is waited for */
    unsigned char tries;    /* that failed in a row */
    signed char notify;     /* see held_facts; -1: not looked at yet */
    char id[];
};

struct held_index {
    struct held_item **at;
    size_t n, cap;
};

/* NULL: no memory, or there are too many. One that is there already is returned as it is. */
struct held_item *held_index_add(struct held_index *x, const char *id);
struct held_item *held_index_find(const struct held_index *x, const char *id);
/* Whom asked means: the whole ID, or an end of exactly one; *many_r: how many. */
struct held_item *held_index_meant(const struct held_index *x, struct span asked, size_t *many_r);
/* The place of the first one behind id, whether or not that is there. */
size_t held_index_after(const struct held_index *x, const char *id);
void held_index_remove(struct held_index *x, struct held_item *item);
void held_index_free(struct held_index *x);

/* From the record on disk to the item. */
void held_item_take(struct held_item *item, const struct held_record *r);

#endif
