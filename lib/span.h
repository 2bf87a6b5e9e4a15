/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * span: bytes somebody else owns. Not NUL-terminated; p may be NULL when n is 0.
 * A span is valid as long as what it points into; every function that hands one
 * out says how long that is.
 */
#ifndef POSTROAD_SPAN_H
#define POSTROAD_SPAN_H

#include <stddef.h>
#include <string.h>

struct span {
    const char *p;
    size_t n;
};

/* A span over a string literal or another NUL-terminated string. */
static inline struct span
span_of(const char *s)
{
    struct span r = {s, s ? strlen(s) : 0};
    return r;
}

/* 1 when both hold the same bytes, else 0. */
static inline int
span_same(struct span a, struct span b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Copied with a NUL, as far as there is room: cap > 0. How many bytes it was. */
static inline size_t
span_keep(char *out, size_t cap, struct span s)
{
    size_t n = s.n < cap ? s.n : cap - 1;

    if (n > 0)
        memcpy(out, s.p, n);
    out[n] = '\0';
    return n;
}

#endif
