/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * list: distribution lists. A new one is an organizationalRole with postroadList
 * on it, so that it may become empty; a list that is a groupOfNames is left what it
 * is. Members are in list_member.c.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "addr.h"
#include "list.h"
#include "text.h"

static const struct org_field fields[] = {
    {"address", "mail", 0},
    {"aliases", "postroadAlias", 1},
    {"description", "description", 0},
    {"state", "postroadState", 0},
    {"may write", "postroadSender", 1},
    {"may send as it", "postroadDelegate", 1},
    {"owners", "owner", 1},
    {"members", "member", 1},
    {"addresses", "postroadMember", 1},
};
#define FIELDS (sizeof fields / sizeof *fields)

static const char *
name_of(const struct dir_entry *e, char *out, size_t cap)
{
    snprintf(out, cap, "%s", dir_value(e, "mail"));
    return out;
}

static size_t
values(const struct dir_entry *e, const char *name)
{
    const struct dir_attr *a = dir_attr(e, name);

    return a ? a->n : 0;
}

static void
row(struct text_table *t, const struct dir_entry *e, json_t *j)
{
    const struct dir_attr *senders = dir_attr(e, "postroadSender");
    char may[512] = "", n[32];
    size_t used = 0;

    (void)j;
    for (size_t i = 0; senders && i < senders->n && used < sizeof may; i++)
        used += (size_t)snprintf(may + used, sizeof may - used, "%s%s", used ? " " : "",
                                 senders->v[i].p);
    snprintf(n, sizeof n, "%zu", values(e, "member") + values(e, "postroadMember"));
    text_row(t, (const char *[]){dir_value(e, "mail"), n, may, dir_value(e, "description")});
}

static const struct org_kind kind = {
    .what = "list",
    .args = "the address of the list",
    .find = org_list,
    .name = name_of,
    .fields = fields,
    .nfields = FIELDS,
    .filter = "(objectClass=postroadList)",
    .key = "lists",
    .heading = (const char *const[]){"list", "members", "may write", "description"},
    .right = "lrll",
    .row = row,
};

/* Who may write to it: a word, or an address. */
static int
check_sender(struct org *o, const char *value, char *out, size_t cap)
{
    static const char *const words[] = {"anyone", "domain", "department", "members"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(value, words[i]) == 0) {
            snprintf(out, cap, "%s", words[i]);
            return CTL_DONE;
        }
    if (!strchr(value, '@'))
        return ctl_usage("\"%s\": who may write is anyone, domain, department, members, or an "
                         "address",
                         value);
    return org_check_address(o, value, out, cap);
}

static int
check_owner(struct org *o, const char *value, char *out, size_t cap)
{
    static const char *const none[] = {"1.1", NULL};
    struct dir_entry *e = NULL;
    int code = org_account(o, value, none, &e);

    if (code == CTL_DONE)
        snprintf(out, cap, "%s", e->dn);
    dir_entry_free(&e);
    return code;
}

static int
check_free(struct org *o, const char *value, char *out, size_t cap)
{
    int code = org_check_address(o, value, out, cap);

    return code == CTL_DONE ? org_address_free(o, out) : code;
}

/* --- add --- */

static int
fill(struct org *o, struct dir_change *c, const char *mail, const char *name)
{
    int code;

    dir_change_value(c, DIR_ADD, "objectClass", "organizationalRole");
    dir_change_value(c, DIR_ADD, "objectClass", "postroadList");
    dir_change_value(c, DIR_ADD, "cn", name);
    dir_change_value(c, DIR_ADD, "mail", mail);
    code = org_option(o, c, DIR_ADD, "alias", "postroadAlias", check_free);
    if (code == CTL_DONE)
        code = org_option(o, c, DIR_ADD, "sender", "postroadSender", check_sender);
    if (code == CTL_DONE)
        code = org_option(o, c, DIR_ADD, "delegate", "postroadDelegate", org_check_address);
    if (code == CTL_DONE)
        code = org_option(o, c, DIR_ADD, "owner", "owner", check_owner);
    if (code == CTL_DONE)
        code = org_option(o, c, DIR_ADD, "description", "description", NULL);
    if (code == CTL_DONE)
        code = list_members(o, c);
    return code;
}

/* Where it goes: --under, else the entry of the address's domain. */
static int
place(struct org *o, const char *mail, char parent[ORG_DN_MAX])
{
    static const char *const none[] = {"1.1", NULL};
    const char *under = ctl_value(o->ctl, "under");
    struct dir_entry *e = NULL;
    int code =
        under ? org_container(o, under, none, &e) : org_domain(o, strrchr(mail, '@') + 1, none, &e);

    if (code == CTL_DONE)
        snprintf(parent, ORG_DN_MAX, "%s", e->dn);
    dir_entry_free(&e);
    return code;
}

static int
add(struct org *o, struct dir_change *c, const char *mail)
{
    char name[ADDR_MAX + 1], rdn[512], dn[ORG_DN_MAX], parent[ORG_DN_MAX];
    int code = place(o, mail, parent);

    snprintf(name, sizeof name, "%.*s", (int)(strrchr(mail, '@') - mail), mail);
    if (ctl_value(o->ctl, "name"))
        snprintf(name, sizeof name, "%s", ctl_value(o->ctl, "name"));
    if (code == CTL_DONE)
        code = fill(o, c, mail, name);
    if (code != CTL_DONE)
        return code;
    if (dir_rdn("cn", name, rdn, sizeof rdn) < 0 || dir_dn(rdn, parent, dn, sizeof dn) < 0)
        return ctl_usage("the name is empty or too long");
    code = dir_add(o->d, dn, c);
    return code == CTL_DONE ? org_done(o, dn, "added list %s", mail) : org_fail(o, code);
}

int
verb_list_add(struct ctl *ctl)
{
    char mail[ADDR_MAX + 1];
    struct dir_change *c = dir_change_new();
    struct org o = {.d = NULL};
    int code = ctl_needs_preset(ctl, "lists", "postroad");

    if (code == CTL_DONE)
        code = org_open(&o, ctl, 1, 1, "the address of the list");
    if (code == CTL_DONE)
        code = org_canon_address(&o, ctl->argv[0], 1, mail);
    if (code == CTL_DONE)
        code = org_address_free(&o, mail);
    if (code == CTL_DONE)
        code = add(&o, c, mail);
    dir_change_free(&c);
    return org_close(&o, code);
}

/* --- show, list --- */

int
verb_list_show(struct ctl *ctl)
{
    return org_show(ctl, &kind, NULL);
}

int
verb_list_list(struct ctl *ctl)
{
    return org_list_all(ctl, &kind, 1);
}

/* --- modify, delete --- */

static int
new_mail(struct org *o, struct dir_change *c)
{
    const char *value = ctl_value(o->ctl, "mail");
    char mail[ADDR_MAX + 1];
    int code;

    if (!value)
        return CTL_DONE;
    code = org_canon_address(o, value, 1, mail);
    if (code == CTL_DONE)
        code = org_address_free(o, mail);
    if (code == CTL_DONE)
        dir_change_value(c, DIR_REPLACE, "mail", mail);
    return code;
}

static int
modify(struct org *o, const struct dir_entry *e, struct dir_change *c)
{
    const struct {
        enum dir_op op;
        const char *option, *attr;
        org_check *check;
    } rows[] = {{DIR_ADD, "alias", "postroadAlias", check_free},
                {DIR_DELETE, "remove-alias", "postroadAlias", org_check_address},
                {DIR_ADD, "sender", "postroadSender", check_sender},
                {DIR_DELETE, "remove-sender", "postroadSender", check_sender},
                {DIR_ADD, "delegate", "postroadDelegate", org_check_address},
                {DIR_DELETE, "remove-delegate", "postroadDelegate", org_check_address},
                {DIR_ADD, "owner", "owner", check_owner},
                {DIR_DELETE, "remove-owner", "owner", check_owner}};
    int code = new_mail(o, c);

    (void)e;
    if (code == CTL_DONE)
        code = org_list_settings(o, c);
    for (size_t i = 0; code == CTL_DONE && i < sizeof rows / sizeof *rows; i++)
        code = org_option(o, c, rows[i].op, rows[i].option, rows[i].attr, rows[i].check);
    return code;
}

int
verb_list_modify(struct ctl *ctl)
{
    return org_modify(ctl, &kind, modify);
}

static int delete (struct org *o, const struct dir_entry *e)
{
    return org_delete(o, e->dn, "list", dir_value(e, "mail"),
                      "Mail to it will be refused as to an unknown address.");
}

int
verb_list_delete(struct ctl *ctl)
{
    return org_one(ctl, &kind, delete);
}
