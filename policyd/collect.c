/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * collect: from single values to an entry, see collect.h. LDIF may name an
 * attribute, then others, then the first one again; LDAP sends each attribute
 * once. Both end up as one attribute with all its values, in the order they came.
 */
#include "collect.h"

#include <stdlib.h>
#include <strings.h>

/* Make room for one more element of size bytes in *p, which holds n of *cap. */
static int
grow(void **p, size_t n, size_t *cap, size_t size)
{
    size_t want = *cap ? *cap * 2 : 64;
    void *q;

    if (n < *cap)
        return 0;
    if (want <= n)
        want = n + 1;
    if (!(q = reallocarray(*p, want, size)))
        return -1;
    *p = q;
    *cap = want;
    return 0;
}

void
collect_free(struct collect *c)
{
    free(c->attr);
    free(c->value);
    free(c->sorted);
    memset(c, 0, sizeof *c);
}

void
collect_reset(struct collect *c)
{
    c->nattrs = c->nvalues = 0;
}

static int
same_name(struct span a, struct span b)
{
    return a.n == b.n && (a.p == b.p || strncasecmp(a.p, b.p, a.n) == 0);
}

/* The attribute's place, made when it is new; the last one is the likeliest. -1: no memory. */
static long
attr_place(struct collect *c, struct span name)
{
    size_t i;

    for (i = c->nattrs; i > 0; i--)
        if (same_name(c->attr[i - 1].name, name))
            return (long)(i - 1);
    if (grow((void **)&c->attr, c->nattrs, &c->attrs_cap, sizeof *c->attr) < 0)
        return -1;
    c->attr[c->nattrs] = (struct entry_attr){name, NULL, 0};
    return (long)c->nattrs++;
}

int
collect_add(struct collect *c, struct span name, struct span value)
{
    const char *option = name.n ? memchr(name.p, ';', name.n) : NULL;
    long place;

    if (option)
        name.n = (size_t)(option - name.p);
    if ((place = attr_place(c, name)) < 0)
        return -1;
    if (grow((void **)&c->value, c->nvalues, &c->values_cap, sizeof *c->value) < 0)
        return -1;
    c->value[c->nvalues++] = (struct collect_value){value, (size_t)place};
    c->attr[place].n++;
    return 0;
}

int
collect_view(struct collect *c, struct entry_view *view)
{
    size_t i, at = 0;

    if (c->nvalues > c->sorted_cap &&
        grow((void **)&c->sorted, c->nvalues, &c->sorted_cap, sizeof *c->sorted) < 0)
        return -1;
    for (i = 0; i < c->nattrs; i++) {
        c->attr[i].values = c->sorted + at;
        at += c->attr[i].n;
        c->attr[i].n = 0;
    }
    for (i = 0; i < c->nvalues; i++) {
        struct entry_attr *a = &c->attr[c->value[i].attr];

        c->sorted[(size_t)(a->values - c->sorted) + a->n++] = c->value[i].value;
    }
    *view = (struct entry_view){c->attr, c->nattrs};
    return 0;
}
