/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * org: begin and end of a verb that changes the organisation in the directory.
 * Must not decide who may do something: the directory server does.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "org.h"
#include "text.h"

int
org_open(struct org *o, struct ctl *ctl, int least, int most, const char *args)
{
    o->ctl = ctl;
    o->d = NULL;
    if (ctl->argc < least || (most >= 0 && ctl->argc > most))
        return ctl_usage("which? It takes %s", args);
    return dir_open(ctl, &o->d);
}

int
org_close(struct org *o, int code)
{
    dir_close(&o->d);
    return code;
}

int
org_fail(const struct org *o, int code)
{
    return dir_fail(o->d, code);
}

static int
add_above(struct org *o, const char *dn, const char *class)
{
    struct dir_change *c = dir_change_new();
    char attr[64], value[512];
    int code = CTL_NO;

    snprintf(attr, sizeof attr, "%.*s", (int)strcspn(dn, "="), dn);
    if (dir_rdn_value(dn, value, sizeof value) > 0) {
        dir_change_value(c, DIR_ADD, "objectClass", class);
        dir_change_value(c, DIR_ADD, attr, value);
        code = dir_add(o->d, dn, c);
    }
    dir_change_free(&c);
    return code;
}

int
org_add(struct org *o, const char *dn, struct dir_change *c, const char *class)
{
    int code = dir_add(o->d, dn, c);

    if (code == CTL_NO && class && dir_was_missing(o->d)) {
        code = add_above(o, dir_parent(dn), class);
        if (code == CTL_DONE)
            code = dir_add(o->d, dn, c);
    }
    return code == CTL_DONE ? CTL_DONE : org_fail(o, code);
}

int
org_done(const struct org *o, const char *dn, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    if (dir_dry(o->d))
        return CTL_DONE;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (o->ctl->json) {
        ctl_print_json(json_pack("{s:b, s:s, s:s}", "ok", 1, "dn", dn, "done", text));
        return CTL_DONE;
    }
    text_put(stdout, text);
    putchar('\n');
    return CTL_DONE;
}
