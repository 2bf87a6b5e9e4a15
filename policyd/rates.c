/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rates: a ring of one sample a second, see rates.h.
 *
 * Promises: constant memory; a restarted worker whose counter begins at zero never
 * shows as a negative or as an absurd rate. Must not read a clock.
 */
#include "rates.h"

#define RATES_N (RATES_WINDOW_S + 1)

void
rates_sample(struct rates *r, int64_t now_ms, uint64_t total)
{
    unsigned last = (r->next + RATES_N - 1) % RATES_N;

    if (r->n > 0 && now_ms - r->at_ms[last] < 1000)
        return;
    if (total < r->raw)
        r->base += r->raw;
    r->raw = total;
    r->at_ms[r->next] = now_ms;
    r->total[r->next] = r->base + total;
    r->next = (r->next + 1) % RATES_N;
    if (r->n < RATES_N)
        r->n++;
}

double
rates_per_s(const struct rates *r, int window_s)
{
    unsigned last, first, back = (unsigned)window_s;

    if (r->n < 2)
        return 0;
    if (back > r->n - 1)
        back = r->n - 1;
    last = (r->next + RATES_N - 1) % RATES_N;
    first = (last + RATES_N - back) % RATES_N;
    return (double)(r->total[last] - r->total[first]) * 1000.0 /
           (double)(r->at_ms[last] - r->at_ms[first]);
}
