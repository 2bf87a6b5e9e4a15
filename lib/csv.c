/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * csv: see csv.h. Strict where a guess could put a value into the wrong column:
 * stray quotes are errors. Lenient about line ends and a missing last one.
 */
#include "csv.h"

#include <string.h>

/* Where reading is: from to stays behind at, as quotes and doubled quotes fall out. */
struct place {
    char *s;
    size_t n, at, to;
};

/* Bytes of the line end at i: 2, 1; 0 none. */
static size_t
line_end(const char *s, size_t n, size_t i)
{
    if (i < n && s[i] == '\r' && i + 1 < n && s[i + 1] == '\n')
        return 2;
    return i < n && (s[i] == '\n' || s[i] == '\r');
}

/* After the opening quote, up to and with the closing one. 0, or -1. */
static int
quoted(struct place *p)
{
    while (p->at < p->n) {
        if (p->s[p->at] != '"') {
            p->s[p->to++] = p->s[p->at++];
        } else if (p->at + 1 < p->n && p->s[p->at + 1] == '"') {
            p->s[p->to++] = '"';
            p->at += 2;
        } else {
            p->at++;
            return 0;
        }
    }
    return -1;
}

/* One field, up to its separator or the line's end. NULL, or why it is bad. */
static const char *
field(struct place *p, char separator, struct span *out)
{
    size_t start = p->to;

    if (p->at < p->n && p->s[p->at] == '"') {
        p->at++;
        if (quoted(p) < 0)
            return "a quote is never closed";
        if (p->at < p->n && p->s[p->at] != separator && !line_end(p->s, p->n, p->at))
            return "there is text after a closing quote";
    }
    while (p->at < p->n && p->s[p->at] != separator && !line_end(p->s, p->n, p->at)) {
        if (p->s[p->at] == '"')
            return "there is a quote inside a field without quotes around it";
        p->s[p->to++] = p->s[p->at++];
    }
    out->p = p->s + start;
    out->n = p->to - start;
    return memchr(out->p, '\0', out->n) ? "there is a NUL byte" : NULL;
}

long
csv_record(char *s, size_t n, char separator, struct span fields[], size_t max, size_t *nfields_r,
           const char **why_r)
{
    struct place p = {s, n, 0, 0};
    struct span one;
    size_t end;

    *nfields_r = 0;
    *why_r = NULL;
    if (n > 0 && (end = line_end(s, n, 0)) > 0)
        return (long)end;
    while (n > 0) {
        if ((*why_r = field(&p, separator, &one)))
            return -1;
        if (*nfields_r < max)
            fields[*nfields_r] = one;
        ++*nfields_r;
        if (p.at == n || s[p.at] != separator)
            break;
        p.at++;
    }
    return (long)(p.at + line_end(s, n, p.at));
}

char
csv_separator(const char *s, size_t n)
{
    static const char known[] = ",;\t";
    size_t count[sizeof known] = {0}, best = 0;
    int in_quotes = 0;

    for (size_t i = 0; i < n && (in_quotes || !line_end(s, n, i)); i++) {
        const char *found = s[i] ? strchr(known, s[i]) : NULL;

        in_quotes ^= s[i] == '"';
        if (found && !in_quotes)
            count[found - known]++;
    }
    for (size_t i = 1; known[i]; i++)
        if (count[i] > count[best])
            best = i;
    return known[best];
}

/* Whether, after any number of marks, a spreadsheet would begin to calculate. */
static int
is_formula(struct span v)
{
    size_t i = 0;

    while (i < v.n && v.p[i] == '\'')
        i++;
    return i < v.n && (strchr("=+-@", v.p[i]) || (unsigned char)v.p[i] < 0x20);
}

struct span
csv_plain(struct span v)
{
    if (v.n > 0 && v.p[0] == '\'' && is_formula(v))
        return (struct span){v.p + 1, v.n - 1};
    return v;
}

/* Quotes are needed for what would end the field, and for blanks that programs strip. */
static int
needs_quotes(struct span v, char separator)
{
    if (v.n > 0 && (v.p[0] == ' ' || v.p[v.n - 1] == ' '))
        return 1;
    for (size_t i = 0; i < v.n; i++)
        if (v.p[i] == separator || strchr("\"\r\n\t;,", v.p[i]))
            return 1;
    return 0;
}

long
csv_field(struct span v, char separator, char *out, size_t cap)
{
    int quotes = needs_quotes(v, separator);
    size_t n = 0, most = 2 * v.n + 3;

    if (most < v.n || most > cap)
        return -1;
    if (quotes)
        out[n++] = '"';
    if (is_formula(v))
        out[n++] = '\'';
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] == '"')
            out[n++] = '"';
        out[n++] = v.p[i];
    }
    if (quotes)
        out[n++] = '"';
    return (long)n;
}
