/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * freshness: may "not in the mirror" be said as a fact, in answer to a question that
 * was asked at a certain moment? Pure; time is an argument.
 */
#ifndef POSTROAD_FRESHNESS_H
#define POSTROAD_FRESHNESS_H

#include <stdint.h>

enum freshness_source { FRESHNESS_LDIF, FRESHNESS_SYNCREPL };

enum freshness_verdict {
    FRESH_NEVER,  /* the mirror was never filled: nothing can be said */
    FRESH_STALE,  /* what is missing may exist, and no proof will come in time */
    FRESH_WAIT,   /* the same for now, but the proof is under way: look again */
    FRESH_CURRENT /* what is missing did not exist at a moment after the question */
};

struct freshness {
    enum freshness_source source;
    int loaded;    /* 1: a load or refresh was completed once */
    int following; /* 1: syncrepl in its persist phase; LDIF: the mirror holds the file as it is */
    int unreachable;  /* providers known not to answer */
    int64_t proof_ms; /* the mirror held all that any provider knew at this moment; 0 never */
    int64_t asked_ms; /* when the question came */
};

/*
 * All times are of one monotonic clock, in ms. wait_ms: how long a question may wait for its
 * proof. A proof in the future (another boot's clock) counts as none. *why_r: a fixed text;
 * why_r may be NULL.
 */
enum freshness_verdict freshness_decide(const struct freshness *f, int64_t now_ms, int64_t wait_ms,
                                        const char **why_r);

#endif
