/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * department: nested organizational units below a domain, each with defaults for
 * who is in it. Written as DOMAIN/NAME/NAME from the top down.
 */
#include <stdio.h>
#include <string.h>

#include "org.h"
#include "text.h"

static const struct org_field fields[] = {
    {"name", "ou", 0},
    {"description", "description", 0},
    {"home site", "postroadHomeSite", 0},
    {"standby site", "postroadStandbySite", 0},
    {"state", "postroadState", 0},
    {"quota", "postroadQuota", 0},
    {"withheld", "postroadDeny", 1},
    {"limits", "postroadLimit", 1},
};
#define FIELDS (sizeof fields / sizeof *fields)

static const char *
name_of(const struct dir_entry *e, char *out, size_t cap)
{
    return org_path(e->dn, out, cap);
}

static void
row(struct text_table *t, const struct dir_entry *e, json_t *j)
{
    char path[ORG_DN_MAX];

    json_object_set_new(j, "path", json_string(org_path(e->dn, path, sizeof path)));
    text_row(t, (const char *[]){path, dir_value(e, "postroadHomeSite"),
                                 dir_value(e, "postroadState"), dir_value(e, "description")});
}

static const struct org_kind kind = {
    .what = "department",
    .args = "one DOMAIN/NAME",
    .find = org_department,
    .name = name_of,
    .fields = fields,
    .nfields = FIELDS,
    .filter = "(objectClass=postroadDepartment)",
    .key = "departments",
    .heading = (const char *const[]){"department", "home site", "state", "description"},
    .right = "llll",
    .row = row,
};

/* --- add --- */

/* "a.example/sales/east": what stands before the last slash into above; the name, or NULL. */
static const char *
split(const char *path, char above[ORG_DN_MAX])
{
    const char *slash = strrchr(path, '/');

    if (!slash || slash == path || !slash[1] || slash - path >= ORG_DN_MAX)
        return NULL;
    snprintf(above, ORG_DN_MAX, "%.*s", (int)(slash - path), path);
    return slash + 1;
}

static int
add_below(struct org *o, const char *parent, const char *name)
{
    char rdn[512], dn[ORG_DN_MAX], path[ORG_DN_MAX];
    struct dir_change *c = dir_change_new();
    int code;

    if (dir_rdn("ou", name, rdn, sizeof rdn) < 0 || dir_dn(rdn, parent, dn, sizeof dn) < 0) {
        dir_change_free(&c);
        return ctl_usage("the name is too long");
    }
    dir_change_value(c, DIR_ADD, "objectClass", "organizationalUnit");
    dir_change_value(c, DIR_ADD, "objectClass", "postroadDepartment");
    dir_change_value(c, DIR_ADD, "ou", name);
    code = org_settings(o, NULL, c);
    if (code == CTL_DONE) {
        code = dir_add(o->d, dn, c);
        code = code == CTL_DONE
                   ? org_done(o, dn, "added department %s", org_path(dn, path, sizeof path))
                   : org_fail(o, code);
    }
    dir_change_free(&c);
    return code;
}

int
verb_department_add(struct ctl *ctl)
{
    static const char *const attrs[] = {"1.1", NULL};
    struct dir_entry *parent = NULL;
    char above[ORG_DN_MAX];
    const char *name = ctl->argc == 1 ? split(ctl->argv[0], above) : NULL;
    struct org o = {.d = NULL};
    int code = org_open(&o, ctl, 1, 1, "one DOMAIN/NAME");

    if (code == CTL_DONE && !name)
        code = ctl_usage("\"%s\" is no department: write DOMAIN/NAME, nested ones "
                         "DOMAIN/NAME/NAME",
                         ctl->argv[0]);
    if (code == CTL_DONE)
        code = org_container(&o, above, attrs, &parent);
    if (code == CTL_DONE)
        code = add_below(&o, parent->dn, name);
    dir_entry_free(&parent);
    return org_close(&o, code);
}

/* --- show, list --- */

static int
show_inherited(struct org *o, const struct dir_entry *e, json_t *j)
{
    static const char *const rows[][2] = {{"home site", "postroadHomeSite"},
                                          {"standby site", "postroadStandbySite"},
                                          {"quota", "postroadQuota"}};
    char value[256], from[ORG_DN_MAX], path[ORG_DN_MAX], key[64];
    int code = CTL_DONE;

    for (size_t i = 0; code == CTL_DONE && i < sizeof rows / sizeof *rows; i++) {
        if (*dir_value(e, rows[i][1]))
            continue;
        code = org_inherited(o, dir_parent(e->dn), rows[i][1], value, sizeof value, from);
        if (code != CTL_DONE || !*value)
            continue;
        if (j)
            json_object_set_new(j, org_key(rows[i][0], key),
                                json_pack("{s:s, s:s}", "value", value, "from", from));
        else
            printf("%-13s %s, from %s\n", rows[i][0], value, org_path(from, path, sizeof path));
    }
    return code;
}

static int
more(struct org *o, const struct dir_entry *e, json_t *j)
{
    json_t *inherited = j ? json_object() : NULL;
    int code = show_inherited(o, e, inherited);

    if (code == CTL_DONE && j)
        json_object_set(j, "inherited", inherited);
    json_decref(inherited);
    return code == CTL_DONE ? org_show_people(o, e, j) : code;
}

int
verb_department_show(struct ctl *ctl)
{
    return org_show(ctl, &kind, more);
}

int
verb_department_list(struct ctl *ctl)
{
    return org_list_all(ctl, &kind, 1);
}

/* --- modify, delete --- */

static int
modify(struct org *o, const struct dir_entry *e, struct dir_change *c)
{
    int code = org_settings(o, e, c);

    return code == CTL_DONE ? org_confirm_home(o, e->dn) : code;
}

int
verb_department_modify(struct ctl *ctl)
{
    return org_modify(ctl, &kind, modify);
}

static int delete (struct org *o, const struct dir_entry *e)
{
    char path[ORG_DN_MAX];

    return org_delete(o, e->dn, "department", org_path(e->dn, path, sizeof path),
                      "Whoever administers it no longer does.");
}

int
verb_department_delete(struct ctl *ctl)
{
    return org_one(ctl, &kind, delete);
}
