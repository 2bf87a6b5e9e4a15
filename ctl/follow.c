/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * follow: see follow.h. Must not fail what was done already: what could not be
 * changed is told to the administrator, who may not be allowed to.
 */
#include "follow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LISTS_MAX 1000

struct found {
    char *dn[LISTS_MAX];
    unsigned char attrs[LISTS_MAX]; /* bit i: names[i] has it */
    size_t n, more;
    const char *from;
};

static const char *const names[] = {"member", "owner", NULL};

static int
on_list(void *ctx, const struct dir_entry *e)
{
    struct found *f = ctx;
    unsigned bits = 0;

    for (unsigned i = 0; names[i]; i++) {
        const struct dir_attr *a = dir_attr(e, names[i]);

        for (size_t j = 0; a && j < a->n; j++)
            if (dir_dn_same(a->v[j].p, f->from))
                bits |= 1u << i;
    }
    if (!bits)
        return 0;
    if (f->n == LISTS_MAX || !(f->dn[f->n] = strdup(e->dn))) {
        f->more++;
        return 0;
    }
    f->attrs[f->n++] = (unsigned char)bits;
    return 0;
}

static void
change_one(struct dir *d, const struct found *found, size_t i, const char *to, struct follow *f)
{
    struct dir_change *c = dir_change_new();

    for (unsigned a = 0; c && names[a]; a++) {
        if (!(found->attrs[i] & 1u << a))
            continue;
        dir_change_value(c, DIR_DELETE, names[a], found->from);
        if (to)
            dir_change_value(c, DIR_ADD, names[a], to);
    }
    if (dir_modify(d, found->dn[i], c) == CTL_DONE)
        f->changed++;
    else if (f->left++ == 0)
        snprintf(f->first, sizeof f->first, "%s", dir_error(d));
    dir_change_free(&c);
}

void
follow_dn(struct dir *d, const char *from, const char *to, struct follow *f)
{
    char value[3 * 2048], filter[2 * sizeof value + 64];
    struct found *found = dir_dry(d) ? NULL : calloc(1, sizeof *found);

    if (!found)
        return;
    found->from = from;
    if (dir_filter_escape(from, value, sizeof value) == 0) {
        snprintf(filter, sizeof filter, "(|(member=%s)(owner=%s))", value, value);
        if (dir_search(d, dir_base(d), DIR_SUB, filter, names, on_list, found) != CTL_DONE)
            found->more++;
    }
    for (size_t i = 0; i < found->n; i++) {
        change_one(d, found, i, to, f);
        free(found->dn[i]);
    }
    if (found->more > 0 && f->left == 0)
        snprintf(f->first, sizeof f->first, "some could not be looked for");
    f->left += found->more;
    free(found);
}
