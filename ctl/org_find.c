/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * org, finding: entries by the names people use. A name that means several
 * entries is refused with all of them, never guessed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "claim.h"
#include "org.h"

#define FILTER_MAX 2304
#define SHOWN      5

struct found {
    size_t n;
    char dn[SHOWN][ORG_DN_MAX];
};

static int
on_found(void *ctx, const struct dir_entry *e)
{
    struct found *f = ctx;

    if (f->n < SHOWN)
        snprintf(f->dn[f->n], ORG_DN_MAX, "%s", e->dn);
    f->n++;
    return 0;
}

int
org_count(struct org *o, const char *base, enum dir_scope scope, const char *filter, size_t *n_r,
          char *first_r)
{
    static const char *const none[] = {"1.1", NULL};
    struct found f = {.n = 0};
    int code = dir_search(o->d, base, scope, filter, none, on_found, &f);

    if (code != CTL_DONE)
        return org_fail(o, code);
    *n_r = f.n;
    if (first_r)
        snprintf(first_r, ORG_DN_MAX, "%s", f.n ? f.dn[0] : "");
    return CTL_DONE;
}

static int
say_several(struct org *o, const char *what, const char *name, const struct found *f)
{
    char list[SHOWN * 256] = "";
    size_t n = 0;

    for (size_t i = 0; i < f->n && i < SHOWN && n < sizeof list - 1; i++)
        n += (size_t)snprintf(list + n, sizeof list - n, "\n  %s", f->dn[i]);
    return ctl_fail(o->ctl, CTL_NO, "%zu %s are called \"%s\"; give the whole name, or a DN:%s",
                    f->n, what, name, list);
}

/* The only entry that matches. */
static int
the_one(struct org *o, const char *base, enum dir_scope scope, const char *filter, const char *what,
        const char *name, const char *const attrs[], struct dir_entry **e_r)
{
    static const char *const none[] = {"1.1", NULL};
    struct found f = {.n = 0};
    int code = dir_search(o->d, base, scope, filter, none, on_found, &f);

    if (code != CTL_DONE)
        return org_fail(o, code);
    if (f.n == 0)
        return ctl_fail(o->ctl, CTL_NO, "there is no %s \"%s\", or you may not see it", what, name);
    if (f.n > 1)
        return say_several(o, what, name, &f);
    code = dir_find(o->d, f.dn[0], DIR_BASE, "(objectClass=*)", attrs, e_r);
    return code == CTL_DONE ? CTL_DONE : org_fail(o, code);
}

static int
is_dn(const char *name)
{
    const char *eq = strchr(name, '='), *at = strchr(name, '@');

    return eq && (!at || eq < at) &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                        "0123456789-.") == (size_t)(eq - name);
}

/* filter: with one %s for the escaped name. A DN is looked up as it is, if it is of this class. */
static int
by_name(struct org *o, const char *class, const char *filter, const char *what, const char *name,
        const char *const attrs[], struct dir_entry **e_r)
{
    char value[1024], text[FILTER_MAX];

    snprintf(text, sizeof text, "(objectClass=%s)", class);
    if (is_dn(name))
        return the_one(o, name, DIR_BASE, text, what, name, attrs, e_r);
    if (dir_filter_escape(name, value, sizeof value) < 0)
        return ctl_fail(o->ctl, CTL_NO, "there is no %s with so long a name", what);
    snprintf(text, sizeof text, filter, class, value, value);
    return the_one(o, dir_base(o->d), DIR_SUB, text, what, name, attrs, e_r);
}

int
org_domain(struct org *o, const char *name, const char *const attrs[], struct dir_entry **e_r)
{
    char canon[ADDR_DOMAIN_MAX + 1];

    if (!is_dn(name) && addr_domain_canon(name, strlen(name), canon) > 0)
        name = canon;
    return by_name(o, "postroadDomain", "(&(objectClass=%s)(associatedDomain=%s))", "domain", name,
                   attrs, e_r);
}

int
org_account(struct org *o, const char *address, const char *const attrs[], struct dir_entry **e_r)
{
    return by_name(o, "postroadAccount", "(&(objectClass=%s)(|(mail=%s)(postroadAlias=%s)))",
                   "account", address, attrs, e_r);
}

int
org_list(struct org *o, const char *address, const char *const attrs[], struct dir_entry **e_r)
{
    return by_name(o, "postroadList", "(&(objectClass=%s)(|(mail=%s)(postroadAlias=%s)))", "list",
                   address, attrs, e_r);
}

int
org_site(struct org *o, const char *name, const char *const attrs[], struct dir_entry **e_r)
{
    return by_name(o, "postroadSite", "(&(objectClass=%s)(cn=%s))", "site", name, attrs, e_r);
}

int
org_server(struct org *o, const char *name, const char *const attrs[], struct dir_entry **e_r)
{
    static const char *const none[] = {"1.1", NULL};
    const char *slash = strchr(name, '/');
    char site[256], value[512], filter[FILTER_MAX];
    struct dir_entry *s = NULL;
    int code;

    if (is_dn(name))
        return by_name(o, "postroadServer", "", "server", name, attrs, e_r);
    if (!slash || dir_filter_escape(slash + 1, value, sizeof value) < 0)
        return ctl_usage("\"%s\" is no server: write SITE/SERVER", name);
    snprintf(site, sizeof site, "%.*s", (int)(slash - name), name);
    code = org_site(o, site, none, &s);
    if (code != CTL_DONE)
        return code;
    snprintf(filter, sizeof filter, "(&(objectClass=postroadServer)(cn=%s))", value);
    code = the_one(o, s->dn, DIR_ONE, filter, "server", name, attrs, e_r);
    dir_entry_free(&s);
    return code;
}

/* --- departments --- */

/* The filter for a department called so: -1 when the name is too long. */
static int
department_filter(const char *name, char filter[FILTER_MAX])
{
    char value[1024];

    if (dir_filter_escape(name, value, sizeof value) < 0)
        return -1;
    snprintf(filter, FILTER_MAX, "(&(objectClass=postroadDepartment)(ou=%s))", value);
    return 0;
}

/* One step down from *dn; the last one of the path may also stand deeper, if it is the only one. */
static int
step(struct org *o, char dn[ORG_DN_MAX], const char *name, int anywhere, const char *path)
{
    static const char *const none[] = {"1.1", NULL};
    char filter[FILTER_MAX], first[ORG_DN_MAX];
    struct dir_entry *e = NULL;
    size_t n;
    int code;

    if (department_filter(name, filter) < 0)
        return ctl_usage("\"%s\" is too long for a department's name", name);
    code = org_count(o, dn, DIR_ONE, filter, &n, first);
    if (code == CTL_DONE && n == 1)
        snprintf(dn, ORG_DN_MAX, "%s", first);
    if (code != CTL_DONE || n == 1)
        return code;
    code = the_one(o, dn, anywhere ? DIR_SUB : DIR_ONE, filter, "department", path, none, &e);
    if (code == CTL_DONE)
        snprintf(dn, ORG_DN_MAX, "%s", e->dn);
    dir_entry_free(&e);
    return code;
}

/* Down the path, which is cut into its parts. */
static int
descend(struct org *o, char dn[ORG_DN_MAX], char *rest, const char *path)
{
    int code = CTL_DONE, first = 1;

    for (char *next; code == CTL_DONE && rest; rest = next, first = 0) {
        next = strchr(rest, '/');
        if (next)
            *next++ = '\0';
        code = step(o, dn, rest, first && !next, path);
    }
    return code;
}

int
org_department(struct org *o, const char *path, const char *const attrs[], struct dir_entry **e_r)
{
    static const char *const none[] = {"1.1", NULL};
    char copy[ORG_DN_MAX], dn[ORG_DN_MAX], *slash;
    struct dir_entry *domain = NULL;
    int code;

    if (is_dn(path))
        return by_name(o, "postroadDepartment", "", "department", path, attrs, e_r);
    snprintf(copy, sizeof copy, "%s", path);
    slash = strchr(copy, '/');
    if (!slash || !slash[1])
        return ctl_usage("\"%s\" is no department: write DOMAIN/NAME, nested ones "
                         "DOMAIN/NAME/NAME",
                         path);
    *slash = '\0';
    code = org_domain(o, copy, none, &domain);
    if (code != CTL_DONE)
        return code;
    snprintf(dn, sizeof dn, "%s", domain->dn);
    dir_entry_free(&domain);
    code = descend(o, dn, slash + 1, path);
    if (code != CTL_DONE)
        return code;
    code = dir_find(o->d, dn, DIR_BASE, "(objectClass=*)", attrs, e_r);
    return code == CTL_DONE ? CTL_DONE : org_fail(o, code);
}

int
org_container(struct org *o, const char *path, const char *const attrs[], struct dir_entry **e_r)
{
    static const char class[] = "(|(objectClass=postroadDomain)(objectClass=postroadDepartment))";

    if (is_dn(path))
        return the_one(o, path, DIR_BASE, class, "domain or department", path, attrs, e_r);
    return strchr(path, '/') ? org_department(o, path, attrs, e_r)
                             : org_domain(o, path, attrs, e_r);
}

const char *
org_path(const char *dn, char *out, size_t cap)
{
    char value[512], path[ORG_DN_MAX] = "", next[ORG_DN_MAX];

    for (const char *p = dn; *p; p = dir_parent(p)) {
        if (dir_rdn_value(p, value, sizeof value) < 0)
            break;
        snprintf(next, sizeof next, "%s%s%s", value, *path ? "/" : "", path);
        snprintf(path, sizeof path, "%s", next);
        if (strncmp(p, "dc=", 3) == 0) {
            snprintf(out, cap, "%s", path);
            return out;
        }
    }
    snprintf(out, cap, "%s", dn);
    return out;
}

/* --- what must not be there yet --- */

int
org_address_free(struct org *o, const char *address)
{
    int code = claim_free(o->d, &address, 1, NULL);

    return code == CTL_DONE ? CTL_DONE : org_fail(o, code);
}

int
org_domain_free(struct org *o, const char *name)
{
    char value[1024], filter[FILTER_MAX], dn[ORG_DN_MAX];
    size_t n;
    int code;

    if (dir_filter_escape(name, value, sizeof value) < 0)
        return ctl_usage("the domain name is too long");
    snprintf(filter, sizeof filter, "(&(objectClass=postroadDomain)(associatedDomain=%s))", value);
    code = org_count(o, dir_base(o->d), DIR_SUB, filter, &n, dn);
    if (code != CTL_DONE || n == 0)
        return code;
    return ctl_fail(o->ctl, CTL_NO,
                    "%s is taken: %s has it. A domain name belongs to one entry only", name, dn);
}
