/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * org, inheritance: which setting holds at a place in the tree, and whom a change
 * there reaches. A home site that changes above an account does not move its
 * mailbox: that is asked before, and never done in passing.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "org.h"

int
org_inherited(struct org *o, const char *dn, const char *attr, char *value, size_t cap,
              char from[ORG_DN_MAX])
{
    const char *attrs[] = {attr, NULL};
    const char *base = dir_base(o->d);

    *value = *from = '\0';
    for (; *dn && dir_dn_below(dn, base) == 1; dn = dir_parent(dn)) {
        struct dir_entry *e = NULL;
        int code = dir_find(o->d, dn, DIR_BASE, "(objectClass=*)", attrs, &e);

        if (code == CTL_TEMPORARY)
            return org_fail(o, code);
        if (code != CTL_DONE)
            continue; /* a level that may not be seen says nothing to us */
        snprintf(value, cap, "%s", dir_value(e, attr));
        dir_entry_free(&e);
        if (*value) {
            snprintf(from, ORG_DN_MAX, "%s", dn);
            return CTL_DONE;
        }
    }
    return CTL_DONE;
}

/* Departments below that have a home site of their own: nobody in them follows from above. */
#define OWN_MAX 256
struct followers {
    const char *top;
    char own[OWN_MAX][512];
    size_t nown, n;
};

static int
on_own(void *ctx, const struct dir_entry *e)
{
    struct followers *f = ctx;

    if (dir_dn_same(e->dn, f->top) != 1 && f->nown < OWN_MAX)
        snprintf(f->own[f->nown++], sizeof f->own[0], "%s", e->dn);
    return 0;
}

static int
on_account(void *ctx, const struct dir_entry *e)
{
    struct followers *f = ctx;

    for (size_t i = 0; i < f->nown; i++)
        if (dir_dn_below(e->dn, f->own[i]) == 1)
            return 0;
    f->n++;
    return 0;
}

int
org_home_followers(struct org *o, const char *dn, size_t *n_r)
{
    static const char *const none[] = {"1.1", NULL};
    static const char own[] = "(&(objectClass=postroadDepartment)(postroadHomeSite=*))";
    static const char accounts[] = "(&(objectClass=postroadAccount)(!(postroadHomeSite=*)))";
    static struct followers f; /* too large for the stack */
    int code;

    f.top = dn;
    f.nown = f.n = 0;
    code = dir_search(o->d, dn, DIR_SUB, own, none, on_own, &f);
    if (code == CTL_DONE)
        code = dir_search(o->d, dn, DIR_SUB, accounts, none, on_account, &f);
    if (code != CTL_DONE)
        return org_fail(o, code);
    *n_r = f.n;
    return CTL_DONE;
}

/* What the option would make of dn's home site, into now. */
static int
home_to_be(struct org *o, const char *dn, const char *given, char now[256])
{
    char from[ORG_DN_MAX];

    if (*given) {
        snprintf(now, 256, "%s", given);
        return CTL_DONE;
    }
    return org_inherited(o, dir_parent(dn), "postroadHomeSite", now, 256, from);
}

int
org_confirm_home(struct org *o, const char *dn)
{
    const char *given = ctl_value(o->ctl, "site");
    char before[256], now[256], from[ORG_DN_MAX];
    size_t n = 0;
    int code;

    if (!given)
        return CTL_DONE;
    code = org_inherited(o, dn, "postroadHomeSite", before, sizeof before, from);
    if (code == CTL_DONE)
        code = home_to_be(o, dn, given, now);
    if (code == CTL_DONE && *before && strcasecmp(before, now) != 0)
        code = org_home_followers(o, dn, &n);
    if (code != CTL_DONE || n == 0)
        return code;
    return org_confirm(o,
                       "The mail of %zu accounts will go to %s from now on, but their mailboxes "
                       "stay at %s:\n\"postroad user move-site\" moves both. Go on all the same?",
                       n, *now ? now : "nowhere", before);
}
