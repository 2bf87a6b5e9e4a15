/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filter: search filters read and evaluated in one walk over their text.
 *
 * Promises: what is checked is what is evaluated, since both are the same code;
 * nesting is bounded. Blanks between the parts are allowed, as in other LDAP
 * tools, so that a long filter can stand on several lines. Must not: guess. What
 * needs a schema (approximate, ordered and extensible matches) is refused.
 */
#include "filter.h"

struct walk {
    const char *text;
    size_t at;
    const struct entry_view *e; /* NULL: only check */
    int depth;
};

static int filter_walk(struct walk *w);

static unsigned char
lower(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

/* Whether an attribute's name, its options aside, is the bare one. */
static int
is_named(struct span name, struct span bare_name)
{
    if (name.n < bare_name.n || (name.n > bare_name.n && name.p[bare_name.n] != ';'))
        return 0;
    for (size_t i = 0; i < bare_name.n; i++)
        if (lower((unsigned char)name.p[i]) != lower((unsigned char)bare_name.p[i]))
            return 0;
    return 1;
}

/* The name without options. */
static struct span
bare(struct span name)
{
    const char *semi = name.n > 0 ? memchr(name.p, ';', name.n) : NULL;

    return semi != NULL ? (struct span){name.p, (size_t)(semi - name.p)} : name;
}

const struct entry_attr *
entry_attr(const struct entry_view *e, struct span name)
{
    name = bare(name);
    for (size_t i = 0; i < e->n; i++)
        if (is_named(e->attrs[i].name, name))
            return &e->attrs[i];
    return NULL;
}

static int
hex_value(char c)
{
    unsigned char l = lower((unsigned char)c);

    if (l >= '0' && l <= '9')
        return l - '0';
    return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

/* One byte of a checked assertion value, escapes resolved; *at moves on. */
static unsigned char
value_byte(struct span s, size_t *at)
{
    unsigned char c = (unsigned char)s.p[(*at)++];

    if (c == '\\') {
        c = (unsigned char)(hex_value(s.p[*at]) << 4 | hex_value(s.p[*at + 1]));
        *at += 2;
    }
    return lower(c);
}

/* How many bytes of v from off on piece takes, or -1 when it does not stand there. */
static long
piece_at(struct span piece, struct span v, size_t off)
{
    size_t at = 0, i = off;

    for (; at < piece.n; i++)
        if (i >= v.n || value_byte(piece, &at) != lower((unsigned char)v.p[i]))
            return -1;
    return (long)(i - off);
}

static size_t
piece_bytes(struct span piece)
{
    size_t n = 0;

    for (size_t at = 0; at < piece.n; n++)
        value_byte(piece, &at);
    return n;
}

/* The piece of pattern before the next '*', which is stepped over; *last: there was none. */
static struct span
next_piece(struct span *pattern, int *last)
{
    const char *star = pattern->n > 0 ? memchr(pattern->p, '*', pattern->n) : NULL;
    struct span piece = *pattern;

    *last = star == NULL;
    if (star != NULL) {
        piece.n = (size_t)(star - pattern->p);
        pattern->p = star + 1;
        pattern->n -= piece.n + 1;
    }
    return piece;
}

/* "initial*any*final" against one value; without '*' it is equality. */
static int
value_matches(struct span pattern, struct span v)
{
    int last;
    struct span piece = next_piece(&pattern, &last);
    long took = piece_at(piece, v, 0);
    size_t off, tail;

    if (took < 0 || (last && (size_t)took != v.n))
        return 0;
    for (off = (size_t)took; !last; off += (size_t)took) {
        piece = next_piece(&pattern, &last);
        if (last) {
            tail = piece_bytes(piece);
            return tail <= v.n - off && piece_at(piece, v, v.n - tail) >= 0;
        }
        while ((took = piece_at(piece, v, off)) < 0)
            if (++off > v.n)
                return 0;
    }
    return 1;
}

static int
item_matches(const struct entry_view *e, struct span name, struct span pattern)
{
    int presence = pattern.n == 1 && pattern.p[0] == '*';

    name = bare(name);
    for (size_t i = 0; i < e->n; i++) {
        if (!is_named(e->attrs[i].name, name))
            continue;
        for (size_t k = 0; k < e->attrs[i].n; k++)
            if (presence || value_matches(pattern, e->attrs[i].values[k]))
                return 1;
    }
    return 0;
}

static void
skip_blanks(struct walk *w)
{
    while (w->text[w->at] == ' ' || w->text[w->at] == '\t' || w->text[w->at] == '\n' ||
           w->text[w->at] == '\r')
        w->at++;
}

static int
is_name_byte(char c)
{
    unsigned char l = lower((unsigned char)c);

    return (l >= 'a' && l <= 'z') || (l >= '0' && l <= '9') || l == '-' || l == '.' || l == '_' ||
           l == ';';
}

static struct span
name_walk(struct walk *w)
{
    size_t from = w->at;

    while (is_name_byte(w->text[w->at]))
        w->at++;
    return (struct span){w->text + from, w->at - from};
}

/* Up to the closing parenthesis; -1 at a byte that must be escaped, or a bad escape. */
static int
value_walk(struct walk *w, struct span *value)
{
    size_t from = w->at;

    for (; w->text[w->at] != ')'; w->at++) {
        char c = w->text[w->at];

        if (c == '\0' || c == '(')
            return -1;
        if (c != '\\')
            continue;
        if (hex_value(w->text[w->at + 1]) < 0 || hex_value(w->text[w->at + 2]) < 0)
            return -1;
    }
    *value = (struct span){w->text + from, w->at - from};
    return 0;
}

static int
item_walk(struct walk *w)
{
    struct span name = name_walk(w), value;

    if (bare(name).n == 0 || w->text[w->at] != '=')
        return -1;
    w->at++;
    if (value_walk(w, &value) < 0)
        return -1;
    return w->e != NULL && item_matches(w->e, name, value);
}

/* The filters after '&' or '|'. Once decided, the rest is only checked. */
static int
list_walk(struct walk *w, int all)
{
    const struct entry_view *e = w->e;
    int result = all, one;

    w->at++;
    for (skip_blanks(w); w->text[w->at] == '('; skip_blanks(w)) {
        if ((one = filter_walk(w)) < 0)
            return -1;
        if (w->e != NULL && one != all) {
            result = !all;
            w->e = NULL;
        }
    }
    w->e = e;
    return result;
}

static int
not_walk(struct walk *w)
{
    int one;

    w->at++;
    skip_blanks(w);
    one = filter_walk(w);
    skip_blanks(w);
    return one < 0 ? -1 : !one;
}

static int
filter_walk(struct walk *w)
{
    int result;

    if (w->text[w->at] != '(' || w->depth == FILTER_DEPTH_MAX)
        return -1;
    w->depth++;
    w->at++;
    skip_blanks(w);
    if (w->text[w->at] == '&' || w->text[w->at] == '|')
        result = list_walk(w, w->text[w->at] == '&');
    else if (w->text[w->at] == '!')
        result = not_walk(w);
    else
        result = item_walk(w);
    if (result < 0 || w->text[w->at] != ')')
        return -1;
    w->at++;
    w->depth--;
    return result;
}

static int
whole_walk(struct walk *w)
{
    int result;

    skip_blanks(w);
    result = filter_walk(w);
    if (result < 0)
        return -1;
    skip_blanks(w);
    return w->text[w->at] == '\0' ? result : -1;
}

int
filter_check(const char *filter, size_t *at_r)
{
    struct walk w = {.text = filter};
    int result = whole_walk(&w);

    if (at_r != NULL)
        *at_r = w.at;
    return result < 0 ? -1 : 0;
}

int
filter_match(const char *filter, const struct entry_view *e)
{
    struct walk w = {.text = filter, .e = e};

    return whole_walk(&w) > 0;
}

int
filter_next_name(const char *filter, size_t *at, struct span *name)
{
    struct walk w = {.text = filter, .at = *at};

    while (w.text[w.at] != '\0') {
        if (w.text[w.at++] != '(')
            continue;
        skip_blanks(&w);
        *name = bare(name_walk(&w));
        *at = w.at;
        if (name->n > 0)
            return 1;
    }
    *at = w.at;
    return 0;
}
