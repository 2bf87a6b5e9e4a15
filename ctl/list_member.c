/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * list, members: added and taken away by address, whatever form the directory keeps
 * them in: people with an entry by DN, so that they stay members when their address
 * changes, others by address.
 */
#include <stdio.h>
#include <string.h>

#include "addr.h"
#include "list.h"
#include "text.h"

/* The one entry that has the address, into dn; "" when nobody has. */
static int
owner_of(struct org *o, const char *address, char dn[ORG_DN_MAX])
{
    char value[1024], filter[2560];
    size_t n;
    int code;

    if (dir_filter_escape(address, value, sizeof value) < 0)
        return ctl_usage("the address is too long");
    snprintf(filter, sizeof filter,
             "(&(|(objectClass=postroadAccount)(objectClass=postroadList))"
             "(|(mail=%s)(postroadAlias=%s)))",
             value, value);
    code = org_count(o, dir_base(o->d), DIR_SUB, filter, &n, dn);
    if (code == CTL_DONE && n > 1)
        return ctl_fail(o->ctl, CTL_NO,
                        "%zu entries have the address %s; \"postroad status\" shows how to mend it",
                        n, address);
    return code;
}

/* Whether its domain is one of ours. */
static int
is_ours(struct org *o, const char *address, int *ours_r)
{
    char value[1024], filter[1200];
    size_t n = 0;
    int code;

    if (dir_filter_escape(strrchr(address, '@') + 1, value, sizeof value) < 0)
        return ctl_usage("the address is too long");
    snprintf(filter, sizeof filter, "(&(objectClass=postroadDomain)(associatedDomain=%s))", value);
    code = org_count(o, dir_base(o->d), DIR_SUB, filter, &n, NULL);
    *ours_r = n > 0;
    return code;
}

/* One that is to be added: an address of ours must be somebody's. */
static int
add_one(struct org *o, struct dir_change *c, const char *canon, const char *dn)
{
    int ours = 0, code = CTL_DONE;

    if (*dn) {
        dir_change_value(c, DIR_ADD, "member", dn);
        return CTL_DONE;
    }
    code = is_ours(o, canon, &ours);
    if (code == CTL_DONE && ours)
        return ctl_fail(o->ctl, CTL_NO,
                        "nobody has the address %s, but its domain is ours: mail to it would come "
                        "back",
                        canon);
    if (code == CTL_DONE)
        dir_change_value(c, DIR_ADD, "postroadMember", canon);
    return code;
}

static int
remove_one(struct org *o, struct dir_change *c, const struct dir_entry *list, const char *canon,
           const char *dn)
{
    const struct dir_attr *members = dir_attr(list, "member");

    if (dir_has(list, "postroadMember", canon)) {
        dir_change_value(c, DIR_DELETE, "postroadMember", canon);
        return CTL_DONE;
    }
    for (size_t i = 0; *dn && members && i < members->n; i++)
        if (dir_dn_same(members->v[i].p, dn) == 1) {
            dir_change_value(c, DIR_DELETE, "member", members->v[i].p);
            return CTL_DONE;
        }
    return ctl_fail(o->ctl, CTL_NO, "%s is no member of %s", *canon ? canon : dn,
                    dir_value(list, "mail"));
}

/* list NULL: a new one. Whoever is a member already is no news. */
static int
one(struct org *o, struct dir_change *c, enum dir_op op, const char *text,
    const struct dir_entry *list)
{
    const struct dir_attr *members = list ? dir_attr(list, "member") : NULL;
    char canon[ADDR_MAX + 1] = "", dn[ORG_DN_MAX] = "";
    int code = CTL_DONE;

    if (op == DIR_DELETE && !strchr(text, '@') && strchr(text, '=')) {
        snprintf(dn, sizeof dn, "%s", text); /* somebody who is gone has no address */
        return remove_one(o, c, list, canon, dn);
    }
    code = org_canon_address(o, text, 0, canon);
    if (code == CTL_DONE)
        code = owner_of(o, canon, dn);
    if (code != CTL_DONE || op == DIR_DELETE)
        return code == CTL_DONE ? remove_one(o, c, list, canon, dn) : code;
    if (list && dir_has(list, "postroadMember", canon))
        return CTL_DONE;
    for (size_t i = 0; *dn && members && i < members->n; i++)
        if (dir_dn_same(members->v[i].p, dn) == 1)
            return CTL_DONE;
    return add_one(o, c, canon, dn);
}

int
list_members(struct org *o, struct dir_change *c)
{
    const char *value;
    size_t at = 0;
    int code = CTL_DONE;

    while (code == CTL_DONE && (value = ctl_next_value(o->ctl, "member", &at)))
        code = one(o, c, DIR_ADD, value, NULL);
    return code;
}

/* --- list member list --- */

/* "Name <address>" of a member's entry, or what is wrong with it. */
static int
print_member(struct org *o, const char *dn, json_t *json)
{
    static const char *const attrs[] = {"mail", "displayName", "cn", NULL};
    struct dir_entry *e = NULL;
    int code = dir_find(o->d, dn, DIR_BASE, "(objectClass=*)", attrs, &e);
    const char *mail = "", *name = "";

    if (code == CTL_TEMPORARY)
        return org_fail(o, code);
    if (code == CTL_DONE) {
        mail = dir_value(e, "mail");
        name = dir_value(e, "displayName");
        name = *name ? name : dir_value(e, "cn");
    }
    json_array_append_new(json,
                          json_pack("{s:s, s:s, s:s}", "address", mail, "name", name, "dn", dn));
    if (!o->ctl->json) {
        text_pad(stdout, *mail ? mail : "(no address)", 32);
        putchar(' ');
        text_put(stdout, code == CTL_DONE ? name : dn);
        putchar('\n');
    }
    dir_entry_free(&e);
    return CTL_DONE;
}

static int
print_members(struct org *o, const struct dir_entry *list)
{
    const struct dir_attr *dns = dir_attr(list, "member");
    const struct dir_attr *others = dir_attr(list, "postroadMember");
    json_t *json = json_array();
    int code = CTL_DONE;

    for (size_t i = 0; code == CTL_DONE && dns && i < dns->n; i++)
        code = print_member(o, dns->v[i].p, json);
    for (size_t i = 0; code == CTL_DONE && others && i < others->n; i++) {
        json_array_append_new(json, json_pack("{s:s}", "address", others->v[i].p));
        if (!o->ctl->json) {
            text_put(stdout, others->v[i].p);
            putchar('\n');
        }
    }
    if (code == CTL_DONE && o->ctl->json)
        ctl_print_json(json_pack("{s:b, s:s, s:O}", "ok", 1, "list", dir_value(list, "mail"),
                                 "members", json));
    json_decref(json);
    return code;
}

/* --- list member add, remove --- */

static int
change(struct org *o, const struct dir_entry *list, enum dir_op op)
{
    struct dir_change *c = dir_change_new();
    struct ctl *ctl = o->ctl;
    int code = CTL_DONE;

    for (int i = 2; code == CTL_DONE && i < ctl->argc; i++)
        code = one(o, c, op, ctl->argv[i], list);
    if (code == CTL_DONE && dir_change_count(c) == 0)
        code = org_done(o, list->dn, "nothing to do: all are members of %s already",
                        dir_value(list, "mail"));
    else if (code == CTL_DONE) {
        code = dir_modify(o->d, list->dn, c);
        code = code == CTL_DONE
                   ? org_done(o, list->dn, "%s %d %s %s", op == DIR_ADD ? "added" : "removed",
                              ctl->argc - 2, op == DIR_ADD ? "to" : "from", dir_value(list, "mail"))
                   : org_fail(o, code);
    }
    dir_change_free(&c);
    return code;
}

int
verb_list_member(struct ctl *ctl)
{
    static const char *const attrs[] = {"mail", "member", "postroadMember", NULL};
    static const char args[] = "add LIST ADDRESS..., remove LIST ADDRESS... or list LIST";
    const char *what = ctl->argc ? ctl->argv[0] : "";
    int list = strcmp(what, "list") == 0, remove = strcmp(what, "remove") == 0, code;
    struct dir_entry *e = NULL;
    struct org o = {.d = NULL};

    if (!list && !remove && strcmp(what, "add") != 0)
        return ctl_usage("list member takes %s", args);
    code = org_open(&o, ctl, list ? 2 : 3, list ? 2 : -1, args);
    if (code == CTL_DONE)
        code = org_list(&o, ctl->argv[1], attrs, &e);
    if (code == CTL_DONE)
        code = list ? print_members(&o, e) : change(&o, e, remove ? DIR_DELETE : DIR_ADD);
    dir_entry_free(&e);
    return org_close(&o, code);
}
