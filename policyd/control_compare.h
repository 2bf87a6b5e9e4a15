/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control_compare: asks the sites of compare.peers now and then for the digests of their
 * domains, and tells when they lastingly differ from ours though both are current.
 */
#ifndef POSTROAD_CONTROL_COMPARE_H
#define POSTROAD_CONTROL_COMPARE_H

#include "control.h"

/* NULL: nothing is to be compared, or no memory. c is borrowed. */
struct compare *compare_open(struct control *c);
/* At every beat. cmp may be NULL in all of these. */
void compare_tick(struct compare *cmp, const struct moment *now);
void compare_close(struct compare **cmp);

/*
 * For each site: {"site", "state": "equal", "differs" or "unknown", "why", "looked", "since",
 * "domains"}; looked: when it was last known, since: since when they differ, domains: some names.
 */
json_t *compare_json(const struct compare *cmp);

/* The i-th site, for /metrics: 1, or 0: there are no more. */
struct compare_figures {
    const char *site;
    unsigned differ;   /* domains */
    int64_t looked_ms; /* wall clock when it was last known; 0 never */
};
int compare_figures(const struct compare *cmp, size_t i, struct compare_figures *out);

#endif
