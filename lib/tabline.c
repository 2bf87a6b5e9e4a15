/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tabline: reading and writing one line of the access protocol, see tabline.h.
 *
 * Promises: what tabline_add writes, tabline_parse reads back byte by byte, whatever
 * the value holds; nothing outside the n bytes is looked at, and no line is taken for
 * another one because a value has TABs or LFs in it. Must not know what words mean.
 */
#include "tabline.h"

#include <string.h>

#define ESCAPE '\001'

/* The bytes that are escaped, and what stands for them behind ESCAPE. */
static const struct {
    char byte, letter;
} escapes[] = {{'\0', '0'}, {ESCAPE, '1'}, {'\t', 't'}, {'\r', 'r'}, {'\n', 'n'}};

#define ESCAPES (sizeof escapes / sizeof *escapes)

/* --- reading --- */

static long
bad(struct tabline *l, const char *why)
{
    l->bad = why;
    return -1;
}

/* The byte that ESCAPE and letter stand for; -1: none. */
static int
unescaped(char letter)
{
    for (size_t i = 0; i < ESCAPES; i++)
        if (escapes[i].letter == letter)
            return (unsigned char)escapes[i].byte;
    return -1;
}

/* Resolve the escapes of n bytes at p, in place. The new length, or -1. */
static long
unescape(char *p, size_t n)
{
    char *found = memchr(p, ESCAPE, n);
    size_t out = found ? (size_t)(found - p) : n;

    for (size_t i = out; i < n; i++) {
        int byte = (unsigned char)p[i];

        if (p[i] == ESCAPE) {
            byte = i + 1 < n ? unescaped(p[i + 1]) : -1;
            i++;
        }
        if (byte < 0)
            return -1;
        p[out++] = (char)byte;
    }
    return (long)out;
}

static int
is_doubled(const struct tabline *l, struct span key)
{
    for (size_t i = 0; i < l->n; i++)
        if (span_same(l->field[i].key, key))
            return 1;
    return 0;
}

/* One field of n bytes at p. NULL, or what is wrong with it. */
static const char *
take_field(struct tabline *l, char *p, size_t n)
{
    char *eq = memchr(p, '=', n);
    struct span key = {p, eq ? (size_t)(eq - p) : 0};
    long value_n;

    if (key.n == 0)
        return "a field is not key=value";
    if (l->n == TABLINE_FIELDS)
        return "too many fields";
    if (memchr(key.p, ESCAPE, key.n) || is_doubled(l, key))
        return "a key stands there twice, or is none";
    value_n = unescape(eq + 1, n - key.n - 1);
    if (value_n < 0)
        return "an escape that is none";
    l->field[l->n].key = key;
    l->field[l->n++].value = (struct span){eq + 1, (size_t)value_n};
    return NULL;
}

/* Bytes until the next TAB, or the end. */
static size_t
until_tab(const char *p, size_t n)
{
    const char *tab = memchr(p, '\t', n);

    return tab ? (size_t)(tab - p) : n;
}

long
tabline_parse(char *p, size_t n, struct tabline *l)
{
    char *lf = memchr(p, '\n', n < TABLINE_MAX ? n : TABLINE_MAX);
    size_t whole = lf ? (size_t)(lf - p) : 0, at, part;
    const char *why;

    l->n = 0;
    l->bad = NULL;
    if (!lf)
        return n < TABLINE_MAX ? 0 : bad(l, "a line is longer than 8192 bytes");
    if (memchr(p, '\0', whole) || memchr(p, '\r', whole))
        return bad(l, "a line holds NUL or CR");
    part = until_tab(p, whole);
    l->word = (struct span){p, part};
    if (part == 0 || memchr(p, ESCAPE, part))
        return bad(l, "a line does not begin with a word");
    for (at = part; at < whole; at += part) {
        at++;
        part = until_tab(p + at, whole - at);
        why = take_field(l, p + at, part);
        if (why)
            return bad(l, why);
    }
    return (long)whole + 1;
}

int
tabline_get(const struct tabline *l, const char *key, struct span *value_r)
{
    struct span k = span_of(key);

    for (size_t i = 0; i < l->n; i++) {
        if (!span_same(l->field[i].key, k))
            continue;
        *value_r = l->field[i].value;
        return 1;
    }
    *value_r = (struct span){"", 0};
    return 0;
}

/* --- writing --- */

static void
put(struct tabline_out *o, const char *p, size_t n)
{
    if (o->full || n > o->cap - o->n) {
        o->full = 1;
        return;
    }
    if (n > 0)
        memcpy(o->buf + o->n, p, n);
    o->n += n;
}

void
tabline_begin(struct tabline_out *o, char *buf, size_t cap, const char *word)
{
    *o = (struct tabline_out){.buf = buf, .cap = cap < TABLINE_MAX ? cap : TABLINE_MAX};
    put(o, word, strlen(word));
}

static char
escaped(char byte)
{
    for (size_t i = 0; i < ESCAPES; i++)
        if (escapes[i].byte == byte)
            return escapes[i].letter;
    return '\0';
}

void
tabline_add(struct tabline_out *o, const char *key, struct span value)
{
    size_t from = 0;

    put(o, "\t", 1);
    put(o, key, strlen(key));
    put(o, "=", 1);
    for (size_t i = 0; i < value.n; i++) {
        char pair[2] = {ESCAPE, escaped(value.p[i])};

        if (!pair[1])
            continue;
        put(o, value.p + from, i - from);
        put(o, pair, sizeof pair);
        from = i + 1;
    }
    put(o, value.n > 0 ? value.p + from : "", value.n - from);
}

void
tabline_add_some(struct tabline_out *o, const char *key, struct span value)
{
    if (value.n > 0)
        tabline_add(o, key, value);
}

size_t
tabline_end(struct tabline_out *o)
{
    put(o, "\n", 1);
    return o->full ? 0 : o->n;
}
