/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * auth_results: see auth_results.h.
 *
 * Promises: what is malformed ends the reading, so nothing is made of it that its writer did
 * not say. Must not look into comments: anybody's text may stand there.
 */
#include "auth_results.h"

#include <string.h>
#include <strings.h>

static int
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Behind a comment, which may hold others; NULL: it does not end. */
static const char *
skip_comment(const char *p, const char *end)
{
    int depth = 0;

    for (; p < end; p++) {
        if (*p == '\\' && p + 1 < end)
            p++;
        else if (*p == '(')
            depth++;
        else if (*p == ')' && --depth == 0)
            return p + 1;
    }
    return NULL;
}

/* Blanks and comments. One that does not end takes the rest. */
static void
skip(struct auth_results *a)
{
    while (a->p < a->end && (is_blank(*a->p) || *a->p == '(')) {
        const char *after = *a->p == '(' ? skip_comment(a->p, a->end) : a->p + 1;

        a->p = after ? after : a->end;
    }
}

static int
take_quoted(struct auth_results *a, struct span *out)
{
    const char *p = a->p + 1;

    while (p < a->end && *p != '"' && *p != '\\')
        p++;
    if (p >= a->end || *p != '"')
        return 0; /* no end, or an escape, which no name needs */
    *out = (struct span){a->p + 1, (size_t)(p - a->p) - 1};
    a->p = p + 1;
    return 1;
}

/* A value in quotes or up to what ends it; ends: what does besides blanks and ';'. 1, or 0: there is none. */
static int
take(struct auth_results *a, const char *ends, struct span *out)
{
    const char *begin;

    skip(a);
    begin = a->p;
    if (a->p < a->end && *a->p == '"')
        return take_quoted(a, out);
    while (a->p < a->end && !is_blank(*a->p) && *a->p != ';' && *a->p && !strchr(ends, *a->p))
        a->p++;
    *out = (struct span){begin, (size_t)(a->p - begin)};
    return out->n > 0;
}

static int
take_char(struct auth_results *a, char c)
{
    skip(a);
    if (a->p >= a->end || *a->p != c)
        return 0;
    a->p++;
    return 1;
}

int
auth_results_begin(struct auth_results *a, const char *value, size_t n)
{
    struct span version;

    *a = (struct auth_results){.p = value, .end = value + n};
    if (!take(a, "=()\"", &a->authserv_id))
        return 0;
    /* "i=1;" before it. */
    if (auth_is(a->authserv_id, "i") && take_char(a, '=')) {
        if (!take(a, "=()\"", &version) || !take_char(a, ';') || !take(a, "=()\"", &a->authserv_id))
            return 0;
    }
    skip(a);
    if (a->p < a->end && *a->p != ';' && !take(a, "=()\"", &version))
        return 0;
    return 1;
}

/* "smtp.mailfrom=a@b.example", "reason=\"...\"". 1; 0: there is no more; -1 malformed. */
static int
take_property(struct auth_results *a, struct auth_result *r)
{
    struct span name, value;

    skip(a);
    if (a->p >= a->end || *a->p == ';')
        return 0;
    if (!take(a, "=()\"", &name) || !take_char(a, '='))
        return -1;
    skip(a);
    if (a->p < a->end && *a->p == ';')
        value = (struct span){a->p, 0};
    else if (!take(a, "()\"", &value) && a->p < a->end)
        return -1;
    if (r->n < AUTH_PROPERTIES) {
        r->property[r->n].name = name;
        r->property[r->n++].value = value;
    }
    return 1;
}

int
auth_results_next(struct auth_results *a, struct auth_result *r)
{
    struct span version;
    int more;

    r->n = 0;
    if (!take_char(a, ';') || !take(a, "=/()\"", &r->method))
        return 0;
    if (take_char(a, '/') && !take(a, "=/()\"", &version))
        return 0;
    if (!take_char(a, '=') || !take(a, "=()\"", &r->result)) {
        a->p = a->end;
        return 0; /* "none", without any result, too */
    }
    while ((more = take_property(a, r)) > 0)
        ;
    if (more < 0)
        a->p = a->end;
    return more == 0;
}

int
auth_is(struct span text, const char *word)
{
    return text.n == strlen(word) && strncasecmp(text.p, word, text.n) == 0;
}

int
auth_result_get(const struct auth_result *r, const char *name, struct span *value)
{
    for (unsigned i = 0; i < r->n; i++)
        if (auth_is(r->property[i].name, name)) {
            *value = r->property[i].value;
            return 1;
        }
    return 0;
}

static struct span
trim(struct span s)
{
    while (s.n > 0 && is_blank(s.p[0]))
        s.p++, s.n--;
    while (s.n > 0 && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

int
auth_tag(const char *value, size_t n, const char *tag, struct span *out)
{
    const char *end = value + n;

    for (const char *p = value; p < end;) {
        const char *semicolon = memchr(p, ';', (size_t)(end - p));
        const char *stop = semicolon ? semicolon : end;
        const char *is = memchr(p, '=', (size_t)(stop - p));

        if (is && auth_is(trim((struct span){p, (size_t)(is - p)}), tag)) {
            *out = trim((struct span){is + 1, (size_t)(stop - is) - 1});
            return out->n > 0;
        }
        p = stop + 1;
    }
    return 0;
}
