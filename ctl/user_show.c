/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * user_show: what the directory holds of one person, as far as the caller may see
 * it: his own values, not those inherited; `postroad explain` shows what counts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "user.h"

static const struct row {
    const char *label, *attr;
} rows[] = {
    {"address", "mail"},
    {"name", "displayName"},
    {"cn", "cn"},
    {"given", "givenName"},
    {"surname", "sn"},
    {"alias", "postroadAlias"},
    {"forward", "postroadForward"},
    {"site", "postroadHomeSite"},
    {"standby", "postroadStandbySite"},
    {"state", "postroadState"},
    {"deny", "postroadDeny"},
    {"quota", "postroadQuota"},
    {"limit", "postroadLimit"},
    {"delegate", "postroadDelegate"},
    {"title", "title"},
    {"phone", "telephoneNumber"},
    {"mobile", "mobile"},
    {"uid", "uid"},
    {"role", "postroadRole"},
    {"scope", "postroadScope"},
    {"right", "postroadRight"},
};

static json_t *
values_json(const struct dir_attr *a)
{
    json_t *list;

    if (a->n == 1)
        return json_stringn(a->v[0].p, a->v[0].n);
    list = json_array();
    for (size_t i = 0; i < a->n; i++)
        json_array_append_new(list, json_stringn(a->v[i].p, a->v[i].n));
    return list;
}

static void
show_json(const struct dir_entry *e)
{
    json_t *j = json_pack("{s:b, s:s}", "ok", 1, "dn", e->dn);

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct dir_attr *a = dir_attr(e, rows[i].attr);

        if (a)
            json_object_set_new(j, rows[i].label, values_json(a));
    }
    ctl_print_json(j);
}

static void
show_value(const struct row *row, const char *value)
{
    char size[32];
    double bytes = strtod(value, NULL);

    text_put(stdout, value);
    if (strcmp(row->label, "quota") == 0)
        printf(bytes > 0 ? " (%s)" : " (no limit)%.0s", text_bytes(bytes, size));
    putchar('\n');
}

static void
show(const struct dir_entry *e)
{
    printf("%-9s ", "entry");
    text_put(stdout, e->dn);
    putchar('\n');
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct dir_attr *a = dir_attr(e, rows[i].attr);

        for (size_t j = 0; a && j < a->n; j++) {
            printf("%-9s ", j == 0 ? rows[i].label : "");
            show_value(&rows[i], a->v[j].p);
        }
    }
}

int
verb_user_show(struct ctl *ctl)
{
    struct dir_entry *e;
    struct dir *d;
    int code;

    if (ctl->argc != 1)
        return ctl_usage("user show takes one address");
    if ((code = dir_open(ctl, &d)) != CTL_DONE)
        return code;
    code = user_find(d, ctl->argv[0], &e);
    if (code != CTL_DONE)
        dir_fail(d, code);
    else if (ctl->json)
        show_json(e);
    else
        show(e);
    dir_entry_free(&e);
    dir_close(&d);
    return code;
}
