/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_clock: the time by which held messages expire, while the wall clock leaps.
 */
#include "policyd/held_clock.h"
#include "tap.h"

#define SECOND 1000LL
#define HOUR   (3600 * SECOND)
#define YEAR   (365 * 24 * HOUR)
#define T0     (50 * YEAR)

/* Tick each ten seconds for so long; the wall clock goes on from wall. */
static int64_t
run(struct held_clock *c, int64_t *wall, int64_t *mono, int64_t for_ms)
{
    int64_t at = c->at_ms;

    for (int64_t t = 0; t < for_ms; t += 10 * SECOND) {
        *wall += 10 * SECOND;
        *mono += 10 * SECOND;
        at = held_clock_tick(c, *wall, *mono);
    }
    return at;
}

static void
leaps(void)
{
    struct held_clock c;
    int64_t wall = T0, mono = 5 * SECOND;

    held_clock_start(&c, 0, wall, mono);
    ok(c.at_ms == T0, "the first time ever, the wall clock is believed");
    ok(run(&c, &wall, &mono, HOUR) == wall, "and goes on");
    wall += 100 * SECOND;
    ok(run(&c, &wall, &mono, 10 * SECOND) == wall, "a small step forward is followed");
    wall += YEAR;
    ok(run(&c, &wall, &mono, HOUR - 20 * SECOND) == wall - YEAR, "a leap of a year is not");
    wall -= YEAR;
    ok(run(&c, &wall, &mono, 10 * SECOND) == wall, "and costs nothing when it is put right");
    wall += YEAR;
    ok(run(&c, &wall, &mono, HOUR) < wall - YEAR / 2, "the hour begins anew");
    ok(run(&c, &wall, &mono, 20 * SECOND) == wall, "after it the clock is believed");
    wall -= 10 * YEAR;
    ok(run(&c, &wall, &mono, 10 * SECOND) == wall, "set back, it is believed at once");
    wall += 10 * YEAR;
    run(&c, &wall, &mono, HOUR / 2);
    wall += YEAR;
    ok(run(&c, &wall, &mono, HOUR / 2 + 60 * SECOND) < wall - YEAR, "another leap, another hour");
}

static void
restarts(void)
{
    struct held_clock c;
    int64_t wall = T0, mono = 5 * SECOND;

    held_clock_start(&c, wall - 40 * SECOND, wall, mono);
    ok(c.at_ms == T0, "a process that follows another at once believes the clock");
    held_clock_start(&c, wall - 24 * HOUR, wall, mono);
    ok(c.at_ms == T0 - 24 * HOUR, "after a day off it goes on where it was");
    ok(run(&c, &wall, &mono, HOUR + 10 * SECOND) == wall, "for an hour");
    held_clock_start(&c, wall + YEAR, wall, mono);
    ok(c.at_ms == wall, "a stored time from the future is no reason for anything");
}

int
main(void)
{
    leaps();
    restarts();
    return tap_done();
}
