/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * org: begin and end of a verb that changes the organisation in the directory.
 * Must not decide who may do something: the directory server does.
 */
#include <stdarg.h>
#include <stdio.h>

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
