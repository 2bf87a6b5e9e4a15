/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * queue_line: what postqueue -j tells of one message, taken out of its JSON as it comes, however many
 * recipients the message has. Takes bytes, never reads.
 */
#ifndef POSTROAD_QUEUE_LINE_H
#define POSTROAD_QUEUE_LINE_H

#include <stddef.h>
#include <stdint.h>

#define QUEUE_ID_MAX     30  /* bytes of a queue id */
#define QUEUE_NAME_MAX   15  /* "deferred" */
#define QUEUE_SENDER_MAX 511 /* a longer sender loses its end */

struct queue_entry {
    char queue[QUEUE_NAME_MAX + 1], id[QUEUE_ID_MAX + 1], sender[QUEUE_SENDER_MAX + 1];
    int64_t arrival_s; /* since 1970 */
    uint64_t bytes;
};

/* Private. */
struct queue_line {
    struct queue_entry entry;
    unsigned state, depth, have;
    int escape, digits;
    uint32_t code, high; /* of \uXXXX */
    char key[24], value[QUEUE_SENDER_MAX + 1];
    size_t key_n, value_n;
};

void queue_line_begin(struct queue_line *l);
/*
 * Take the first of n > 0 bytes: how many were taken, and *whole_r is 1 when l->entry is a message told
 * to its end. -1: that is nothing postqueue would write; begin anew.
 */
long queue_line_take(struct queue_line *l, const char *p, size_t n, int *whole_r);
/* Whether the text may end here: between two messages. */
int queue_line_between(const struct queue_line *l);

/* Whether these n bytes are one message's queue id; "ALL" is none, which postsuper takes for every message. */
int queue_id_is(const char *id, size_t n);

#endif
