/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * addressbook export: the people and lists of everything, of one domain or of one
 * department, for programs that want a file: vCard 4.0, CSV or LDIF. Asks the
 * directory as whoever calls, for what everybody may read; any user can do it.
 */
#include <stdio.h>
#include <string.h>

#include "addressbook.h"

static const char *const attrs[] = {
    "objectClass",     "cn",     "sn",    "givenName", "displayName", "mail", "postroadAlias",
    "telephoneNumber", "mobile", "title", NULL};

const char *
addressbook_name(const struct dir_entry *e)
{
    const char *name = dir_value(e, "displayName");

    name = *name ? name : dir_value(e, "cn");
    return *name ? name : dir_value(e, "mail");
}

int
addressbook_is_list(const struct dir_entry *e)
{
    return dir_has(e, "objectClass", "postroadList");
}

const char *
addressbook_place(const struct dir_entry *e, char *out, size_t cap)
{
    return org_path(dir_parent(e->dn), out, cap);
}

struct export
{
    const struct addressbook_format *format;
    size_t n;
};

static int
on_entry(void *ctx, const struct dir_entry *e)
{
    struct export *x = ctx;

    if (!*dir_value(e, "mail"))
        return 0;
    x->format->entry(e);
    x->n++;
    return ferror(stdout);
}

static const struct addressbook_format *
format_of(const struct ctl *ctl)
{
    static const struct addressbook_format *const formats[] = {&addressbook_vcard, &addressbook_csv,
                                                               &addressbook_ldif};
    const char *name = ctl_value(ctl, "format");

    if (!name)
        return formats[0];
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(formats[i]->name, name) == 0)
            return formats[i];
    return NULL;
}

int
verb_addressbook_export(struct ctl *ctl)
{
    static const char *const none[] = {"1.1", NULL};
    static const char filter[] =
        "(&(mail=*)(|(objectClass=postroadAccount)(objectClass=postroadList)))";
    struct export x = {format_of(ctl), 0};
    struct dir_entry *top = NULL;
    struct org o = {.d = NULL};
    int code;

    if (!x.format || ctl->json)
        return ctl_usage("addressbook export writes --format vcard, csv or ldif");
    code = org_open(&o, ctl, 0, 1, "at most one domain or department");
    if (code == CTL_DONE && ctl->argc)
        code = org_container(&o, ctl->argv[0], none, &top);
    if (code == CTL_DONE) {
        if (x.format->begin)
            x.format->begin();
        code = dir_search(o.d, top ? top->dn : dir_base(o.d), DIR_SUB, filter, attrs, on_entry, &x);
        if (code != CTL_DONE)
            org_fail(&o, code);
    }
    if (code == CTL_DONE)
        fprintf(stderr, "%zu entries\n", x.n);
    dir_entry_free(&top);
    return org_close(&o, code);
}
