/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_limit: how many notices a sender of held mail gets. The first of an hour singly; what comes beyond is
 * gathered, and told in one: the first time after HELD_LIMIT_GATHER_MS, after that when the hour is over.
 * So whoever sends a thousand messages hears of all of them, in a handful of notices.
 *
 * Pure but for its memory, which is bounded; time is an argument, in ms.
 */
#ifndef POSTROAD_HELD_LIMIT_H
#define POSTROAD_HELD_LIMIT_H

#include <stdint.h>

#include "span.h"

#define HELD_LIMIT_SENDERS   1024
#define HELD_LIMIT_HOUR_MS   3600000
#define HELD_LIMIT_GATHER_MS 300000

struct held_limit;

enum held_say {
    HELD_SAY_ONE,   /* tell of this message */
    HELD_SAY_SUM,   /* tell of *more_r messages, of which this is one */
    HELD_SAY_SAID,  /* a notice about several has told of it */
    HELD_SAY_LATER, /* ask again at *due_r */
};

/* most: notices of each kind that one sender gets singly in an hour. NULL: no memory. */
struct held_limit *held_limit_new(unsigned most);
void held_limit_free(struct held_limit **l);

/*
 * May the sender be told of this message now, that it is held, or (end) what became of it? *gathered is kept
 * for the message between two questions, 0 at first.
 */
enum held_say held_limit_ask(struct held_limit *l, struct span sender, int end,
                             unsigned char *gathered, int64_t now_ms, unsigned *more_r,
                             int64_t *due_r);
/* The notice was not taken, and is asked for again: more as it was, 0 for one message. */
void held_limit_unsaid(struct held_limit *l, struct span sender, int end, unsigned more,
                       unsigned char *gathered, int64_t now_ms);
/* One was sent then, by a process before this one. */
void held_limit_seen(struct held_limit *l, struct span sender, int end, int64_t when_ms,
                     int64_t now_ms);

#endif
