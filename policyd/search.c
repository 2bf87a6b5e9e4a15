/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * search: see search.h. Every byte of an address that is not a letter, a digit or
 * one of a few harmless signs is escaped, so nothing a stranger asks for can change
 * what the filter means. An entry that was found and touches nothing we can name
 * touches all: doubt is never dropped.
 */
#include "search.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

static void
add_names(const char **names, unsigned *n, const struct conf_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        unsigned k = 0;

        while (k < *n && strcasecmp(names[k], list->v[i]) != 0)
            k++;
        if (k == *n)
            names[(*n)++] = list->v[i];
    }
}

void
search_attrs(struct search_attrs *a, const struct conf_class map[CLASS_N])
{
    memset(a, 0, sizeof *a);
    for (int c = 0; c < CLASS_N; c++) {
        add_names(a->address, &a->naddress, &map[c].address);
        add_names(a->address, &a->naddress, &map[c].alias);
    }
    add_names(a->domain, &a->ndomain, &map[CLASS_DOMAIN].domain);
}

struct search *
search_new(unsigned provider, int64_t at_ms)
{
    struct search *s = malloc(sizeof *s);

    if (!s)
        return NULL;
    memset(s, 0, offsetof(struct search, text));
    s->provider = provider;
    s->at_ms = at_ms;
    return s;
}

void
search_free(struct search **sp)
{
    struct search *s = *sp;

    *sp = NULL;
    if (!s)
        return;
    for (unsigned i = 0; i < s->nfound; i++)
        free(s->found[i].dn);
    free(s->found);
    free(s);
}

int
search_add(struct search *s, const struct inquiry_question *q)
{
    char *at = s->text + s->text_n;

    if (s->n == SEARCH_ITEMS || q->n > SEARCH_TEXT - s->text_n)
        return -1;
    memcpy(at, q->text, q->n);
    s->text_n += (unsigned)q->n;
    s->item[s->n++] = (struct search_item){q->id, {at, q->n}};
    s->open = s->n;
    return 0;
}

/* --- the filter --- */

struct out {
    char *p;
    size_t n, cap;
    int full;
};

static void
put(struct out *o, const char *p, size_t n)
{
    if (o->full || n > o->cap - o->n) {
        o->full = 1;
        return;
    }
    memcpy(o->p + o->n, p, n);
    o->n += n;
}

static int
is_harmless(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("@.-_+", c));
}

static void
put_value(struct out *o, struct span v)
{
    char hex[4];

    for (size_t i = 0; i < v.n; i++) {
        if (is_harmless((unsigned char)v.p[i])) {
            put(o, v.p + i, 1);
            continue;
        }
        snprintf(hex, sizeof hex, "\\%02x", (unsigned)(unsigned char)v.p[i]);
        put(o, hex, 3);
    }
}

static void
put_equals(struct out *o, const char *attr, struct span value)
{
    put(o, "(", 1);
    put(o, attr, strlen(attr));
    put(o, "=", 1);
    put_value(o, value);
    put(o, ")", 1);
}

static struct span
domain_of(struct span address)
{
    const char *at = address.n ? memrchr(address.p, '@', address.n) : NULL;

    return at ? (struct span){at + 1, (size_t)(address.p + address.n - at) - 1}
              : (struct span){"", 0};
}

/* Whether an item before this one has an address in the domain, so that it is asked for already. */
static int
is_asked(const struct search *s, unsigned items, struct span domain)
{
    struct span text, line;

    for (unsigned i = 0; i < items; i++)
        for (text = s->item[i].text; inquiry_line(&text, &line);)
            if (span_same(domain_of(line), domain))
                return 1;
    return 0;
}

static void
put_item(struct out *o, const struct search *s, unsigned item, const struct search_attrs *a)
{
    struct span text = s->item[item].text, line;

    while (inquiry_line(&text, &line)) {
        struct span domain = domain_of(line);

        for (unsigned i = 0; i < a->naddress; i++)
            put_equals(o, a->address[i], line);
        for (unsigned i = 0; i < a->ndomain && !is_asked(s, item, domain); i++)
            put_equals(o, a->domain[i], domain);
    }
}

size_t
search_filter(struct search *s, const struct search_attrs *a, char *out, size_t cap)
{
    struct out o = {out, 0, cap - 2, 0};
    size_t whole;
    unsigned i;

    put(&o, "(|", 2);
    for (i = 0, whole = o.n; i < s->n; i++, whole = o.n) {
        put_item(&o, s, i, a);
        if (o.full)
            break;
    }
    s->n = s->open = i;
    out[whole] = ')';
    out[whole + 1] = '\0';
    return whole + 1;
}

/* --- what was found --- */

static int
has_item(const struct record *r, enum record_tag tag, struct span value)
{
    enum record_tag t;
    struct span v;
    size_t pos = 0;

    while (record_next(r, &pos, &t, &v))
        if (t == tag && span_same(v, value))
            return 1;
    return 0;
}

static int
concerns(const struct record *r, struct span text)
{
    struct span line;

    while (inquiry_line(&text, &line))
        if (has_item(r, TAG_MAIL, line) || has_item(r, TAG_ALIAS, line) ||
            (record_kind(r) == KIND_DOMAIN && has_item(r, TAG_DOMAIN, domain_of(line))))
            return 1;
    return 0;
}

static void
find_touched(const struct search *s, const struct record *r, struct search_found *f)
{
    int any = 0;

    for (unsigned i = 0; i < s->n; i++) {
        if (!concerns(r, s->item[i].text))
            continue;
        f->touches[i / 32] |= 1u << i % 32;
        any = 1;
    }
    if (!any)
        memset(f->touches, 0xff, sizeof f->touches);
}

int
search_add_found(struct search *s, const unsigned char uuid[UUID_LEN], const struct record *r,
                 struct span dn)
{
    struct search_found *f;

    if (!s->found && !(s->found = calloc(SEARCH_FOUND, sizeof *s->found)))
        return -1;
    if (s->nfound == SEARCH_FOUND)
        return -1;
    f = &s->found[s->nfound];
    if (!(f->dn = strndup(dn.p, dn.n)))
        return -1;
    s->nfound++;
    memcpy(f->uuid, uuid, UUID_LEN);
    digest_update(&f->digest, uuid, r, 1);
    find_touched(s, r, f);
    return 0;
}
