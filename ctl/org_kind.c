/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * org, kinds: the verbs that domains, departments, lists and sites have in common:
 * show one, list all, change one. What is particular to a kind stands in its row,
 * struct org_kind, and in the functions it names.
 */
#include <stdio.h>

#include "org.h"
#include "text.h"

/* Find the entry the argument names, and hand it to use with ctx. */
static int
with_entry(struct ctl *ctl, const struct org_kind *kind,
           int (*use)(struct org *o, const struct dir_entry *e, void *ctx), void *ctx)
{
    struct dir_entry *e = NULL;
    struct org o = {.d = NULL};
    int code = org_open(&o, ctl, 1, 1, kind->args);

    if (code == CTL_DONE)
        code = kind->find(&o, ctl->argv[0], NULL, &e);
    if (code == CTL_DONE)
        code = use(&o, e, ctx);
    dir_entry_free(&e);
    return org_close(&o, code);
}

static int
use_plainly(struct org *o, const struct dir_entry *e, void *ctx)
{
    org_use *const *use = ctx;

    return (*use)(o, e);
}

int
org_one(struct ctl *ctl, const struct org_kind *kind, org_use *use)
{
    return with_entry(ctl, kind, use_plainly, &use);
}

struct showing {
    const struct org_kind *kind;
    org_more *more;
};

static int
show(struct org *o, const struct dir_entry *e, void *ctx)
{
    const struct showing *s = ctx;
    json_t *j = o->ctl->json ? org_json(e, s->kind->fields, s->kind->nfields) : NULL;
    int code;

    if (!j)
        org_print(e, s->kind->fields, s->kind->nfields);
    code = s->more ? s->more(o, e, j) : CTL_DONE;
    if (code == CTL_DONE && j)
        ctl_print_json(json_incref(j));
    json_decref(j);
    return code;
}

int
org_show(struct ctl *ctl, const struct org_kind *kind, org_more *more)
{
    struct showing s = {kind, more};

    return with_entry(ctl, kind, show, &s);
}

int
org_show_people(struct org *o, const struct dir_entry *e, json_t *j)
{
    size_t n = 0;
    int code = org_count(o, e->dn, DIR_SUB, "(objectClass=postroadAccount)", &n, NULL);

    if (code == CTL_DONE && j)
        json_object_set_new(j, "accounts", json_integer((json_int_t)n));
    else if (code == CTL_DONE)
        printf("%-13s %zu\n", "accounts", n);
    return code;
}

struct listing {
    const struct org_kind *kind;
    struct text_table table;
    json_t *json;
};

static int
on_entry(void *ctx, const struct dir_entry *e)
{
    struct listing *l = ctx;
    json_t *j = org_json(e, l->kind->fields, l->kind->nfields);

    l->kind->row(&l->table, e, j);
    json_array_append_new(l->json, j);
    return 0;
}

int
org_list_all(struct ctl *ctl, const struct org_kind *kind, int may_have_top)
{
    static const char *const none[] = {"1.1", NULL};
    struct listing l = {kind, {.columns = 4, .right = kind->right}, json_array()};
    struct dir_entry *top = NULL;
    struct org o = {.d = NULL};
    int code = org_open(&o, ctl, 0, may_have_top,
                        may_have_top ? "at most one domain or department" : "no argument");

    if (code == CTL_DONE && ctl->argc)
        code = org_container(&o, ctl->argv[0], none, &top);
    if (code == CTL_DONE) {
        text_row(&l.table, kind->heading);
        code = dir_search(o.d, top ? top->dn : dir_base(o.d), DIR_SUB, kind->filter, NULL, on_entry,
                          &l);
        if (code != CTL_DONE)
            org_fail(&o, code);
    }
    if (code == CTL_DONE && ctl->json)
        ctl_print_json(json_pack("{s:b, s:O}", "ok", 1, kind->key, l.json));
    else if (code == CTL_DONE)
        text_table_end(&l.table, 0);
    text_table_drop(&l.table);
    json_decref(l.json);
    dir_entry_free(&top);
    return org_close(&o, code);
}

struct changing {
    const struct org_kind *kind;
    org_fill *fill;
};

static int
change(struct org *o, const struct dir_entry *e, void *ctx)
{
    const struct changing *m = ctx;
    struct dir_change *c = dir_change_new();
    char name[ORG_DN_MAX];
    int code = m->fill(o, e, c);

    if (code == CTL_DONE && dir_change_count(c) == 0)
        code = ctl_usage("what is to be changed? postroad help %s", m->kind->what);
    else if (code == CTL_DONE) {
        code = dir_modify(o->d, e->dn, c);
        code = code == CTL_DONE ? org_done(o, e->dn, "changed %s %s", m->kind->what,
                                           m->kind->name(e, name, sizeof name))
                                : org_fail(o, code);
    }
    dir_change_free(&c);
    return code;
}

int
org_modify(struct ctl *ctl, const struct org_kind *kind, org_fill *fill)
{
    struct changing m = {kind, fill};

    return with_entry(ctl, kind, change, &m);
}
