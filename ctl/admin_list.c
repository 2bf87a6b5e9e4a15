/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * admin list: everybody with a role, and what does not fit together: a role without
 * the gate group, the gate group without a role, a scope that is no entry any more,
 * a role without a scope. Each with the command that mends it. Only reads.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "admin.h"
#include "text.h"

struct admins {
    struct org *o;
    struct dir_entry *gate;
    char *seen; /* one for each member of the gate: it holds a role */
    struct text_table table;
    json_t *json, *bad;
};

static int
is_member(struct admins *a, const char *dn)
{
    const struct dir_attr *m = a->gate ? dir_attr(a->gate, "member") : NULL;
    int in = 0;

    for (size_t i = 0; m && i < m->n; i++)
        if (dir_dn_same(m->v[i].p, dn) == 1)
            in = a->seen[i] = 1;
    return in;
}

static void
complain(struct admins *a, const char *dn, const char *what, const char *mend)
{
    json_array_append_new(a->bad,
                          json_pack("{s:s, s:s, s:s}", "dn", dn, "what", what, "mend", mend));
}

static void
join(const struct dir_entry *e, const char *attr, int paths, char *out, size_t cap)
{
    const struct dir_attr *a = dir_attr(e, attr);
    char path[ORG_DN_MAX];
    size_t n = 0;

    *out = '\0';
    for (size_t i = 0; a && i < a->n && n < cap; i++)
        n += (size_t)snprintf(out + n, cap - n, "%s%s", n ? " " : "",
                              paths ? org_path(a->v[i].p, path, sizeof path) : a->v[i].p);
}

static int
on_admin(void *ctx, const struct dir_entry *e)
{
    static const struct org_field fields[] = {{"address", "mail", 0},
                                              {"role", "postroadRole", 0},
                                              {"scopes", "postroadScope", 1},
                                              {"rights", "postroadRight", 1},
                                              {"state", "postroadState", 0}};
    struct admins *a = ctx;
    const char *role = dir_value(e, "postroadRole");
    char scopes[1024], rights[256], mend[600];

    json_array_append_new(a->json, org_json(e, fields, sizeof fields / sizeof *fields));
    join(e, "postroadScope", 1, scopes, sizeof scopes);
    join(e, "postroadRight", 0, rights, sizeof rights);
    text_row(&a->table, (const char *[]){dir_value(e, "mail"), role, scopes, rights,
                                         dir_value(e, "postroadState")});
    if (!is_member(a, e->dn)) {
        snprintf(mend, sizeof mend, "postroad admin grant %s %s again, or revoke it",
                 dir_value(e, "mail"), role);
        complain(a, e->dn,
                 "has a role, but is not in the gate group: the role counts for nothing "
                 "in the directory",
                 mend);
    }
    if (strcasecmp(role, "system") != 0 && !dir_attr(e, "postroadScope")) {
        snprintf(mend, sizeof mend, "postroad admin grant %s %s --scope …, or revoke it",
                 dir_value(e, "mail"), role);
        complain(a, e->dn, "has a role without a scope: it holds nowhere", mend);
    }
    return 0;
}

/* Scopes of everybody: whether they are entries. */
static int
check_scopes(struct admins *a)
{
    static const char *const none[] = {"1.1", NULL};
    json_t *admin, *scope;
    size_t i, j;

    json_array_foreach(a->json, i, admin)
    {
        json_array_foreach(json_object_get(admin, "scopes"), j, scope)
        {
            struct dir_entry *e = NULL;
            const char *dn = json_string_value(scope);
            int code = dir_find(a->o->d, dn, DIR_BASE, "(objectClass=*)", none, &e);
            char what[ORG_DN_MAX + 64];

            dir_entry_free(&e);
            if (code == CTL_TEMPORARY)
                return org_fail(a->o, code);
            if (code == CTL_DONE)
                continue;
            snprintf(what, sizeof what, "has the scope %s, which is no entry", dn);
            complain(a, json_string_value(json_object_get(admin, "dn")), what,
                     "postroad admin grant again, with the scopes that are right");
        }
    }
    return CTL_DONE;
}

/* Members of the gate that hold no role. */
static void
check_gate(struct admins *a)
{
    const struct dir_attr *m = a->gate ? dir_attr(a->gate, "member") : NULL;
    char mend[ORG_DN_MAX + 64];

    for (size_t i = 0; m && i < m->n; i++) {
        if (a->seen[i])
            continue;
        snprintf(mend, sizeof mend, "postroad admin revoke '%s'", (const char *)m->v[i].p);
        complain(a, m->v[i].p, "is in the gate group, but has no role, or is gone", mend);
    }
}

static int
collect(struct admins *a)
{
    static const char *const member[] = {"member", NULL};
    char dn[ORG_DN_MAX];
    const struct dir_attr *m;
    int code =
        dir_find(a->o->d, admin_gate(a->o, dn), DIR_BASE, "(objectClass=*)", member, &a->gate);

    if (code == CTL_TEMPORARY)
        return org_fail(a->o, code);
    if (code == CTL_NO)
        complain(a, dn, "is the gate group, and is not there, or you may not see it",
                 "postroad ldap-config");
    m = a->gate ? dir_attr(a->gate, "member") : NULL;
    a->seen = calloc(m ? m->n + 1 : 1, 1);
    code = a->seen ? dir_search(a->o->d, dir_base(a->o->d), DIR_SUB, "(postroadRole=*)", NULL,
                                on_admin, a)
                   : CTL_TEMPORARY;
    if (code != CTL_DONE)
        return org_fail(a->o, code);
    check_gate(a);
    return check_scopes(a);
}

static void
print(struct admins *a)
{
    json_t *row;
    size_t i;

    text_table_end(&a->table, 0);
    if (json_array_size(a->bad) > 0)
        puts("\nNeeds attention:");
    json_array_foreach(a->bad, i, row)
    {
        printf("  * ");
        text_put(stdout, json_string_value(json_object_get(row, "dn")));
        putchar(' ');
        text_put(stdout, json_string_value(json_object_get(row, "what")));
        printf("\n    mend it: ");
        text_put(stdout, json_string_value(json_object_get(row, "mend")));
        putchar('\n');
    }
}

int
verb_admin_list(struct ctl *ctl)
{
    struct org o = {.d = NULL};
    struct admins a = {.o = &o,
                       .table = {.columns = 5, .right = "lllll"},
                       .json = json_array(),
                       .bad = json_array()};
    int code = org_open(&o, ctl, 0, 0, "no argument");

    if (code == CTL_DONE) {
        text_row(&a.table, (const char *[]){"administrator", "role", "scopes", "rights", "state"});
        code = collect(&a);
    }
    if (code == CTL_DONE && ctl->json)
        ctl_print_json(json_pack("{s:b, s:O, s:O}", "ok", 1, "admins", a.json, "trouble", a.bad));
    else if (code == CTL_DONE)
        print(&a);
    if (code == CTL_DONE && json_array_size(a.bad) > 0)
        code = CTL_NO;
    text_table_drop(&a.table);
    json_decref(a.json);
    json_decref(a.bad);
    dir_entry_free(&a.gate);
    free(a.seen);
    return org_close(&o, code);
}
