/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * place: see place.h. A domain is found by its name, never by taking a DN apart;
 * the server compares, so that case and spelling are its business.
 */
#include "place.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "addr.h"

int
place_domain(struct dir *d, const char *name, struct dir_entry **e_r)
{
    static const char *const attrs[] = {"associatedDomain", "dc", "postroadState", NULL};
    char value[3 * ADDR_DOMAIN_MAX + 1], filter[4 * ADDR_DOMAIN_MAX];
    int code;

    *e_r = NULL;
    if (dir_filter_escape(name, value, sizeof value) < 0)
        return dir_refuse(d, CTL_NO, "\"%.100s\" is no name of a domain", name);
    snprintf(filter, sizeof filter, "(&(objectClass=postroadDomain)(associatedDomain=%s))", value);
    code = dir_find(d, dir_base(d), DIR_SUB, filter, attrs, e_r);
    if (code == CTL_NO && dir_was_missing(d))
        return dir_refuse(d, CTL_NO,
                          "there is no domain %s in the directory, or you may not see it", name);
    return code;
}

void
place_domain_name(const struct dir_entry *domain, char out[256])
{
    char rdn[256];
    const char *first = dir_value(domain, "associatedDomain");

    if (dir_rdn_value(domain->dn, rdn, sizeof rdn) > 0 && dir_has(domain, "associatedDomain", rdn))
        first = rdn;
    if (addr_domain_canon(first, strlen(first), out) < 0)
        out[0] = '\0';
}

/* Whether dn is there. What it is, is not asked: people sit below other things than departments too. */
static int
is_there(struct dir *d, const char *dn, const char *path)
{
    static const char *const none[] = {"1.1", NULL};
    struct dir_entry *e;
    int code = dir_find(d, dn, DIR_BASE, "(objectClass=*)", none, &e);

    dir_entry_free(&e);
    if (code == CTL_NO && dir_was_missing(d))
        return dir_refuse(d, CTL_NO, "there is no department \"%s\" (%s), or you may not see it",
                          path, dn);
    return code;
}

/* One name of the path, up to an unescaped "/", into name. What follows it; NULL: too long. */
static const char *
next_name(const char *path, char name[256])
{
    size_t n = 0;

    while (*path && *path != '/') {
        if (*path == '\\' && path[1] == '/')
            path++;
        if (n == 255)
            return NULL;
        name[n++] = *path++;
    }
    name[n] = '\0';
    return *path ? path + 1 : path;
}

int
place_department(struct dir *d, const char *domain_dn, const char *path, char dn[PLACE_DN_MAX])
{
    char name[256], rdn[1024], below[PLACE_DN_MAX];
    const char *rest = path;

    if (dir_is_dn(path)) {
        if (!dir_dn_below(path, domain_dn) || strlen(path) >= PLACE_DN_MAX)
            return dir_refuse(d, CTL_NO, "%s is not below the domain %s", path, domain_dn);
        strcpy(dn, path);
        return is_there(d, dn, path);
    }
    snprintf(dn, PLACE_DN_MAX, "%s", domain_dn);
    while (*rest) {
        if (!(rest = next_name(rest, name)))
            return dir_refuse(d, CTL_NO, "the department's path is too long");
        if (!*name)
            continue;
        strcpy(below, dn);
        if (dir_rdn("ou", name, rdn, sizeof rdn) < 0 || dir_dn(rdn, below, dn, PLACE_DN_MAX) < 0)
            return dir_refuse(d, CTL_NO, "the department's path is too long");
    }
    return is_there(d, dn, path);
}

int
place_site(struct dir *d, const char *name)
{
    static const char *const none[] = {"1.1", NULL};
    char value[512], filter[600];
    struct dir_entry *e;
    int code;

    if (dir_filter_escape(name, value, sizeof value) < 0)
        return dir_refuse(d, CTL_NO, "\"%.64s\" is no name of a site", name);
    snprintf(filter, sizeof filter, "(&(objectClass=postroadSite)(cn=%s))", value);
    code = dir_find(d, dir_base(d), DIR_SUB, filter, none, &e);
    dir_entry_free(&e);
    if (code == CTL_NO && dir_was_missing(d))
        return dir_refuse(d, CTL_NO,
                          "there is no site \"%s\" in the directory, or you may not see it", name);
    return code;
}
