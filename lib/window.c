/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * window: counts in rings of slots; the sum over a ring is what counts.
 *
 * Promises: constant size, no slot is ever taken off early, sums saturate and never
 * wrap. Must not: read a clock, allocate, or forget because a clock stepped.
 */
#include "window.h"

#include <stddef.h>
#include <string.h>

/* One of the two rings, so that both follow the same rules. */
struct ring {
    uint32_t *newest;
    uint32_t *counts[2];
    uint32_t slots, slot_s;
};

static struct ring
hour_of(struct window *w)
{
    return (struct ring){
        &w->hour_slot, {w->hour[0], w->hour[1]}, WINDOW_HOUR_SLOTS, WINDOW_HOUR_SLOT};
}

static struct ring
day_of(struct window *w)
{
    return (struct ring){&w->day_slot, {w->day[0], w->day[1]}, WINDOW_DAY_SLOTS, WINDOW_DAY_SLOT};
}

static uint32_t
slot_of(int64_t now, uint32_t slot_s)
{
    int64_t n = now > 0 ? now / slot_s : 0;

    return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

static uint32_t
sum32(uint32_t a, uint32_t b)
{
    return a > UINT32_MAX - b ? UINT32_MAX : a + b;
}

/* All of it into the slot of now: for a time that can't be right. */
static void
ring_gather(struct ring *r, uint32_t slot)
{
    for (int k = 0; k < 2; k++) {
        uint32_t sum = 0;

        for (uint32_t i = 0; i < r->slots; i++) {
            sum = sum32(sum, r->counts[k][i]);
            r->counts[k][i] = 0;
        }
        r->counts[k][slot % r->slots] = sum;
    }
    *r->newest = slot;
}

/* Bring a ring up to now: slots that are out of the window become empty. */
static void
ring_turn(struct ring *r, int64_t now)
{
    uint32_t slot = slot_of(now, r->slot_s), newest = *r->newest;

    if (slot < newest && newest - slot >= r->slots)
        ring_gather(r, slot);
    for (uint32_t i = 0; newest < slot && i < r->slots; i++, newest++)
        r->counts[0][(newest + 1) % r->slots] = r->counts[1][(newest + 1) % r->slots] = 0;
    if (slot > *r->newest)
        *r->newest = slot;
}

static void
window_turn(struct window *w, int64_t now)
{
    struct ring hour = hour_of(w), day = day_of(w);

    ring_turn(&hour, now);
    ring_turn(&day, now);
}

static uint64_t
total(const uint32_t *counts, uint32_t slots)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < slots; i++)
        sum += counts[i];
    return sum;
}

static void
sums_of(const struct window *w, uint64_t sums_r[WINDOW_WHAT_N])
{
    sums_r[WINDOW_MESSAGES_HOUR] = total(w->hour[0], WINDOW_HOUR_SLOTS);
    sums_r[WINDOW_RECIPIENTS_HOUR] = total(w->hour[1], WINDOW_HOUR_SLOTS);
    sums_r[WINDOW_MESSAGES_DAY] = total(w->day[0], WINDOW_DAY_SLOTS);
    sums_r[WINDOW_RECIPIENTS_DAY] = total(w->day[1], WINDOW_DAY_SLOTS);
}

void
window_sums(const struct window *w, int64_t now, uint64_t sums_r[WINDOW_WHAT_N])
{
    struct window copy = *w;

    window_turn(&copy, now);
    sums_of(&copy, sums_r);
}

/* Seconds until enough of the oldest slots have gone that more fits below most; -1 never. */
static int64_t
room_in(const struct ring *r, int k, int64_t now, uint64_t sum, uint32_t more, uint32_t most)
{
    uint32_t slot = *r->newest;

    if (more > most)
        return -1;
    for (uint32_t i = 1; i <= r->slots; i++) {
        sum -= r->counts[k][(slot + i) % r->slots];
        if (sum + more <= most) {
            int64_t at = ((int64_t)slot + i) * r->slot_s;
            return at > now ? at - now : 0;
        }
    }
    return -1;
}

int
window_over(const struct window *w, int64_t now, const struct window_limits *limits,
            uint32_t messages, uint32_t recipients, int64_t *wait_r)
{
    struct window copy = *w;
    struct ring hour = hour_of(&copy), day = day_of(&copy);
    uint64_t sums[WINDOW_WHAT_N];

    window_turn(&copy, now);
    sums_of(&copy, sums);
    for (int what = 0; what < WINDOW_WHAT_N; what++) {
        int k = what == WINDOW_RECIPIENTS_HOUR || what == WINDOW_RECIPIENTS_DAY;
        const struct ring *r = what <= WINDOW_RECIPIENTS_HOUR ? &hour : &day;
        uint32_t more = k ? recipients : messages;

        if (limits->most[what] == 0 || sums[what] + more <= limits->most[what])
            continue;
        if (wait_r)
            *wait_r = room_in(r, k, now, sums[what], more, limits->most[what]);
        return what;
    }
    return -1;
}

static void
ring_add(struct ring *r, uint32_t messages, uint32_t recipients)
{
    uint32_t i = *r->newest % r->slots;

    r->counts[0][i] = sum32(r->counts[0][i], messages);
    r->counts[1][i] = sum32(r->counts[1][i], recipients);
}

void
window_add(struct window *w, int64_t now, uint32_t messages, uint32_t recipients)
{
    struct ring hour = hour_of(w), day = day_of(w);

    window_turn(w, now);
    ring_add(&hour, messages, recipients);
    ring_add(&day, messages, recipients);
}

static void
ring_merge(struct ring *r, const struct ring *more)
{
    for (int k = 0; k < 2; k++)
        for (uint32_t i = 0; i < r->slots; i++)
            r->counts[k][i] = sum32(r->counts[k][i], more->counts[k][i]);
}

void
window_merge(struct window *w, int64_t now, const struct window *more)
{
    struct window copy = *more;
    struct ring a = hour_of(w), b = hour_of(&copy), c = day_of(w), d = day_of(&copy);
    int64_t then = (int64_t)(w->hour_slot > more->hour_slot ? w->hour_slot : more->hour_slot) *
                   WINDOW_HOUR_SLOT;

    now = now > then ? now : then;
    window_turn(w, now);
    window_turn(&copy, now);
    ring_merge(&a, &b);
    ring_merge(&c, &d);
}

int
window_idle(const struct window *w, int64_t now)
{
    uint64_t sums[WINDOW_WHAT_N];

    window_sums(w, now, sums);
    return sums[WINDOW_MESSAGES_DAY] == 0 && sums[WINDOW_RECIPIENTS_DAY] == 0;
}
