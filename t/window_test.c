/* SPDX-License-Identifier: BSD-2-Clause */
/* window: against a list of all that was sent, over random times; slots' edges; clocks that step. */
#include "window.h"
#include "t/tap.h"

#include <stdlib.h>

#define T0 1800000000

struct sent {
    int64_t at;
    uint32_t messages, recipients;
};

/* What the list says of the span (now - length, now]. */
static void
truth(const struct sent *s, size_t n, int64_t now, int64_t length, uint64_t *messages_r,
      uint64_t *recipients_r)
{
    *messages_r = *recipients_r = 0;
    for (size_t i = 0; i < n; i++)
        if (s[i].at > now - length && s[i].at <= now) {
            *messages_r += s[i].messages;
            *recipients_r += s[i].recipients;
        }
}

static unsigned seed = 20;

static unsigned
draw(unsigned below)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 8) % below;
}

/* Never less than the exact window, never more than the window and a slot. */
static void
test_bounds(void)
{
    static struct sent s[6000];
    struct window w = {0};
    int64_t now = T0;
    int bad = 0;

    for (size_t n = 0; n < 6000;) {
        uint64_t sums[WINDOW_WHAT_N], m, r;
        static const int64_t length[2] = {3600, 86400},
                             slot[2] = {WINDOW_HOUR_SLOT, WINDOW_DAY_SLOT};

        now += draw(8) == 0 ? draw(20000) : draw(60);
        s[n] = (struct sent){now, 1, draw(50)};
        window_add(&w, now, 1, s[n].recipients);
        n++;
        now += draw(700);
        window_sums(&w, now, sums);
        for (int k = 0; k < 2; k++) {
            truth(s, n, now, length[k], &m, &r);
            bad += sums[2 * k] < m || sums[2 * k + 1] < r;
            truth(s, n, now, length[k] + slot[k], &m, &r);
            bad += sums[2 * k] > m || sums[2 * k + 1] > r;
        }
    }
    is_int(bad, 0, "at least the exact window, at most one slot more, 6,000 times");
}

/* Whoever obeys never exceeds a limit in any hour; and the time he is told to wait is enough. */
static void
test_obeyed(void)
{
    static struct sent s[20000];
    const struct window_limits limits = {{40, 200, 300, 1500}};
    struct window w = {0};
    int64_t now = T0 + 77, wait;
    size_t n = 0;
    int over[WINDOW_WHAT_N] = {0}, bad = 0, early = 0;

    for (int i = 0; i < 20000; i++) {
        uint32_t recipients = 1 + draw(draw(20) == 0 ? 120 : 6);
        int what = window_over(&w, now, &limits, 1, recipients, &wait);
        uint64_t m, r;

        if (what < 0) {
            window_add(&w, now, 1, recipients);
            s[n++] = (struct sent){now, 1, recipients};
            truth(s, n, now, 3600, &m, &r);
            bad += m > 40 || r > 200;
            truth(s, n, now, 86400, &m, &r);
            bad += m > 300 || r > 1500;
            now += draw(90);
            continue;
        }
        over[what]++;
        early += wait <= 0 ||
                 window_over(&w, now + wait - 1, &limits, 1, recipients, NULL) != what ||
                 window_over(&w, now + wait, &limits, 1, recipients, NULL) == what;
        now += wait;
    }
    is_int(bad, 0, "no limit exceeded in any hour or day");
    is_int(early, 0, "there is room after the wait, and not a second earlier");
    ok(over[0] > 5 && over[1] > 5 && over[2] > 0 && over[3] > 5, "each limit was met: %d %d %d %d",
       over[0], over[1], over[2], over[3]);
}

static void
test_edges(void)
{
    const struct window_limits limits = {{2, 0, 0, 10}}, none = {{0}};
    struct window w = {0};
    uint64_t sums[WINDOW_WHAT_N];
    int64_t wait = 7, start = T0 / WINDOW_DAY_SLOT * WINDOW_DAY_SLOT;

    is_int(window_idle(&w, T0), 1, "all zero is idle");
    is_int(window_over(&w, start, &limits, 1, 11, &wait), WINDOW_RECIPIENTS_DAY,
           "more than the limit itself");
    is_int((int)wait, -1, "never fits");
    window_add(&w, start, 2, 2);
    is_int(window_over(&w, start, &limits, 0, 8, &wait), -1, "exactly up to a limit");
    is_int(window_over(&w, start, &limits, 1, 1, &wait), WINDOW_MESSAGES_HOUR, "one too many");
    is_int((int)wait, 7 * WINDOW_HOUR_SLOT, "which waits for the hour and its slot");
    is_int(window_over(&w, start, &none, UINT32_MAX, UINT32_MAX, &wait), -1, "no limits, no end");
    window_sums(&w, start + 7 * WINDOW_HOUR_SLOT - 1, sums);
    is_int((int)sums[WINDOW_MESSAGES_HOUR], 2, "in the hour's last second");
    window_sums(&w, start + 7 * WINDOW_HOUR_SLOT, sums);
    is_int((int)sums[WINDOW_MESSAGES_HOUR], 0, "and gone after it");
    is_int((int)sums[WINDOW_MESSAGES_DAY], 2, "not from the day");
    is_int(window_idle(&w, start + 13 * WINDOW_DAY_SLOT - 1), 0, "the day's last second");
    is_int(window_idle(&w, start + 13 * WINDOW_DAY_SLOT), 1, "and after it");
    window_add(&w, start, UINT32_MAX, UINT32_MAX);
    window_add(&w, start, UINT32_MAX, UINT32_MAX);
    is_int(window_over(&w, start, &limits, 1, 1, NULL), WINDOW_MESSAGES_HOUR,
           "counts saturate and don't wrap");
}

static void
test_clock_steps(void)
{
    const struct window_limits limits = {{3, 0, 3, 0}};
    struct window w = {0};

    window_add(&w, T0, 3, 3);
    is_int(window_over(&w, T0 - 3600, &limits, 1, 1, NULL), WINDOW_MESSAGES_HOUR,
           "an hour back: still full");
    window_add(&w, T0 - 3600, 1, 1);
    is_int(window_over(&w, T0, &limits, 1, 1, NULL), WINDOW_MESSAGES_HOUR, "and when it is back");

    w = (struct window){0};
    window_add(&w, T0 + 400 * 86400, 3, 3); /* a clock that was a year ahead */
    is_int(window_over(&w, T0, &limits, 1, 1, NULL), WINDOW_MESSAGES_HOUR,
           "put right: it counts as sent now");
    window_add(&w, T0, 0, 0);
    is_int(window_over(&w, T0 + 86400 + WINDOW_DAY_SLOT, &limits, 1, 1, NULL), -1,
           "and a day later no more");
    w = (struct window){0};
    window_add(&w, -5, 1, 1);
    window_add(&w, INT64_MAX, 1, 1);
    is_int(window_over(&w, 0, &limits, 3, 3, NULL), WINDOW_MESSAGES_HOUR,
           "times that are none do no harm");
}

int
main(void)
{
    ok(sizeof(struct window) <= 168, "%zu bytes", sizeof(struct window));
    test_bounds();
    test_obeyed();
    test_edges();
    test_clock_steps();
    return tap_done();
}
