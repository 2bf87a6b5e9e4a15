/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * admin: who administers what. A role is three attributes at the administrator's own
 * entry (role, scopes, rights beyond managing) and membership in the gate group,
 * which the directory's rules look at first.
 *
 * Promises: interrupted between its two writes, neither grant nor revoke leaves
 * somebody with more than he had: a role counts only for members of the gate. Doing
 * it again does the rest; admin_list.c shows halves. The role is written first and
 * taken away last, because the directory's rules let into the gate, and out of it,
 * only who holds one.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "admin.h"
#include "text.h"

static const char *const attrs[] = {"mail",          "postroadRole",  "postroadScope",
                                    "postroadRight", "postroadState", NULL};

const char *
admin_gate(struct org *o, char dn[ORG_DN_MAX])
{
    const char *set = o->ctl->conf->rights.admins;

    if (*set)
        snprintf(dn, ORG_DN_MAX, "%s", set);
    else
        snprintf(dn, ORG_DN_MAX, "cn=admins,cn=roles,%s", dir_base(o->d));
    return dn;
}

/* Whether dn is a member of the gate group: 1, 0; -1 after saying why. */
static int
in_gate(struct org *o, const char *dn, int *code_r)
{
    static const char *const member[] = {"member", NULL};
    char gate[ORG_DN_MAX];
    struct dir_entry *e = NULL;
    const struct dir_attr *a;
    int in = 0;

    *code_r = dir_find(o->d, admin_gate(o, gate), DIR_BASE, "(objectClass=*)", member, &e);
    if (*code_r != CTL_DONE) {
        org_fail(o, *code_r);
        return -1;
    }
    a = dir_attr(e, "member");
    for (size_t i = 0; a && i < a->n && !in; i++)
        in = dir_dn_same(a->v[i].p, dn) == 1;
    dir_entry_free(&e);
    return in;
}

static int
gate_change(struct org *o, const char *dn, enum dir_op op)
{
    struct dir_change *c = dir_change_new();
    char gate[ORG_DN_MAX];
    int code, in = in_gate(o, dn, &code);

    if (in >= 0 && in != (op == DIR_ADD)) {
        dir_change_value(c, op, "member", dn);
        code = dir_modify(o->d, admin_gate(o, gate), c);
        if (code != CTL_DONE)
            org_fail(o, code);
    }
    dir_change_free(&c);
    return code;
}

/* --- grant --- */

/* The DN a --scope means: a domain, a department, or a DN as it is. */
static int
check_scope(struct org *o, const char *value, char *out, size_t cap)
{
    static const char *const none[] = {"1.1", NULL};
    struct dir_entry *e = NULL;
    int code;

    if (strchr(value, '=')) {
        code = dir_find(o->d, value, DIR_BASE, "(objectClass=*)", none, &e);
        if (code == CTL_NO)
            return ctl_fail(o->ctl, CTL_NO, "the scope %s is no entry, or you may not see it",
                            value);
        if (code != CTL_DONE)
            return org_fail(o, code);
    } else if ((code = org_container(o, value, none, &e)) != CTL_DONE)
        return code;
    snprintf(out, cap, "%s", e->dn);
    dir_entry_free(&e);
    return CTL_DONE;
}

static int
check_right(struct org *o, const char *value, char *out, size_t cap)
{
    static const char *const words[] = {"read-mail", "write-mail", "approve", "audit"};

    (void)o;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasecmp(value, words[i]) == 0) {
            snprintf(out, cap, "%s", words[i]);
            return CTL_DONE;
        }
    return ctl_usage("\"%s\" is no right: known are read-mail write-mail approve audit", value);
}

static int
check_role(struct org *o, const char *role)
{
    int system = strcmp(role, "system") == 0, scoped = ctl_value(o->ctl, "scope") != NULL;

    if (!system && strcmp(role, "super") != 0 && strcmp(role, "domain") != 0 &&
        strcmp(role, "department") != 0)
        return ctl_usage("\"%s\" is no role: known are system super domain department", role);
    if (system && scoped)
        return ctl_usage("a system administrator administers everything: no --scope");
    if (!system && !scoped)
        return ctl_usage("a role but system needs at least one --scope: DOMAIN, DOMAIN/DEPARTMENT "
                         "or a DN");
    return CTL_DONE;
}

static enum dir_op
put(const struct dir_entry *e, const char *attr)
{
    return dir_attr(e, attr) ? DIR_REPLACE : DIR_ADD;
}

/* What the entry holds afterwards is all said here: role, scopes and rights, in one change. */
static int
write_role(struct org *o, const struct dir_entry *e, const char *role)
{
    struct dir_change *c = dir_change_new();
    int code;

    dir_change_value(c, put(e, "postroadRole"), "postroadRole", role);
    if (!ctl_value(o->ctl, "scope") && dir_attr(e, "postroadScope"))
        dir_change_value(c, DIR_REPLACE, "postroadScope", NULL);
    code = org_option(o, c, put(e, "postroadScope"), "scope", "postroadScope", check_scope);
    if (!ctl_value(o->ctl, "right") && dir_attr(e, "postroadRight"))
        dir_change_value(c, DIR_REPLACE, "postroadRight", NULL);
    if (code == CTL_DONE)
        code = org_option(o, c, put(e, "postroadRight"), "right", "postroadRight", check_right);
    if (code == CTL_DONE && (code = dir_modify(o->d, e->dn, c)) != CTL_DONE)
        org_fail(o, code);
    dir_change_free(&c);
    return code;
}

static int
grant(struct org *o, const struct dir_entry *e, const char *role)
{
    const char *had = dir_value(e, "postroadRole"), *who = dir_value(e, "mail");
    int code = CTL_DONE;

    if (*had && strcasecmp(had, role) != 0)
        code = org_confirm(o, "%s is a %s administrator already and becomes a %s one. Go on?", who,
                           had, role);
    if (code == CTL_DONE)
        code = write_role(o, e, role);
    if (code == CTL_DONE)
        code = gate_change(o, e->dn, DIR_ADD);
    return code == CTL_DONE ? org_done(o, e->dn, "%s is a %s administrator now", who, role) : code;
}

int
verb_admin_grant(struct ctl *ctl)
{
    struct dir_entry *e = NULL;
    struct org o = {.d = NULL};
    int code = org_open(&o, ctl, 2, 2, "an address and a role");

    if (code == CTL_DONE)
        code = check_role(&o, ctl->argv[1]);
    if (code == CTL_DONE)
        code = org_account(&o, ctl->argv[0], attrs, &e);
    if (code == CTL_DONE)
        code = grant(&o, e, ctl->argv[1]);
    dir_entry_free(&e);
    return org_close(&o, code);
}

/* --- revoke --- */

static int
revoke(struct org *o, const struct dir_entry *e)
{
    static const char *const gone[] = {"postroadRight", "postroadScope", "postroadRole"};
    struct dir_change *c = dir_change_new();
    int code = gate_change(o, e->dn, DIR_DELETE);

    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
        if (dir_attr(e, gone[i]))
            dir_change_value(c, DIR_DELETE, gone[i], NULL);
    if (code == CTL_DONE && dir_change_count(c) > 0 &&
        (code = dir_modify(o->d, e->dn, c)) != CTL_DONE)
        org_fail(o, code);
    dir_change_free(&c);
    return code == CTL_DONE ? org_done(o, e->dn, "%s administers nothing any more",
                                       *dir_value(e, "mail") ? dir_value(e, "mail") : e->dn)
                            : code;
}

/* A DN that is no entry any more, but may still be in the gate group. */
static int
is_gone(struct org *o, const char *dn)
{
    static const char *const none[] = {"1.1", NULL};
    struct dir_entry *e = NULL;
    int code;

    if (strchr(dn, '@') || !strchr(dn, '='))
        return 0;
    code = dir_find(o->d, dn, DIR_BASE, "(objectClass=*)", none, &e);
    dir_entry_free(&e);
    return code == CTL_NO && dir_was_missing(o->d);
}

static int
revoke_gone(struct org *o, const char *dn)
{
    int code = gate_change(o, dn, DIR_DELETE);

    return code == CTL_DONE ? org_done(o, dn, "%s is in the gate group no more", dn) : code;
}

int
verb_admin_revoke(struct ctl *ctl)
{
    struct dir_entry *e = NULL;
    struct org o = {.d = NULL};
    int code = org_open(&o, ctl, 1, 1, "one address");

    if (code == CTL_DONE && is_gone(&o, ctl->argv[0]))
        return org_close(&o, revoke_gone(&o, ctl->argv[0]));
    if (code == CTL_DONE)
        code = org_account(&o, ctl->argv[0], attrs, &e);
    if (code == CTL_DONE)
        code = org_confirm(&o, "Take the role \"%s\" from %s?", dir_value(e, "postroadRole"),
                           ctl->argv[0]);
    if (code == CTL_DONE)
        code = revoke(&o, e);
    dir_entry_free(&e);
    return org_close(&o, code);
}
