/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf_show: settings as they would be written in the file. What it prints for a
 * setting can be pasted into a configuration and means the same; secrets are
 * the exception and never leave.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf_private.h"

static void
write_string(FILE *out, const char *s)
{
    putc('"', out);
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            putc('\\', out);
        putc(*s, out);
    }
    putc('"', out);
}

static void
write_list(FILE *out, const struct conf_list *list)
{
    putc('[', out);
    for (size_t i = 0; i < list->n; i++) {
        if (i > 0)
            fputs(", ", out);
        write_string(out, list->v[i]);
    }
    putc(']', out);
}

static void
write_value(FILE *out, const struct conf *conf, const struct conf_row *row)
{
    const void *at = (const char *)conf + row->offset;

    switch (row->type) {
    case CONF_INT:
        fprintf(out, "%d", *(const int *)at);
        break;
    case CONF_BOOL:
        fputs(*(const int *)at ? "true" : "false", out);
        break;
    case CONF_LIST:
        write_list(out, at);
        break;
    case CONF_SECRET:
        write_string(out, **(char *const *)at ? "***" : "");
        break;
    default:
        write_string(out, *(char *const *)at);
    }
}

static int
is_default(const struct conf *conf, const struct conf_row *row)
{
    const void *at = (const char *)conf + row->offset;

    if (!row->preset)
        return 0;
    switch (row->type) {
    case CONF_INT:
        return *(const int *)at == strtol(row->preset, NULL, 10);
    case CONF_BOOL:
        return *(const int *)at == (strcmp(row->preset, "true") == 0);
    case CONF_LIST:
        return ((const struct conf_list *)at)->n == 0;
    default:
        return strcmp(*(char *const *)at, row->preset) == 0;
    }
}

int
conf_each(const struct conf *conf, int all,
          void (*fn)(void *ctx, const struct conf_row *row, const char *value), void *ctx)
{
    for (size_t i = 0; i < conf_rows_n; i++) {
        const struct conf_row *row = &conf_rows[i];
        char *text = NULL;
        size_t n;
        FILE *out;
        int whole;

        if (!all && is_default(conf, row))
            continue;
        out = open_memstream(&text, &n);
        if (!out)
            return -1;
        write_value(out, conf, row);
        whole = !ferror(out);
        whole = fclose(out) == 0 && whole;
        if (whole)
            fn(ctx, row, text);
        free(text);
        if (!whole)
            return -1;
    }
    return 0;
}
