/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_clock: the time by which held messages expire: the wall clock, but for its leaps.
 *
 * Set back, it is believed at once: all expires later. Set forward by more than HELD_LEAP_MS, it is
 * believed only after HELD_SETTLE_MS in which it kept that lead: a clock that is put right within that
 * time has made nothing expire, and no message expires the moment a machine comes up again that had
 * been off; until then time goes on as the monotonic clock does. Pure; milliseconds.
 */
#ifndef POSTROAD_HELD_CLOCK_H
#define POSTROAD_HELD_CLOCK_H

#include <stdint.h>

#define HELD_LEAP_MS   120000
#define HELD_SETTLE_MS 3600000

struct held_clock {
    int64_t at_ms;       /* the time */
    int64_t mono_ms;     /* when that was */
    int64_t ahead_since; /* monotonic: since when the wall clock leads; -1: it doesn't */
    int64_t lead;        /* wall - monotonic then */
};

/* stored_ms: what at_ms was when it was stored last, before this process began; 0: never. */
void held_clock_start(struct held_clock *c, int64_t stored_ms, int64_t wall_ms, int64_t mono_ms);
/* The time now. */
int64_t held_clock_tick(struct held_clock *c, int64_t wall_ms, int64_t mono_ms);

#endif
