/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * queue_figures: see queue_figures.h.
 *
 * Promises: what is read belongs to one look, and says when that was. Must not say 0 of a queue that
 * was not looked into.
 */
#include "queue_figures.h"

#include <string.h>

static const char *const words[QUEUE_NAMES] = {"maildrop", "incoming", "active",
                                               "deferred", "hold",     "other"};

_Static_assert(BOARD_QUEUE_NAMES + QUEUE_NAMES * BOARD_QUEUE_WORDS <= BOARD_WORDS,
               "a row for each queue");

const char *
queue_name_word(enum queue_name name)
{
    return words[(unsigned)name < QUEUE_NAMES ? name : QUEUE_OTHER];
}

enum queue_name
queue_name_of(const char *word)
{
    int i = 0;

    while (i < QUEUE_OTHER && strcmp(words[i], word) != 0)
        i++;
    return (enum queue_name)i;
}

void
queue_figures_count(struct queue_figures *f, enum queue_name name, int64_t arrival_s,
                    uint64_t bytes)
{
    struct queue_figure *q = &f->of[name];

    if (q->messages == 0 || arrival_s < q->oldest_s)
        q->oldest_s = arrival_s;
    q->messages++;
    q->bytes += bytes;
}

static int
word_of(int name, enum board_queue what)
{
    return BOARD_QUEUE_NAMES + BOARD_QUEUE_WORDS * name + (int)what;
}

void
queue_figures_publish(struct board *b, const struct queue_figures *f)
{
    board_set(b, BOARD_QUEUE_TOOK_MS, UINT64_MAX); /* being written */
    atomic_thread_fence(memory_order_seq_cst);
    for (int i = 0; i < QUEUE_NAMES; i++) {
        board_set(b, word_of(i, QUEUE_MESSAGES), f->of[i].messages);
        board_set(b, word_of(i, QUEUE_BYTES), f->of[i].bytes);
        board_set(b, word_of(i, QUEUE_OLDEST_S), (uint64_t)f->of[i].oldest_s);
    }
    board_set(b, BOARD_QUEUE_LOOKED_MS, (uint64_t)f->looked_ms);
    board_publish(b, BOARD_QUEUE_TOOK_MS, (uint64_t)f->took_ms);
}

static void
copy(const struct board *b, struct queue_figures *f)
{
    f->looked_ms = (int64_t)board_get(b, BOARD_QUEUE, BOARD_QUEUE_LOOKED_MS);
    for (int i = 0; i < QUEUE_NAMES; i++)
        f->of[i] =
            (struct queue_figure){board_get(b, BOARD_QUEUE, word_of(i, QUEUE_MESSAGES)),
                                  board_get(b, BOARD_QUEUE, word_of(i, QUEUE_BYTES)),
                                  (int64_t)board_get(b, BOARD_QUEUE, word_of(i, QUEUE_OLDEST_S))};
}

int
queue_figures_read(const struct board *b, struct queue_figures *f)
{
    for (int attempt = 0; attempt < 100; attempt++) {
        uint64_t took = board_observe(b, BOARD_QUEUE, BOARD_QUEUE_TOOK_MS);
        int64_t looked = (int64_t)board_observe(b, BOARD_QUEUE, BOARD_QUEUE_LOOKED_MS);

        copy(b, f);
        atomic_thread_fence(memory_order_seq_cst);
        if (took == UINT64_MAX || took != board_observe(b, BOARD_QUEUE, BOARD_QUEUE_TOOK_MS) ||
            looked != (int64_t)board_observe(b, BOARD_QUEUE, BOARD_QUEUE_LOOKED_MS))
            continue;
        f->took_ms = (int64_t)took;
        return looked > 0;
    }
    return -1;
}
