/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * user_list: everybody of a domain or department, as far as the caller may see
 * them. What is written as a table here is written as a CSV file by export.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "addr.h"
#include "text.h"
#include "user.h"
#include "user_scan.h"

struct listing {
    const struct ctl *ctl;
    struct text_table t;
    json_t *rows;
    const char *state, *site;
    size_t n;
};

static const char *
name_of(const struct dir_entry *e)
{
    return *dir_value(e, "displayName") ? dir_value(e, "displayName") : dir_value(e, "cn");
}

/* Whether the entry's own value is the one asked for; "active" is what nothing else is said of. */
static int
wanted(const struct listing *l, const struct dir_entry *e)
{
    const char *state = dir_value(e, "postroadState");

    if (l->state && strcasecmp(*state ? state : "active", l->state) != 0)
        return 0;
    return !l->site || strcasecmp(dir_value(e, "postroadHomeSite"), l->site) == 0;
}

static int
on_user(void *ctx, const struct dir_entry *e, const char *domain, const char *department)
{
    struct listing *l = ctx;
    const char *state = dir_value(e, "postroadState"), *role = dir_value(e, "postroadRole");

    if (!wanted(l, e))
        return 0;
    if (l->n++ == 0 && !l->ctl->json)
        text_row(&l->t,
                 (const char *const[]){"address", "name", "department", "site", "state", "role"});
    if (l->ctl->json) {
        json_array_append_new(l->rows,
                              json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "dn", e->dn,
                                        "address", dir_value(e, "mail"), "name", name_of(e),
                                        "domain", domain, "department", department, "state",
                                        *state ? state : "active", "role", role));
        return 0;
    }
    return text_row(&l->t, (const char *const[]){dir_value(e, "mail"), name_of(e), department,
                                                 dir_value(e, "postroadHomeSite"),
                                                 *state ? state : "active", role});
}

int
verb_user_list(struct ctl *ctl)
{
    struct listing l = {.ctl = ctl,
                        .t = {.columns = 6},
                        .rows = json_array(),
                        .state = ctl_value(ctl, "state"),
                        .site = ctl_value(ctl, "site")};
    struct dir *d;
    int code;

    if (ctl->argc != 0)
        return ctl_usage("user list takes options only");
    if ((code = dir_open(ctl, &d)) != CTL_DONE)
        return code;
    code = user_scan(d, on_user, &l);
    if (code != CTL_DONE)
        dir_fail(d, code);
    else if (ctl->json)
        ctl_print_json(json_pack("{s:b, s:O}", "ok", 1, "users", l.rows));
    else if (l.n == 0)
        fputs("postroad: nobody there, as far as you may see\n", stderr);
    text_table_end(&l.t, 0);
    json_decref(l.rows);
    dir_close(&d);
    return code == CTL_DONE && l.n == 0 ? CTL_NO : code;
}
