/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_clock: see held_clock.h.
 *
 * Promises: between two ticks it never goes ahead by more than HELD_LEAP_MS beyond the monotonic
 * clock, unless the wall clock said so for HELD_SETTLE_MS.
 */
#include "held_clock.h"

void
held_clock_start(struct held_clock *c, int64_t stored_ms, int64_t wall_ms, int64_t mono_ms)
{
    c->at_ms = stored_ms > 0 ? stored_ms : wall_ms;
    c->mono_ms = mono_ms;
    c->ahead_since = -1;
    c->lead = 0;
    held_clock_tick(c, wall_ms, mono_ms);
}

static int
same_lead(const struct held_clock *c, int64_t lead)
{
    int64_t d = lead - c->lead;

    return d <= HELD_LEAP_MS && d >= -HELD_LEAP_MS;
}

int64_t
held_clock_tick(struct held_clock *c, int64_t wall_ms, int64_t mono_ms)
{
    int64_t expected = c->at_ms + (mono_ms - c->mono_ms), lead = wall_ms - mono_ms;

    c->mono_ms = mono_ms;
    if (wall_ms <= expected + HELD_LEAP_MS) {
        c->ahead_since = -1;
        c->at_ms = wall_ms;
        return c->at_ms;
    }
    if (c->ahead_since < 0 || !same_lead(c, lead)) {
        c->ahead_since = mono_ms;
        c->lead = lead;
    }
    c->at_ms = mono_ms - c->ahead_since >= HELD_SETTLE_MS ? wall_ms : expected;
    return c->at_ms;
}
