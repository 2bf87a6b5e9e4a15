/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * org, showing: an entry with the names people know, and the question before
 * something is destroyed.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "org.h"
#include "text.h"

int
org_confirm(const struct org *o, const char *fmt, ...)
{
    char text[2048], answer[16];
    va_list ap;

    if (ctl_value(o->ctl, "yes") || dir_dry(o->d))
        return CTL_DONE;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (o->ctl->json || !isatty(STDIN_FILENO))
        return ctl_fail(o->ctl, CTL_USAGE,
                        "%s\nNobody can be asked here: nothing was changed. "
                        "With --yes it is done without asking.",
                        text);
    fprintf(stderr, "%s [y/N] ", text);
    if (fgets(answer, sizeof answer, stdin) && (*answer == 'y' || *answer == 'Y'))
        return CTL_DONE;
    return ctl_fail(o->ctl, CTL_NO, "nothing was changed");
}

static json_t *
value_json(const struct dir_attr *a, int many)
{
    json_t *list;

    if (!many)
        return a && a->n ? json_stringn(a->v[0].p, a->v[0].n) : json_null();
    list = json_array();
    for (size_t i = 0; a && i < a->n; i++)
        json_array_append_new(list, json_stringn(a->v[i].p, a->v[i].n));
    return list;
}

const char *
org_key(const char *label, char out[64])
{
    size_t i = 0;

    for (; label[i] && i < 63; i++)
        out[i] = label[i];
    out[i] = '\0';
    for (i = 0; out[i]; i++)
        if (out[i] == ' ' || out[i] == '-')
            out[i] = '_';
    return out;
}

json_t *
org_json(const struct dir_entry *e, const struct org_field *fields, size_t n)
{
    json_t *o = json_pack("{s:s}", "dn", e->dn);
    char key[64];

    for (size_t i = 0; i < n; i++)
        json_object_set_new(o, org_key(fields[i].label, key),
                            value_json(dir_attr(e, fields[i].attr), fields[i].many));
    return o;
}

void
org_print(const struct dir_entry *e, const struct org_field *fields, size_t n)
{
    printf("%-13s ", "dn");
    text_put(stdout, e->dn);
    putchar('\n');
    for (size_t i = 0; i < n; i++) {
        const struct dir_attr *a = dir_attr(e, fields[i].attr);

        for (size_t j = 0; a && j < a->n; j++) {
            printf("%-13s ", fields[i].label);
            text_put(stdout, a->v[j].p);
            putchar('\n');
        }
    }
}
