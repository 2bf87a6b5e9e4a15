/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * org, kinds: the verbs that domains, departments, lists and sites have in common:
 * show one, list all, change one. What is particular to a kind stands in its row,
 * struct org_kind, and in the functions it names.
 */
#include "org.h"
#include "text.h"

int
org_one(struct ctl *ctl, const struct org_kind *kind, org_use *use)
{
    struct dir_entry *e = NULL;
    struct org o = {.d = NULL};
    int code = org_open(&o, ctl, 1, 1, kind->args);

    if (code == CTL_DONE)
        code = kind->find(&o, ctl->argv[0], NULL, &e);
    if (code == CTL_DONE)
        code = use(&o, e);
    dir_entry_free(&e);
    return org_close(&o, code);
}

int
org_show(struct ctl *ctl, const struct org_kind *kind)
{
    struct dir_entry *e = NULL;
    struct org o = {.d = NULL};
    int code = org_open(&o, ctl, 1, 1, kind->args);

    if (code == CTL_DONE)
        code = kind->find(&o, ctl->argv[0], NULL, &e);
    if (code == CTL_DONE && ctl->json)
        ctl_print_json(org_json(e, kind->fields, kind->nfields));
    else if (code == CTL_DONE)
        org_print(e, kind->fields, kind->nfields);
    dir_entry_free(&e);
    return org_close(&o, code);
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

static int
change(struct org *o, const struct org_kind *kind, const struct dir_entry *e, org_fill *fill)
{
    struct dir_change *c = dir_change_new();
    char name[ORG_DN_MAX];
    int code = fill(o, e, c);

    if (code == CTL_DONE && dir_change_count(c) == 0)
        code = ctl_usage("what is to be changed? postroad help %s", kind->what);
    else if (code == CTL_DONE) {
        code = dir_modify(o->d, e->dn, c);
        code = code == CTL_DONE ? org_done(o, e->dn, "changed %s %s", kind->what,
                                           kind->name(e, name, sizeof name))
                                : org_fail(o, code);
    }
    dir_change_free(&c);
    return code;
}

int
org_modify(struct ctl *ctl, const struct org_kind *kind, org_fill *fill)
{
    struct dir_entry *e = NULL;
    struct org o = {.d = NULL};
    int code = org_open(&o, ctl, 1, 1, kind->args);

    if (code == CTL_DONE)
        code = kind->find(&o, ctl->argv[0], NULL, &e);
    if (code == CTL_DONE)
        code = change(&o, kind, e, fill);
    dir_entry_free(&e);
    return org_close(&o, code);
}
