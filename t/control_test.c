/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control_test: the parts of role control that decide something by themselves:
 * rates out of samples, and who counts as alive. What goes over sockets is in
 * t/control.t.
 */
#include <stdlib.h>

#include "policyd/rates.h"
#include "policyd/vitals.h"
#include "tap.h"

static void
test_rates(void)
{
    struct rates r = {.n = 0};

    ok(rates_per_s(&r, 10) == 0, "no sample, no rate");
    rates_sample(&r, 1000, 500);
    ok(rates_per_s(&r, 10) == 0, "one sample, no rate");
    rates_sample(&r, 1500, 600);
    is_int((long long)r.n, 1, "half a second later is too early for a sample");
    rates_sample(&r, 2000, 600);
    ok(rates_per_s(&r, 10) == 100, "100 in one second, averaged over what there is");
    for (int s = 3; s <= 100; s++)
        rates_sample(&r, s * 1000, 600 + (uint64_t)(s - 2) * 10);
    ok(rates_per_s(&r, 10) == 10, "10 a second over ten seconds");
    ok(rates_per_s(&r, 60) == 10, "and over sixty, the ring has turned");
}

static void
test_rates_restart(void)
{
    struct rates r = {.n = 0};

    rates_sample(&r, 1000, 1000000);
    rates_sample(&r, 2000, 50);
    ok(rates_per_s(&r, 10) == 50, "a counter that begins anew counts from zero");
    rates_sample(&r, 3000, 100);
    ok(rates_per_s(&r, 10) == 50, "and goes on from there");
}

static void
set(struct board *b, int role, int word, uint64_t v)
{
    atomic_store(&b->page[role]->word[word], v);
}

static void
beat(struct board *b, int role, int64_t ms)
{
    set(b, role, BOARD_PID, 4711);
    set(b, role, BOARD_BEAT_MS, (uint64_t)ms);
}

static void
test_vitals(void)
{
    struct board b = {.own = NULL};
    struct moment now = {100000, 1700000000000};
    char why[256] = "";

    for (int i = 0; i < BOARD_ROLES; i++)
        b.page[i] = calloc(1, sizeof *b.page[i]);
    ok(!vitals_alive(&b, 2, 0, 0, &now, why, sizeof why), "nobody lives");
    is_str(why, "role parent gives no sign of life", "and the first one is named");
    beat(&b, BOARD_PARENT, 99500);
    beat(&b, BOARD_SYNC, 99900);
    beat(&b, BOARD_CONTROL, 100000);
    beat(&b, BOARD_ANSWER, 99999);
    ok(!vitals_alive(&b, 2, 0, 0, &now, why, sizeof why), "one worker of two is not enough");
    is_str(why, "1 of 2 answer workers give a sign of life", "and that is said");
    ok(vitals_ready(&b, 1, &now, why, sizeof why), "but enough to be ready");
    beat(&b, BOARD_ANSWER + 5, 99999);
    ok(vitals_alive(&b, 2, 0, 0, &now, why, sizeof why),
       "all beat: alive, wherever their pages are");
    ok(!vitals_alive(&b, 2, 1, 0, &now, why, sizeof why), "but for policy, where it is wanted");
    is_str(why, "role policy gives no sign of life", "and that is said");
    beat(&b, BOARD_POLICY, 100000);
    ok(vitals_alive(&b, 2, 1, 0, &now, why, sizeof why), "policy beats too");
    ok(!vitals_alive(&b, 2, 1, 1, &now, why, sizeof why), "nor without access, where it is wanted");
    beat(&b, BOARD_ACCESS, 99999);
    ok(vitals_alive(&b, 2, 1, 1, &now, why, sizeof why), "all of them");
    ok(!vitals_ready(&b, 0, &now, why, sizeof why), "an empty mirror is not ready");
    now.mono_ms += VITALS_SILENCE_MS;
    ok(!vitals_ready(&b, 1, &now, why, sizeof why), "old beats are no beats");
    is_int(vitals_beat_age(&b, BOARD_SYNC, &now), VITALS_SILENCE_MS + 100, "age of a beat");
    is_int(vitals_beat_age(&b, BOARD_PROBE, &now), -1, "a role that never beat");
    set(&b, BOARD_ANSWER + 5, BOARD_LOOKUPS, 40);
    set(&b, BOARD_ANSWER, BOARD_LOOKUPS, 2);
    set(&b, BOARD_SYNC, BOARD_LOOKUPS, 1000);
    is_int((long long)vitals_sum(&b, BOARD_LOOKUPS), 42, "sums are over the workers only");
    for (int i = 0; i < BOARD_ROLES; i++)
        free(b.page[i]);
}

int
main(void)
{
    test_rates();
    test_rates_restart();
    test_vitals();
    return tap_done();
}
