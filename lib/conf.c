/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf: from the text of postroad.conf to struct conf, and back to text.
 *
 * Everything goes by the table conf_rows: no key is named here. Promises: the
 * caller's configuration is whole or untouched, and the error names file, line
 * and key. Must not log, and must not look at the system beyond the files.
 */
#include <libconfig.h>

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf_private.h"

#define KEY_TEXT_MAX 256

static const char *const type_words[] = {
    [CONF_STRING] = "a string in quotes",
    [CONF_WORD] = "a word in quotes",
    [CONF_INT] = "a whole number",
    [CONF_BOOL] = "true or false",
    [CONF_LIST] = "a string or a list of strings",
    [CONF_SECRET] = "a string in quotes",
};

static void *
field(const struct conf *conf, const struct conf_row *row)
{
    return (char *)conf + row->offset;
}

int
conf_fail(struct conf_load *l, struct conf_place place, const char *key, const char *fmt, ...)
{
    char what[512], line[16] = "";
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    if (place.line > 0)
        snprintf(line, sizeof line, ":%u", place.line);
    snprintf(l->error, l->error_n, "%s%s: %s%s%s", place.file ? place.file : l->path, line,
             key ? key : "", key ? ": " : "", what);
    return -1;
}

int
conf_fail_key(struct conf_load *l, const char *key, const char *fmt, ...)
{
    char what[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    return conf_fail(l, l->places[conf_row_find(key) - conf_rows], key, "%s", what);
}

int
conf_doubt(struct conf_load *l, const char *key, const char *what)
{
    l->doubt = 1;
    return conf_fail(l, (struct conf_place){NULL, 0}, key, "%s", what);
}

const struct conf_row *
conf_row_find(const char *key)
{
    for (size_t i = 0; i < conf_rows_n; i++)
        if (strcmp(conf_rows[i].key, key) == 0)
            return &conf_rows[i];
    return NULL;
}

/* Whether key names a group of settings: "directory". */
static int
is_group(const char *key)
{
    size_t n = strlen(key);

    for (size_t i = 0; i < conf_rows_n; i++)
        if (strncmp(conf_rows[i].key, key, n) == 0 && conf_rows[i].key[n] == '.')
            return 1;
    return 0;
}

/* ---- one setting ---- */

static int
store_string(char **to, const char *value)
{
    *to = strdup(value);
    return *to ? 0 : -1;
}

static int
has_control(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            return 1;
    return 0;
}

static int
is_word_of(const char *words, const char *value)
{
    size_t n = strlen(value);

    for (const char *p = words; *p; p += *p == ' ') {
        size_t len = strcspn(p, " ");

        if (len == n && memcmp(p, value, n) == 0)
            return 1;
        p += len;
    }
    return 0;
}

static int
set_string(struct conf_load *l, struct conf_place at, const struct conf_row *row, const char *value)
{
    size_t n = strlen(value);

    if (has_control(value))
        return conf_fail(l, at, row->key, "holds a control character");
    if (n < (size_t)row->min)
        return conf_fail(l, at, row->key, n == 0 ? "must not be empty" : "is too short");
    if (n > (size_t)row->max)
        return conf_fail(l, at, row->key, "is longer than %ld bytes", row->max);
    if (store_string(field(l->conf, row), value) < 0)
        return conf_doubt(l, row->key, "out of memory");
    return 0;
}

static int
set_word(struct conf_load *l, struct conf_place at, const struct conf_row *row, const char *value)
{
    int is_default = row->preset && strcmp(value, row->preset) == 0;

    if (!is_default && !is_word_of(row->words, value))
        return conf_fail(l, at, row->key, "\"%s\" is none of: %s", value, row->words);
    if (store_string(field(l->conf, row), value) < 0)
        return conf_doubt(l, row->key, "out of memory");
    return 0;
}

static int
set_int(struct conf_load *l, struct conf_place at, const struct conf_row *row, long long value)
{
    if (value < row->min || value > row->max)
        return conf_fail(l, at, row->key, "%lld is out of range, %ld to %ld", value, row->min,
                         row->max);
    *(int *)field(l->conf, row) = (int)value;
    return 0;
}

static int
list_add(struct conf_load *l, struct conf_place at, const struct conf_row *row, const char *value)
{
    struct conf_list *list = field(l->conf, row);

    if (!value)
        return conf_fail(l, at, row->key, "must be %s", type_words[row->type]);
    if (!*value || has_control(value))
        return conf_fail(l, at, row->key, "holds an empty string or a control character");
    if (list->n == (size_t)row->max)
        return conf_fail(l, at, row->key, "has more than %ld values", row->max);
    if (store_string(&list->v[list->n], value) < 0)
        return conf_doubt(l, row->key, "out of memory");
    list->n++;
    return 0;
}

static int
set_list(struct conf_load *l, struct conf_place at, const struct conf_row *row,
         const config_setting_t *s)
{
    if (config_setting_type(s) == CONFIG_TYPE_STRING) {
        const char *value = config_setting_get_string(s);

        return *value ? list_add(l, at, row, value) : 0;
    }
    for (int i = 0; i < config_setting_length(s); i++)
        if (list_add(l, at, row, config_setting_get_string_elem(s, i)) < 0)
            return -1;
    return 0;
}

static int
type_fits(const struct conf_row *row, int type)
{
    switch (row->type) {
    case CONF_INT:
        return type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64;
    case CONF_BOOL:
        return type == CONFIG_TYPE_BOOL;
    case CONF_LIST:
        return type == CONFIG_TYPE_STRING || type == CONFIG_TYPE_ARRAY || type == CONFIG_TYPE_LIST;
    default:
        return type == CONFIG_TYPE_STRING;
    }
}

static int
set_row(struct conf_load *l, struct conf_place at, const struct conf_row *row,
        const config_setting_t *s)
{
    l->places[row - conf_rows] = at;
    if (!type_fits(row, config_setting_type(s)))
        return conf_fail(l, at, row->key, "must be %s", type_words[row->type]);
    switch (row->type) {
    case CONF_INT:
        return set_int(l, at, row, config_setting_get_int64(s));
    case CONF_BOOL:
        return set_int(l, at, row, config_setting_get_bool(s));
    case CONF_LIST:
        return set_list(l, at, row, s);
    case CONF_WORD:
        return set_word(l, at, row, config_setting_get_string(s));
    default:
        return set_string(l, at, row, config_setting_get_string(s));
    }
}

/* ---- all settings ---- */

static int
unknown_key(struct conf_load *l, struct conf_place at, const char *key)
{
    char hint[256];

    conf_hint(key, hint, sizeof hint);
    return conf_fail(l, at, key, "no such setting%s", hint);
}

static int
walk_group(struct conf_load *l, const config_setting_t *group, const char *prefix)
{
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *s = config_setting_get_elem(group, (unsigned)i);
        struct conf_place at = {config_setting_source_file(s), config_setting_source_line(s)};
        char key[KEY_TEXT_MAX];
        const struct conf_row *row;
        int r;

        snprintf(key, sizeof key, "%s%s%s", prefix, *prefix ? "." : "", config_setting_name(s));
        row = conf_row_find(key);
        if (row)
            r = set_row(l, at, row, s);
        else if (!is_group(key))
            r = unknown_key(l, at, key);
        else if (!config_setting_is_group(s))
            r = conf_fail(l, at, key, "must be a group of settings, { … }");
        else
            r = walk_group(l, s, key);
        if (r < 0)
            return -1;
    }
    return 0;
}

static int
set_default(struct conf *conf, const struct conf_row *row)
{
    switch (row->type) {
    case CONF_INT:
        *(int *)field(conf, row) = (int)strtol(row->preset, NULL, 10);
        return 0;
    case CONF_BOOL:
        *(int *)field(conf, row) = strcmp(row->preset, "true") == 0;
        return 0;
    case CONF_LIST:
        return 0; /* lists begin empty */
    default:
        return store_string(field(conf, row), row->preset ? row->preset : "");
    }
}

static int
set_defaults(struct conf_load *l)
{
    for (size_t i = 0; i < conf_rows_n; i++) {
        if (l->places[i].line > 0)
            continue;
        if (!conf_rows[i].preset)
            return conf_fail_key(l, conf_rows[i].key, "is not given");
        if (set_default(l->conf, &conf_rows[i]) < 0)
            return conf_doubt(l, conf_rows[i].key, "out of memory");
    }
    return 0;
}

static int
parse_file(struct conf_load *l, config_t *file)
{
    struct conf_place at = {NULL, 0};

    if (config_read_file(file, l->path) == CONFIG_TRUE)
        return 0;
    if (config_error_type(file) == CONFIG_ERR_FILE_IO)
        return conf_doubt(l, NULL, "can't be read"); /* it could a moment ago */
    at.file = config_error_file(file);
    at.line = (unsigned)config_error_line(file);
    return conf_fail(l, at, NULL, "%s", config_error_text(file));
}

static int
load(struct conf_load *l)
{
    char *dir = strdup(l->path), *slash = dir ? strrchr(dir, '/') : NULL;
    config_t file;
    int r;

    config_init(&file);
    if (slash)
        slash[slash == dir] = '\0';
    if (dir)
        config_set_include_dir(&file, slash ? dir : ".");
    r = dir ? conf_check_files(l, slash ? dir : ".") : conf_doubt(l, NULL, "out of memory");
    if (r == 0)
        r = parse_file(l, &file);
    if (r == 0)
        r = walk_group(l, config_root_setting(&file), "");
    if (r == 0)
        r = set_defaults(l);
    if (r == 0)
        r = conf_check(l);
    config_destroy(&file);
    free(dir);
    return r;
}

int
conf_load(const char *path, struct conf **conf_r, char *error, size_t error_n)
{
    struct conf_load l = {path,
                          calloc(1, sizeof(struct conf)),
                          calloc(conf_rows_n, sizeof(struct conf_place)),
                          error,
                          error_n,
                          0};
    int r = -1;

    if (l.conf && l.places)
        r = load(&l);
    else
        conf_doubt(&l, NULL, "out of memory");
    free(l.places);
    if (r == 0)
        *conf_r = l.conf;
    else
        conf_free(&l.conf);
    return r == 0 ? 0 : l.doubt ? -2 : -1;
}

void
conf_free(struct conf **conf)
{
    if (!*conf)
        return;
    for (size_t i = 0; i < conf_rows_n; i++) {
        const struct conf_row *row = &conf_rows[i];
        struct conf_list *list = field(*conf, row);

        if (row->type == CONF_INT || row->type == CONF_BOOL)
            continue;
        if (row->type != CONF_LIST)
            free(*(char **)field(*conf, row));
        else
            while (list->n > 0)
                free(list->v[--list->n]);
    }
    free(*conf);
    *conf = NULL;
}
