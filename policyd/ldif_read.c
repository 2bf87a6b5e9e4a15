/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ldif_read: see ldif_read.h.
 *
 * Lines are joined and bounded here, so that nothing is judged before it is whole:
 * libldap would fetch "attr:< file:///…" and follow "include:" by itself, and a
 * folded line hides either from a look at the raw file. Only a line that has
 * passed is handed to libldap, for its base64. Never logs, reads only fd.
 */
#include "ldif_read.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include <ldap.h>
#include <ldif.h>

int
ldif_reader_open(struct ldif_reader *r, int fd, const char *name)
{
    memset(r, 0, sizeof *r);
    r->fd = fd;
    r->name = name;
    r->buf = malloc(LDIF_BUFFER);
    return r->buf ? 0 : -1;
}

void
ldif_reader_close(struct ldif_reader *r)
{
    free(r->buf);
    free(r->text);
    free(r->lines);
    r->buf = r->text = NULL;
    r->lines = NULL;
}

int
ldif_reader_fail(struct ldif_reader *r, unsigned long line, const char *fmt, ...)
{
    int n = snprintf(r->error, sizeof r->error, "%s:%lu: ", r->name, line);
    va_list ap;

    va_start(ap, fmt);
    if (n > 0 && (size_t)n < sizeof r->error)
        vsnprintf(r->error + n, sizeof r->error - (size_t)n, fmt, ap);
    va_end(ap);
    return -1;
}

int
ldif_reader_give_up(struct ldif_reader *r, unsigned long line, const char *why)
{
    r->unread = 1;
    return ldif_reader_fail(r, line, "%s", why);
}

/* --- bytes --- */

/* 1 when there is at least one more byte, 0 at the end, -1 error. */
static int
fill(struct ldif_reader *r)
{
    ssize_t n;

    if (r->at < r->end)
        return 1;
    while ((n = pread(r->fd, r->buf, LDIF_BUFFER, r->offset)) < 0 && errno == EINTR)
        continue;
    if (n < 0)
        return ldif_reader_give_up(r, r->line, strerror(errno));
    r->offset += n;
    r->at = 0;
    r->end = (size_t)n;
    return n > 0;
}

static int
reserve(struct ldif_reader *r, size_t more)
{
    size_t cap = r->cap ? r->cap : 4096;
    char *p;

    while (cap < r->n + more)
        cap *= 2;
    if (cap == r->cap)
        return 0;
    if (!(p = realloc(r->text, cap)))
        return ldif_reader_give_up(r, r->line, "out of memory");
    r->text = p;
    r->cap = cap;
    return 0;
}

static size_t
line_length(const struct ldif_reader *r)
{
    return r->n - r->lines[r->nlines - 1].start;
}

static int
append(struct ldif_reader *r, const char *p, size_t n)
{
    if (memchr(p, '\0', n))
        return ldif_reader_fail(r, r->line, "a NUL byte");
    if (line_length(r) + n > LDIF_LINE_MAX)
        return ldif_reader_fail(r, r->line, "a line longer than %u bytes", LDIF_LINE_MAX);
    if (r->n + n > LDIF_RECORD_MAX)
        return ldif_reader_fail(r, r->line, "a record longer than %u bytes", LDIF_RECORD_MAX);
    if (reserve(r, n + 1) < 0)
        return -1;
    memcpy(r->text + r->n, p, n);
    r->n += n;
    return 0;
}

/* The rest of the physical line: into the record, or past it. Its newline is consumed. */
static int
take_line(struct ldif_reader *r, int keep)
{
    int rc;

    while ((rc = fill(r)) > 0) {
        const char *p = r->buf + r->at, *nl = memchr(p, '\n', r->end - r->at);
        size_t n = nl ? (size_t)(nl - p) : r->end - r->at;

        if (keep && append(r, p, n) < 0)
            return -1;
        r->at += n + (nl != NULL);
        if (nl)
            break;
    }
    if (rc < 0)
        return -1;
    if (keep && line_length(r) > 0 && r->text[r->n - 1] == '\r')
        r->n--;
    return 0;
}

/* --- lines --- */

static int
begin_line(struct ldif_reader *r)
{
    if (r->nlines)
        r->text[r->n++] = '\0'; /* append has reserved it */
    else
        r->record = r->line;
    if (r->nlines == r->lines_cap) {
        size_t cap = r->lines_cap ? r->lines_cap * 2 : 64;
        struct ldif_line *p = reallocarray(r->lines, cap, sizeof *p);

        if (!p)
            return ldif_reader_give_up(r, r->line, "out of memory");
        r->lines = p;
        r->lines_cap = cap;
    }
    r->lines[r->nlines++] = (struct ldif_line){r->n, r->line};
    return 0;
}

/* One physical line into the record. 1 go on, 0 the record is at its end, -1 error. *comment: inside one. */
static int
read_line(struct ldif_reader *r, int *comment)
{
    char c = r->buf[r->at];

    r->line++;
    if (c == ' ' && (*comment || r->nlines)) {
        r->at++;
        return take_line(r, !*comment) < 0 ? -1 : 1;
    }
    *comment = c == '#';
    if (*comment)
        return take_line(r, 0) < 0 ? -1 : 1;
    if (c == ' ')
        return ldif_reader_fail(r, r->line, "a continuation of nothing");
    if (begin_line(r) < 0 || take_line(r, 1) < 0)
        return -1;
    if (line_length(r) > 0)
        return 1;
    r->nlines--; /* an empty line: between records, or the end of one */
    return r->nlines == 0;
}

/* The lines of the next record: 1, 0 at the end of the file, -1. */
static int
read_record(struct ldif_reader *r)
{
    int rc, comment = 0, more = 1;

    r->n = r->nlines = 0;
    while (more > 0 && (rc = fill(r)) > 0)
        more = read_line(r, &comment);
    if (more < 0 || (more > 0 && rc < 0))
        return -1;
    if (r->nlines == 0)
        return 0;
    r->text[r->n] = '\0';
    return 1;
}

/* --- attributes --- */

static int
is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == ';' || c == '_';
}

/* "name:" at the line's beginning, and not a URL. */
static int
check_line(struct ldif_reader *r, const struct ldif_line *line)
{
    const char *p = r->text + line->start;
    size_t n = 0;

    while (is_name_byte(p[n]))
        n++;
    if (n == 0 || p[n] != ':')
        return ldif_reader_fail(r, line->line, "no \"attribute: value\"");
    if (p[n + 1] == '<')
        return ldif_reader_fail(r, line->line, "values from URLs (%.*s:<) are refused", (int)n, p);
    return 0;
}

static int
is_name(struct span s, const char *name)
{
    return s.n == strlen(name) && strncasecmp(s.p, name, s.n) == 0;
}

static int
parse_line(struct ldif_reader *r, const struct ldif_line *line, struct span *name,
           struct span *value)
{
    struct berval t, v;
    int free_value = 0;

    if (check_line(r, line) < 0)
        return -1;
    if (ldif_parse_line2(r->text + line->start, &t, &v, &free_value) != 0)
        return ldif_reader_fail(r, line->line, "not readable, or wrong base64");
    *name = (struct span){t.bv_val, t.bv_len};
    *value = (struct span){v.bv_val, v.bv_len};
    if (is_name(*name, "changetype") || is_name(*name, "control"))
        return ldif_reader_fail(r, line->line, "a change record; only entries are read");
    if (is_name(*name, "include"))
        return ldif_reader_fail(r, line->line, "includes are refused");
    return 0;
}

/* "version: 1" and "dn:" begin a record. Returns how many lines they took, or -1. */
static long
parse_head(struct ldif_reader *r, struct span *dn)
{
    struct span name;
    size_t i = 0;

    if (parse_line(r, &r->lines[i], &name, dn) < 0)
        return -1;
    if (is_name(name, "version")) {
        if (!span_same(*dn, span_of("1")))
            return ldif_reader_fail(r, r->record, "LDIF of another version than 1");
        if (++i == r->nlines)
            return (long)i;
        if (parse_line(r, &r->lines[i], &name, dn) < 0)
            return -1;
    }
    if (!is_name(name, "dn"))
        return ldif_reader_fail(r, r->lines[i].line, "a record that does not begin with \"dn:\"");
    return (long)i + 1;
}

static int
parse_record(struct ldif_reader *r, struct span *dn, struct collect *c)
{
    struct span name, value;
    long i = parse_head(r, dn);

    if (i < 0)
        return -1;
    for (; (size_t)i < r->nlines; i++) {
        if (parse_line(r, &r->lines[i], &name, &value) < 0)
            return -1;
        if (is_name(name, "dn"))
            return ldif_reader_fail(r, r->lines[i].line,
                                    "a second \"dn:\": an empty line is missing");
        if (collect_add(c, name, value) < 0)
            return ldif_reader_give_up(r, r->lines[i].line, "out of memory");
    }
    return 0;
}

int
ldif_reader_next(struct ldif_reader *r, struct span *dn, struct collect *c)
{
    int rc;

    collect_reset(c);
    /* A record of nothing but "version: 1" is none. */
    while ((rc = read_record(r)) > 0) {
        *dn = (struct span){NULL, 0};
        if (parse_record(r, dn, c) < 0)
            return -1;
        if (r->nlines > 1 || strncasecmp(r->text, "version", 7) != 0)
            return 1;
    }
    return rc;
}
