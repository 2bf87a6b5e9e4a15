/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * whoami: which server is asked, as whom, and what that name holds a role for: the
 * first thing to look at when the directory refuses something.
 */
#include <stdio.h>

#include "dir.h"
#include "text.h"

static json_t *
values(const struct dir_entry *e, const char *name)
{
    const struct dir_attr *a = e ? dir_attr(e, name) : NULL;
    json_t *list = json_array();

    for (size_t i = 0; a && i < a->n; i++)
        json_array_append_new(list, json_string(a->v[i].p));
    return list;
}

static void
show(const char *label, const char *value)
{
    printf("%-9s ", label);
    text_put(stdout, value);
    putchar('\n');
}

static void
show_entry(const struct dir_entry *e)
{
    static const char *const labels[][2] = {{"address", "mail"},
                                            {"state", "postroadState"},
                                            {"role", "postroadRole"},
                                            {"right", "postroadRight"},
                                            {"scope", "postroadScope"}};

    for (size_t i = 0; e && i < sizeof labels / sizeof *labels; i++) {
        const struct dir_attr *a = dir_attr(e, labels[i][1]);

        for (size_t j = 0; a && j < a->n; j++)
            show(labels[i][0], a->v[j].p);
    }
}

int
verb_whoami(struct ctl *ctl)
{
    static const char *const attrs[] = {"mail",          "postroadState", "postroadRole",
                                        "postroadRight", "postroadScope", NULL};
    struct dir_entry *e = NULL;
    struct dir *d;
    int code;

    if (ctl->argc != 0)
        return ctl_usage("whoami takes no argument");
    if ((code = dir_open(ctl, &d)) != CTL_DONE)
        return code;
    if (*dir_self(d))
        code = dir_find(d, dir_self(d), DIR_BASE, "(objectClass=*)", attrs, &e);
    if (code == CTL_TEMPORARY) {
        dir_fail(d, code);
    } else if (ctl->json) {
        ctl_print_json(json_pack("{s:b, s:s, s:s, s:s, s:s, s:o, s:o}", "ok", 1, "uri", dir_uri(d),
                                 "dn", dir_self(d), "address", e ? dir_value(e, "mail") : "",
                                 "role", e ? dir_value(e, "postroadRole") : "", "scope",
                                 values(e, "postroadScope"), "right", values(e, "postroadRight")));
        code = CTL_DONE;
    } else {
        show("server", dir_uri(d));
        show("you are", *dir_self(d) ? dir_self(d) : "nobody (anonymous)");
        show_entry(e);
        code = CTL_DONE;
    }
    dir_entry_free(&e);
    dir_close(&d);
    return code;
}
