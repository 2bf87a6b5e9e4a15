/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * user_scan: see user_scan.h. The domains are read first; then the people come as
 * the server sends them, and are handed on one by one, however many there are.
 */
#include "user_scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "place.h"
#include "user.h"

struct domain {
    char *dn;
    char name[256];
};

struct scan {
    struct domain *domains;
    size_t n, cap;
    user_scan_fn *fn;
    void *ctx;
    /* of the parent seen last: people of one department come together */
    char *parent;
    const struct domain *domain;
    char department[PLACE_DN_MAX];
    int failed;
};

static int
on_domain(void *ctx, const struct dir_entry *e)
{
    struct scan *s = ctx;
    struct domain *more = s->domains;

    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 16;

        if (!(more = realloc(s->domains, cap * sizeof *more)))
            return s->failed = 1;
        s->domains = more;
        s->cap = cap;
    }
    if (!(more[s->n].dn = strdup(e->dn)))
        return s->failed = 1;
    place_domain_name(e, more[s->n++].name);
    return 0;
}

/* The nearest domain above, and the names between it and parent. */
static void
place_parent(struct scan *s, const char *parent)
{
    size_t longest = 0;

    free(s->parent);
    s->parent = strdup(parent);
    s->domain = NULL;
    s->department[0] = '\0';
    for (size_t i = 0; i < s->n; i++)
        if (strlen(s->domains[i].dn) > longest && dir_dn_below(parent, s->domains[i].dn)) {
            longest = strlen(s->domains[i].dn);
            s->domain = &s->domains[i];
        }
    if (s->domain)
        dir_path(parent, s->domain->dn, s->department, sizeof s->department);
}

static int
on_entry(void *ctx, const struct dir_entry *e)
{
    struct scan *s = ctx;
    const char *parent = dir_parent(e->dn);

    if (!s->parent || strcmp(s->parent, parent) != 0)
        place_parent(s, parent);
    return s->fn(s->ctx, e, s->domain ? s->domain->name : "", s->department);
}

/* Where to look: the whole base, a domain, or a department of one. */
static int
find_base(struct dir *d, char base[PLACE_DN_MAX])
{
    const char *name = ctl_value(dir_ctl(d), "domain"), *path = ctl_value(dir_ctl(d), "department");
    char canon[ADDR_DOMAIN_MAX + 1];
    struct dir_entry *e;
    int code;

    snprintf(base, PLACE_DN_MAX, "%s", dir_base(d));
    if (!name && path && dir_is_dn(path))
        return place_department(d, dir_base(d), path, base);
    if (!name && path)
        return dir_refuse(d, CTL_USAGE, "--department: of which --domain?");
    if (!name)
        return CTL_DONE;
    if (addr_domain_canon(name, strlen(name), canon) < 0)
        return dir_refuse(d, CTL_USAGE, "--domain: \"%.100s\" is no name of a domain", name);
    if ((code = place_domain(d, canon, &e)) != CTL_DONE)
        return code;
    code = place_department(d, e->dn, path ? path : "", base);
    dir_entry_free(&e);
    return code;
}

int
user_scan(struct dir *d, user_scan_fn *fn, void *ctx)
{
    static const char *const attrs[] = {"associatedDomain", NULL};
    struct scan s = {.fn = fn, .ctx = ctx};
    char base[PLACE_DN_MAX];
    int code = find_base(d, base);

    if (code == CTL_DONE)
        code = dir_search(d, dir_base(d), DIR_SUB, "(objectClass=postroadDomain)", attrs, on_domain,
                          &s);
    if (code == CTL_DONE && !s.failed)
        code =
            dir_search(d, base, DIR_SUB, "(objectClass=postroadAccount)", user_attrs, on_entry, &s);
    if (s.failed)
        code = dir_refuse(d, CTL_TEMPORARY, "no memory");
    for (size_t i = 0; i < s.n; i++)
        free(s.domains[i].dn);
    free(s.domains);
    free(s.parent);
    return code;
}
