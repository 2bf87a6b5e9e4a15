/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * limits: what somebody may send, as the directory says it (postroadLimit): "messages/hour 100".
 * Inherited: the nearest entry that names a limit decides it, 0 is without limit. With "total "
 * before it, on a department or domain, it holds for all below together. Pure.
 */
#ifndef POSTROAD_LIMITS_H
#define POSTROAD_LIMITS_H

#include <stdint.h>

#include "span.h"
#include "window.h"

enum limit_kind {
    /* the first WINDOW_WHAT_N are those of enum window_what */
    LIMIT_RECIPIENTS_MESSAGE = WINDOW_WHAT_N,
    LIMIT_SIZE, /* bytes of a message */
    LIMIT_KIND_N
};

struct limits {
    uint64_t most[LIMIT_KIND_N];
    unsigned set; /* bit of each kind that was named */
};

/* "total messages/day 5000": 1 and what it says, 0 when it is none. n <= UINT32_MAX but for size. */
int limit_parse(struct span text, enum limit_kind *kind_r, uint64_t *n_r, int *total_r);

/* Take it, unless something nearer has named that kind already. */
void limits_take(struct limits *l, enum limit_kind kind, uint64_t n);

/* Those that counters are for. */
struct window_limits limits_window(const struct limits *l);

/* "messages/hour" */
const char *limit_word(enum limit_kind kind);

#endif
