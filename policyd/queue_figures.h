/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * queue_figures: how much is in each of Postfix's queues, by role queue's page of the board.
 */
#ifndef POSTROAD_QUEUE_FIGURES_H
#define POSTROAD_QUEUE_FIGURES_H

#include "board.h"

enum queue_name {
    QUEUE_MAILDROP,
    QUEUE_INCOMING,
    QUEUE_ACTIVE,
    QUEUE_DEFERRED,
    QUEUE_HOLD,
    QUEUE_OTHER, /* a name that Postfix does not have yet */
    QUEUE_NAMES
};

struct queue_figure {
    uint64_t messages, bytes;
    int64_t oldest_s; /* wall clock; 0: there is none */
};

struct queue_figures {
    int64_t looked_ms, took_ms; /* wall clock */
    struct queue_figure of[QUEUE_NAMES];
};

/* "maildrop" … "hold", "other" */
const char *queue_name_word(enum queue_name name);
enum queue_name queue_name_of(const char *word);

void queue_figures_count(struct queue_figures *f, enum queue_name name, int64_t arrival_s,
                         uint64_t bytes);
/* By role queue, on its page. */
void queue_figures_publish(struct board *b, const struct queue_figures *f);
/* 1 with the newest figures, however old; 0 it never looked; -1 they are just being written. */
int queue_figures_read(const struct board *b, struct queue_figures *f);

#endif
