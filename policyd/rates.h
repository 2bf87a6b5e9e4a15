/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rates: how many lookups a second, out of a running total that is sampled once a
 * second. Pure; time is an argument.
 */
#ifndef POSTROAD_RATES_H
#define POSTROAD_RATES_H

#include <stdint.h>

#define RATES_WINDOW_S 60

struct rates {
    int64_t at_ms[RATES_WINDOW_S + 1]; /* when each sample was taken, monotonic */
    uint64_t total[RATES_WINDOW_S + 1];
    unsigned next, n;
    uint64_t raw, base; /* last raw value; what was counted before the counter began anew */
};

/* Take a sample unless the last one is less than a second old. A total that falls began anew. */
void rates_sample(struct rates *r, int64_t now_ms, uint64_t total);
/* Lookups a second over the last window_s seconds, or as long as there are samples; 0 without. */
double rates_per_s(const struct rates *r, int window_s);

#endif
