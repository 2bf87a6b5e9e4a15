/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * org, references: values elsewhere that name an entry by its DN (members and owners
 * of lists, the gate group, scopes of administrators). slapd's refint overlay keeps
 * them right where it is loaded, but not every tree has it, nor for scopes.
 *
 * Promises: a value is written before the old one is taken away, both in one change
 * of one entry; doing it again after an interruption does the rest. A value the
 * caller may not change is named, and does not stop the others.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "org.h"

static const char *const attrs[] = {"member", "owner", "postroadScope", NULL};

struct reference {
    char *entry;
    const char *attr;
    char *old;
};
struct references {
    const char *dn; /* of what is renamed or deleted */
    struct reference *list;
    size_t n, cap;
    int failed;
};

static void
note(struct references *r, const char *entry, const char *attr, const char *old)
{
    if (r->n == r->cap) {
        size_t cap = r->cap ? 2 * r->cap : 64;
        struct reference *list = realloc(r->list, cap * sizeof *list);

        if (!list) {
            r->failed = 1;
            return;
        }
        r->list = list;
        r->cap = cap;
    }
    r->list[r->n] = (struct reference){strdup(entry), attr, strdup(old)};
    r->failed |= !r->list[r->n].entry || !r->list[r->n].old;
    r->n++;
}

static int
on_entry(void *ctx, const struct dir_entry *e)
{
    struct references *r = ctx;

    for (size_t i = 0; attrs[i]; i++) {
        const struct dir_attr *a = dir_attr(e, attrs[i]);

        for (size_t j = 0; a && j < a->n; j++)
            if (dir_dn_below(a->v[j].p, r->dn) == 1)
                note(r, e->dn, attrs[i], a->v[j].p);
    }
    return 0;
}

static void
forget(struct references *r)
{
    for (size_t i = 0; i < r->n; i++) {
        free(r->list[i].entry);
        free(r->list[i].old);
    }
    free(r->list);
}

const char *
org_renamed(const char *old, const char *dn, const char *to, char out[ORG_DN_MAX])
{
    const char *tail = old;
    size_t n;

    while (*tail && dir_dn_same(tail, dn) != 1)
        tail = dir_parent(tail);
    n = (size_t)(tail - old);
    if (!*tail || n + strlen(to) >= ORG_DN_MAX)
        snprintf(out, ORG_DN_MAX, "%s", old);
    else
        snprintf(out, ORG_DN_MAX, "%.*s%s", (int)n, old, to);
    return out;
}

/* Whether the old value is still there: refint may have been faster. */
static int
still_there(struct org *o, const struct reference *ref)
{
    char value[ORG_DN_MAX], filter[2 * ORG_DN_MAX];
    struct dir_entry *e = NULL;
    int code;

    if (dir_filter_escape(ref->old, value, sizeof value) < 0)
        return 1;
    snprintf(filter, sizeof filter, "(%s=%s)", ref->attr, value);
    code = dir_find(o->d, ref->entry, DIR_BASE, filter, attrs, &e);
    dir_entry_free(&e);
    return code != CTL_NO;
}

/* The same, once refint has had its time: it follows a moment after the change. */
static int
stays(struct org *o, const struct reference *ref)
{
    const struct timespec pause = {0, 100000000};

    for (int i = 0; i < 20; i++) {
        if (!still_there(o, ref))
            return 0;
        nanosleep(&pause, NULL);
    }
    return 1;
}

static int
rewrite(struct org *o, const struct reference *ref, const char *dn, const char *to)
{
    struct dir_change *c = dir_change_new();
    char now[ORG_DN_MAX], entry[ORG_DN_MAX];
    int code;

    snprintf(entry, sizeof entry, "%s", ref->entry);
    if (to && dir_dry(o->d)) /* found where it still is, changed where it would be */
        org_renamed(ref->entry, dn, to, entry);
    if (to)
        dir_change_value(c, DIR_ADD, ref->attr, org_renamed(ref->old, dn, to, now));
    dir_change_value(c, DIR_DELETE, ref->attr, ref->old);
    code = dir_modify(o->d, entry, c);
    dir_change_free(&c);
    return code;
}

int
org_references(struct org *o, const char *dn, const char *to)
{
    struct references r = {.dn = dn};
    char value[ORG_DN_MAX], filter[4 * ORG_DN_MAX];
    int code;

    if (dir_filter_escape(dn, value, sizeof value) < 0)
        return ctl_usage("the name is too long");
    snprintf(filter, sizeof filter,
             "(|(member:dnSubtreeMatch:=%s)(owner:dnSubtreeMatch:=%s)"
             "(postroadScope:dnSubtreeMatch:=%s))",
             value, value, value);
    code = dir_search(o->d, dir_base(o->d), DIR_SUB, filter, attrs, on_entry, &r);
    if (code != CTL_DONE)
        org_fail(o, code);
    if (r.failed)
        code = ctl_fail(o->ctl, CTL_TEMPORARY, "out of memory");
    for (size_t i = 0; code == CTL_DONE && i < r.n; i++) {
        char why[1024];

        if (rewrite(o, &r.list[i], dn, to) == CTL_DONE)
            continue;
        snprintf(why, sizeof why, "%s", dir_error(o->d));
        if (stays(o, &r.list[i]))
            fprintf(stderr, "postroad: %s of %s still names %s: %s\n", r.list[i].attr,
                    r.list[i].entry, r.list[i].old, why);
    }
    forget(&r);
    return code;
}
