/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config: the settings in effect, as a configuration file that could be loaded
 * again: those that differ from the default, or with -a all of them. Secrets are
 * masked, so the output can go into a bug report.
 */
#include <stdio.h>
#include <string.h>

#include "ctl.h"

struct writer {
    json_t *json;    /* NULL: text */
    char group[128]; /* "directory.map." while inside those groups */
    int depth;
};

static void
indent(int depth)
{
    printf("%*s", 4 * depth, "");
}

static void
leave(struct writer *w)
{
    char *dot;

    w->group[strlen(w->group) - 1] = '\0';
    dot = strrchr(w->group, '.');
    if (dot)
        dot[1] = '\0';
    else
        w->group[0] = '\0';
    indent(--w->depth);
    puts("};");
}

/* Open and close groups until those of key are open; returns the last part of key. */
static const char *
enter(struct writer *w, const char *key)
{
    const char *rest, *dot;

    while (w->depth > 0 && strncmp(w->group, key, strlen(w->group)) != 0)
        leave(w);
    rest = key + strlen(w->group);
    while ((dot = strchr(rest, '.')) && (size_t)(dot - key) + 2 < sizeof w->group) {
        indent(w->depth++);
        printf("%.*s: {\n", (int)(dot - rest), rest);
        memcpy(w->group, key, (size_t)(dot - key) + 1);
        w->group[dot - key + 1] = '\0';
        rest = dot + 1;
    }
    return rest;
}

/* Numbers, booleans, strings and lists look the same in JSON; all else is text. */
static void
add_json(struct writer *w, const char *key, const char *value)
{
    json_t *v = json_loads(value, JSON_DECODE_ANY, NULL);

    json_object_set_new(w->json, key, v ? v : json_string(value));
}

static void
on_row(void *ctx, const struct conf_row *row, const char *value)
{
    struct writer *w = ctx;
    const char *name;

    if (w->json) {
        add_json(w, row->key, value);
        return;
    }
    name = enter(w, row->key);
    indent(w->depth);
    printf("%s = %s;\n", name, value);
}

int
verb_config(struct ctl *ctl)
{
    struct writer w = {.json = NULL};
    int status;

    if (ctl->argc != 0)
        return ctl_usage("config takes no argument but -a");
    if (ctl->json)
        w.json = json_object();
    else
        printf("# %s\n", ctl->conf_path);
    status = conf_each(ctl->conf, ctl->all, on_row, &w) < 0
                 ? ctl_fail(ctl, CTL_TEMPORARY, "out of memory: settings are missing")
                 : CTL_DONE;
    while (!w.json && w.depth > 0)
        leave(&w);
    if (w.json)
        ctl_print_json(w.json);
    return status;
}
