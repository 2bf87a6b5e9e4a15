/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * freshness: may "not in the mirror" be said as a fact? Pure; time is an argument.
 */
#ifndef POSTROAD_FRESHNESS_H
#define POSTROAD_FRESHNESS_H

#include <stdint.h>

enum freshness_source { FRESHNESS_LDIF, FRESHNESS_SYNCREPL };

enum freshness_verdict {
    FRESH_NEVER,  /* the mirror was never filled: nothing can be said */
    FRESH_STALE,  /* filled, but what is missing may exist by now */
    FRESH_CURRENT /* what is missing does not exist */
};

struct freshness {
    enum freshness_source source;
    int loaded;           /* 1: a load or refresh was completed once */
    int connected;        /* 1: syncrepl in its persist phase, refresh complete */
    int64_t last_beat_ms; /* monotonic ms when the provider last answered; 0 never */
};

/*
 * now_ms: the same clock as last_beat_ms. max_silence_ms: how old the last answer
 * of the provider may be. An LDIF file is the truth: current once loaded. A beat
 * in the future (another boot's clock) counts as never.
 */
enum freshness_verdict freshness_decide(const struct freshness *f, int64_t now_ms,
                                        int64_t max_silence_ms, const char **why);

#endif
