/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * user_export: everybody of a domain or department as a CSV file that import takes,
 * and that a spreadsheet opens without calculating. Passwords, roles and what is
 * inherited are not in it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "addr.h"
#include "csv.h"
#include "user.h"
#include "user_scan.h"

struct exporting {
    const struct ctl *ctl;
    json_t *rows;
    char *buf;
    size_t cap, n, failed;
};

static char *
room(struct exporting *x, size_t n)
{
    char *more = n <= x->cap ? x->buf : realloc(x->buf, n * 2);

    if (more && more != x->buf) {
        x->buf = more;
        x->cap = n * 2;
    }
    return more;
}

/* All values of an attribute in one field, blanks between. Into out; its length. */
static size_t
join(const struct dir_attr *a, char *out, size_t cap)
{
    size_t n = 0;

    for (size_t i = 0; a && i < a->n; i++) {
        if (n + a->v[i].n + 2 > cap)
            break;
        if (i > 0)
            out[n++] = ' ';
        memcpy(out + n, a->v[i].p, a->v[i].n);
        n += a->v[i].n;
    }
    out[n] = '\0';
    return n;
}

/* What an import would have to say to get this entry. */
static struct span
value_of(const struct dir_entry *e, enum user_field f, const char *department, char *out,
         size_t cap)
{
    const char *attr = user_field_attr(f);

    if (f == USER_DEPARTMENT)
        return span_of(department);
    if (f == USER_NAME && !*dir_value(e, attr))
        return span_of(dir_value(e, "cn"));
    if (f == USER_STATE && strcasecmp(dir_value(e, attr), "moving") == 0)
        return span_of(""); /* passes by itself */
    if (!user_field_many(f))
        return span_of(dir_value(e, attr));
    return (struct span){out, join(dir_attr(e, attr), out, cap)};
}

static int
put_field(struct exporting *x, struct span v, int last)
{
    char *out = room(x, 2 * v.n + 3);
    long n = out ? csv_field(v, ',', out, x->cap) : -1;

    if (n < 0)
        return 1;
    fwrite(out, 1, (size_t)n, stdout);
    fputs(last ? "\r\n" : ",", stdout);
    return 0;
}

static int
on_user(void *ctx, const struct dir_entry *e, const char *domain, const char *department)
{
    static char many[1 << 20];
    struct exporting *x = ctx;
    json_t *row = x->ctl->json ? json_pack("{s:s, s:s}", "dn", e->dn, "domain", domain) : NULL;

    x->n++;
    for (int f = 0; f < USER_FIELDS; f++) {
        struct span v = value_of(e, (enum user_field)f, department, many, sizeof many);

        if (x->ctl->json)
            json_object_set_new(row, user_field_name((enum user_field)f), json_stringn(v.p, v.n));
        else if (put_field(x, v, f + 1 == USER_FIELDS))
            return 1;
    }
    if (row)
        json_array_append_new(x->rows, row);
    return ferror(stdout) != 0;
}

int
verb_user_export(struct ctl *ctl)
{
    struct exporting x = {.ctl = ctl, .rows = json_array()};
    struct dir *d;
    int code;

    if (ctl->argc != 0)
        return ctl_usage("user export takes options only, and writes to standard output");
    if ((code = dir_open(ctl, &d)) != CTL_DONE) {
        json_decref(x.rows);
        return code;
    }
    for (int f = 0; !ctl->json && f < USER_FIELDS; f++)
        put_field(&x, span_of(user_field_name((enum user_field)f)), f + 1 == USER_FIELDS);
    code = user_scan(d, on_user, &x);
    if (code != CTL_DONE)
        dir_fail(d, code);
    else if (ctl->json)
        ctl_print_json(json_pack("{s:b, s:O}", "ok", 1, "users", x.rows));
    json_decref(x.rows);
    free(x.buf);
    dir_close(&d);
    return code;
}
