/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cookie: the set of CSNs behind a resume, see cookie.h.
 *
 * OpenLDAP writes "rid=000,sid=001,csn=A;B,delcsn=C". delcsn belongs to a set of
 * deletions in the middle of a refresh and says nothing about what came before
 * it: it is never taken. CSNs of one SID have one shape, so bytes order them.
 * Pure: works on the caller's memory.
 */
#include "cookie.h"

void
cookie_init(struct cookie *c)
{
    memset(c, 0, sizeof *c);
}

static int
has_prefix(struct span s, const char *prefix)
{
    size_t n = strlen(prefix);

    return s.n >= n && memcmp(s.p, prefix, n) == 0;
}

/* Up to the separator or the end; *s goes on behind it. */
static struct span
next_part(struct span *s, char separator)
{
    const char *end = s->n ? memchr(s->p, separator, s->n) : NULL;
    struct span part = {s->p, end ? (size_t)(end - s->p) : s->n};

    s->p += part.n + (end != NULL);
    s->n -= part.n + (end != NULL);
    return part;
}

static int
hex_number(struct span s, unsigned *value)
{
    size_t i;

    *value = 0;
    for (i = 0; i < s.n; i++) {
        char c = s.p[i];
        int d = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
        if (d < 0)
            return -1;
        *value = *value * 16 + (unsigned)d;
    }
    return s.n >= 1 && s.n <= 6 ? 0 : -1;
}

static int
is_time(struct span s)
{
    size_t i;

    if (s.n < 15 || s.p[s.n - 1] != 'Z')
        return 0;
    for (i = 0; i + 1 < s.n; i++)
        if ((s.p[i] < '0' || s.p[i] > '9') && !(i == 14 && s.p[i] == '.'))
            return 0;
    return 1;
}

/* "20261121195500.000000Z#000000#001#000000": time, count, SID, modification. */
static int
csn_parse(struct span s, struct cookie_csn *csn)
{
    struct span all = s, part;
    unsigned ignored;

    if (s.n > COOKIE_CSN_MAX || !is_time(next_part(&s, '#')))
        return -1;
    part = next_part(&s, '#');
    if (hex_number(part, &ignored) < 0)
        return -1;
    part = next_part(&s, '#');
    if (part.n != 3 || hex_number(part, &csn->sid) < 0 || hex_number(s, &ignored) < 0)
        return -1;
    memcpy(csn->text, all.p, all.n);
    csn->text[all.n] = '\0';
    return 0;
}

/* 1 new or newer, 0 known, -1 no room. */
static int
csn_merge(struct cookie *c, const struct cookie_csn *csn)
{
    size_t i = 0;

    while (i < c->n && c->csn[i].sid < csn->sid)
        i++;
    if (i < c->n && c->csn[i].sid == csn->sid) {
        if (strcmp(csn->text, c->csn[i].text) <= 0)
            return 0;
        c->csn[i] = *csn;
        return 1;
    }
    if (c->n == COOKIE_SIDS_MAX)
        return -1;
    memmove(&c->csn[i + 1], &c->csn[i], (c->n - i) * sizeof c->csn[0]);
    c->csn[i] = *csn;
    c->n++;
    return 1;
}

static int
csns_merge(struct cookie *c, struct span list)
{
    int changed = 0;

    while (list.n) {
        struct span text = next_part(&list, ';');
        struct cookie_csn csn;
        int rc;

        if (text.n == 0)
            continue;
        if (csn_parse(text, &csn) < 0 || (rc = csn_merge(c, &csn)) < 0)
            return -1;
        changed |= rc;
    }
    return changed;
}

static int
openldap_merge(struct cookie *c, struct span text)
{
    int changed = 0, rc = 0;

    while (text.n && rc >= 0) {
        struct span field = next_part(&text, ',');

        rc = 0;
        if (has_prefix(field, "csn="))
            rc = csns_merge(c, (struct span){field.p + 4, field.n - 4});
        changed |= rc > 0;
    }
    return rc < 0 ? -1 : changed;
}

static int
opaque_take(struct cookie *c, struct span text)
{
    if (text.n > COOKIE_OPAQUE_MAX)
        return -1;
    if (c->opaque_n == text.n && memcmp(c->opaque, text.p, text.n) == 0)
        return 0;
    cookie_init(c);
    memcpy(c->opaque, text.p, text.n);
    c->opaque_n = text.n;
    return 1;
}

int
cookie_merge(struct cookie *c, struct span text)
{
    struct cookie next = *c;
    int rc;

    if (text.n == 0)
        return 0;
    if (!has_prefix(text, "rid=") && !has_prefix(text, "sid=") && !has_prefix(text, "csn="))
        return opaque_take(c, text);
    if (next.opaque_n)
        cookie_init(&next);
    rc = openldap_merge(&next, text);
    if (rc >= 0)
        *c = next;
    return rc;
}

int
cookie_merge_csn(struct cookie *c, struct span text)
{
    struct cookie_csn csn;

    return csn_parse(text, &csn) < 0 ? -1 : csn_merge(c, &csn);
}

int
cookie_covers(const struct cookie *have, const struct cookie *want)
{
    size_t i = 0, j;

    if (have->opaque_n || want->opaque_n)
        return 0;
    for (j = 0; j < want->n; j++) {
        while (i < have->n && have->csn[i].sid < want->csn[j].sid)
            i++;
        if (i == have->n || have->csn[i].sid != want->csn[j].sid ||
            strcmp(have->csn[i].text, want->csn[j].text) < 0)
            return 0;
    }
    return 1;
}

/* Append n bytes at *at, keeping room for the NUL. */
static int
append(char *out, size_t cap, size_t *at, const char *s, size_t n)
{
    if (*at + n >= cap)
        return -1;
    memcpy(out + *at, s, n);
    *at += n;
    out[*at] = '\0';
    return 0;
}

long
cookie_write(const struct cookie *c, char *out, size_t cap)
{
    size_t at = 0, i;
    int rc = 0;

    if (c->opaque_n)
        return append(out, cap, &at, c->opaque, c->opaque_n) < 0 ? -1 : (long)at;
    if (c->n == 0)
        return append(out, cap, &at, "", 0) < 0 ? -1 : 0;
    rc |= append(out, cap, &at, "rid=000,csn=", 12);
    for (i = 0; i < c->n; i++) {
        if (i)
            rc |= append(out, cap, &at, ";", 1);
        rc |= append(out, cap, &at, c->csn[i].text, strlen(c->csn[i].text));
    }
    return rc < 0 ? -1 : (long)at;
}
