/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tabline: one line of the access protocol, postroad-access(5): a word, then key=value
 * fields, with TABs between them, LF behind. In words and values the bytes 0, 1, TAB, CR
 * and LF stand as \001 followed by 0, 1, t, r, n, as Dovecot's str_tabescape() writes
 * them. Pure.
 */
#ifndef POSTROAD_TABLINE_H
#define POSTROAD_TABLINE_H

#include <stddef.h>

#include "span.h"

#define TABLINE_MAX    8192 /* bytes of a line with its LF */
#define TABLINE_FIELDS 32

struct tabline {
    struct span word;
    size_t n;
    struct {
        struct span key, value;
    } field[TABLINE_FIELDS];
    const char *bad; /* upon -1: what is wrong, fixed text */
};

/*
 * Read the first line of n bytes at p, which it changes: escapes are resolved in place. Spans in *l
 * point there. >0: bytes used; 0: more are needed; -1: no line of the protocol (longer than
 * TABLINE_MAX, a field without key or "=", a key twice, too many of them, an escape that is none).
 */
long tabline_parse(char *p, size_t n, struct tabline *l);

/* The value of a key: 1, or 0 and an empty span. */
int tabline_get(const struct tabline *l, const char *key, struct span *value_r);

/* Writing: into buf, of which cap bytes are used at most. */
struct tabline_out {
    char *buf;
    size_t cap, n;
    int full; /* something did not fit */
};
void tabline_begin(struct tabline_out *o, char *buf, size_t cap, const char *word);
void tabline_add(struct tabline_out *o, const char *key, struct span value);
/* Nothing is added for an empty value. */
void tabline_add_some(struct tabline_out *o, const char *key, struct span value);
/* Add the LF: the line's length, or 0: it did not fit, in cap or in TABLINE_MAX. */
size_t tabline_end(struct tabline_out *o);

#endif
