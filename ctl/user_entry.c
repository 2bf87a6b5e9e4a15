/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * user_entry: the entry of a new person: inetOrgPerson and postroadAccount, named
 * by uid below the department, with a cn and sn made up from what was said when
 * they were not; and how somebody is found again.
 */
#include <stdio.h>
#include <string.h>

#include "addr.h"
#include "claim.h"
#include "user.h"

/* The address's part before the @, without quotes. */
static void
local_part(const struct user *u, char out[ADDR_MAX + 1])
{
    const char *address = u->value[USER_ADDRESS], *at = strrchr(address, '@');
    size_t n = at ? (size_t)(at - address) : strlen(address), used = 0;

    for (size_t i = 0; i < n; i++) {
        if (address[i] == '\\' && i + 1 < n)
            out[used++] = address[++i];
        else if (address[i] != '"')
            out[used++] = address[i];
    }
    out[used] = '\0';
}

static const char *
said(const struct user *u, enum user_field f)
{
    return u->value[f] && *u->value[f] ? u->value[f] : NULL;
}

/* What people call him: the name, else given name and surname, else the local part. */
static void
full_name(const struct user *u, char *out, size_t cap)
{
    char local[ADDR_MAX + 1];

    local_part(u, local);
    if (said(u, USER_NAME))
        snprintf(out, cap, "%s", said(u, USER_NAME));
    else if (said(u, USER_GIVEN) && said(u, USER_SURNAME))
        snprintf(out, cap, "%s %s", said(u, USER_GIVEN), said(u, USER_SURNAME));
    else
        snprintf(out, cap, "%s",
                 said(u, USER_SURNAME) ? said(u, USER_SURNAME)
                 : said(u, USER_GIVEN) ? said(u, USER_GIVEN)
                                       : local);
}

/* person must have an sn: the surname, else the last word of the name. */
static void
add_names(struct dir_change *c, const struct user *u)
{
    char name[600];
    const char *last;

    full_name(u, name, sizeof name);
    last = strrchr(name, ' ');
    dir_change_value(c, DIR_ADD, "cn", name);
    dir_change_value(c, DIR_ADD, "sn",
                     said(u, USER_SURNAME) ? said(u, USER_SURNAME)
                     : last && last[1]     ? last + 1
                                           : name);
}

struct dir_change *
user_entry(const struct user *u)
{
    struct dir_change *c = dir_change_new();
    char value[4200];

    if (!c)
        return NULL;
    dir_change_value(c, DIR_ADD, "objectClass", "inetOrgPerson");
    dir_change_value(c, DIR_ADD, "objectClass", "postroadAccount");
    if (said(u, USER_UID)) {
        dir_change_value(c, DIR_ADD, "uid", said(u, USER_UID));
    } else {
        local_part(u, value);
        dir_change_value(c, DIR_ADD, "uid", value);
    }
    add_names(c, u);
    for (int f = 0; f < USER_FIELDS; f++) {
        const char *at = NULL, *attr = user_field_attr((enum user_field)f);

        if (f == USER_UID || f == USER_SURNAME || !attr)
            continue;
        while (user_next(u, (enum user_field)f, &at, value, sizeof value))
            dir_change_value(c, DIR_ADD, attr, value);
    }
    return c;
}

int
user_rdn(const struct user *u, char *out, size_t cap, char *error, size_t error_n)
{
    char local[ADDR_MAX + 1];

    local_part(u, local);
    if (dir_rdn("uid", said(u, USER_UID) ? said(u, USER_UID) : local, out, cap) >= 0)
        return 0;
    snprintf(error, error_n, "uid: \"%.80s\" can't be the name of an entry", local);
    return -1;
}

int
user_find(struct dir *d, const char *who, struct dir_entry **e_r)
{
    char filter[8 * ADDR_MAX + 1024];
    struct addr a;
    int code;

    *e_r = NULL;
    if (dir_is_dn(who)) {
        code = dir_find(d, who, DIR_BASE, "(objectClass=postroadAccount)", user_attrs, e_r);
    } else {
        if (addr_parse(&a, who, strlen(who), "") != 1)
            return dir_refuse(d, CTL_USAGE, "\"%.200s\" is neither a mail address nor a DN", who);
        if (claim_account_filter(dir_ctl(d)->conf, a.text, filter, sizeof filter) < 0)
            return dir_refuse(d, CTL_NO, "the account filter is too long");
        code = dir_find(d, dir_base(d), DIR_SUB, filter, user_attrs, e_r);
    }
    if (code == CTL_NO && dir_was_missing(d))
        return dir_refuse(d, CTL_NO, "nobody has the address %s, as far as you may see", who);
    return code;
}

int
user_place(struct dir *d, const struct user *u, char parent[PLACE_DN_MAX])
{
    const char *name = strrchr(u->value[USER_ADDRESS], '@') + 1;
    const char *path = said(u, USER_DEPARTMENT);
    char primary[256];
    struct dir_entry *domain;
    int code = place_domain(d, name, &domain);

    if (code != CTL_DONE)
        return code;
    place_domain_name(domain, primary);
    if (*primary && strcmp(primary, name) != 0)
        code = dir_refuse(d, CTL_NO,
                          "%s is another name of %s: give the address there, mail to both arrives",
                          name, primary);
    else
        code = place_department(d, domain->dn, path ? path : "", parent);
    dir_entry_free(&domain);
    return code;
}
