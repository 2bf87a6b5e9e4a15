/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * window: how many messages and recipients somebody has sent within the last hour and
 * the last day. Pure; time is an argument, in seconds since 1970.
 *
 * Windows slide by slots of 10 minutes and of 2 hours. What counts is at least all of
 * the last hour or day and at most one slot more: a limit is never exceeded in any
 * hour or day, and who has reached it waits at most one slot longer than he had to.
 */
#ifndef POSTROAD_WINDOW_H
#define POSTROAD_WINDOW_H

#include <stdint.h>

#define WINDOW_HOUR_SLOTS 7 /* six whole ones and the one under way */
#define WINDOW_DAY_SLOTS  13
#define WINDOW_HOUR_SLOT  600  /* seconds */
#define WINDOW_DAY_SLOT   7200 /* seconds */

enum window_what {
    WINDOW_MESSAGES_HOUR,
    WINDOW_RECIPIENTS_HOUR,
    WINDOW_MESSAGES_DAY,
    WINDOW_RECIPIENTS_DAY,
    WINDOW_WHAT_N
};

/* All zero: nothing was sent. Stored as it is, in the host's byte order. */
struct window {
    uint32_t hour_slot, day_slot; /* numbers of the newest slots, which are at [slot % SLOTS] */
    uint32_t hour[2][WINDOW_HOUR_SLOTS]; /* messages, recipients */
    uint32_t day[2][WINDOW_DAY_SLOTS];
};

/* 0: no limit. */
struct window_limits {
    uint32_t most[WINDOW_WHAT_N];
};

/* Of all four, what counts at now. */
void window_sums(const struct window *w, int64_t now, uint64_t sums_r[WINDOW_WHAT_N]);

/*
 * Whether so much more is within the limits at now: -1, else the first of enum window_what that it
 * would exceed, and in *wait_r (may be NULL) the seconds until there would be room if nothing more
 * is sent; -1 when it is more than the limit itself.
 */
int window_over(const struct window *w, int64_t now, const struct window_limits *limits,
                uint32_t messages, uint32_t recipients, int64_t *wait_r);

/*
 * Count it. A clock that went back by less than a day counts into the newest slot; by more, what is
 * there counts as sent now: nobody gains by a clock's step, and nothing stays for longer than a day.
 */
void window_add(struct window *w, int64_t now, uint32_t messages, uint32_t recipients);

/* Add what another one has counted, of the same sender in another process. */
void window_merge(struct window *w, int64_t now, const struct window *more);

/* 1 when nothing in it counts any more, so that it need not be kept. */
int window_idle(const struct window *w, int64_t now);

#endif
