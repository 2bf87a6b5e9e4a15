/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf_pass: an accepted configuration from one process to another, through a
 * descriptor: a line "key=value" for each setting, for each value of a list one, and
 * "end" at the end.
 *
 * Promises: what is taken is all that was passed, or nothing: half of it would mean
 * other settings than the administrator's. No value holds a line break, as conf_load
 * refuses those. Must not look at the system, nor check what was checked before.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf_private.h"

#define TEXT_MAX (1 << 20)

static int
pass_list(int fd, const char *key, const struct conf_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        if (dprintf(fd, "%s=%s\n", key, list->v[i]) < 0)
            return -1;
    return 0;
}

static int
pass_row(int fd, const struct conf *conf, const struct conf_row *row)
{
    const void *at = (const char *)conf + row->offset;

    switch (row->type) {
    case CONF_INT:
    case CONF_BOOL:
        return dprintf(fd, "%s=%d\n", row->key, *(const int *)at);
    case CONF_LIST:
        return pass_list(fd, row->key, at);
    default:
        return dprintf(fd, "%s=%s\n", row->key, *(char *const *)at);
    }
}

int
conf_pass(const struct conf *conf, int fd)
{
    for (size_t i = 0; i < conf_rows_n; i++)
        if (pass_row(fd, conf, &conf_rows[i]) < 0)
            return -1;
    return dprintf(fd, "end\n") < 0 ? -1 : 0;
}

static int
same_list(const struct conf_list *a, const struct conf_list *b)
{
    size_t i = 0;

    while (i < a->n && i < b->n && strcmp(a->v[i], b->v[i]) == 0)
        i++;
    return i == a->n && i == b->n;
}

static int
same_row(const struct conf *a, const struct conf *b, const struct conf_row *row)
{
    const void *at = (const char *)a + row->offset, *bt = (const char *)b + row->offset;

    switch (row->type) {
    case CONF_INT:
    case CONF_BOOL:
        return *(const int *)at == *(const int *)bt;
    case CONF_LIST:
        return same_list(at, bt);
    default:
        return strcmp(*(char *const *)at, *(char *const *)bt) == 0;
    }
}

int
conf_same(const struct conf *a, const struct conf *b)
{
    size_t i = 0;

    while (i < conf_rows_n && same_row(a, b, &conf_rows[i]))
        i++;
    return i == conf_rows_n;
}

/* All that stands in fd, malloc'd, or NULL. */
static char *
read_all(int fd)
{
    struct stat st;
    char *text;
    size_t n = 0;
    ssize_t got = 1;

    if (fstat(fd, &st) < 0 || st.st_size > TEXT_MAX)
        return NULL;
    text = malloc((size_t)st.st_size + 1);
    while (text && got != 0 && n < (size_t)st.st_size) {
        got = pread(fd, text + n, (size_t)st.st_size - n, (off_t)n);
        if (got < 0 && errno != EINTR)
            break;
        n += got > 0 ? (size_t)got : 0;
    }
    if (text)
        text[n] = '\0';
    return text;
}

static int
take_string(char **to, const char *value)
{
    *to = *to ? NULL : strdup(value);
    return *to ? 1 : -1;
}

static int
take_list(struct conf_list *list, const char *value)
{
    if (list->n == CONF_LIST_MAX || !(list->v[list->n] = strdup(value)))
        return -1;
    list->n++;
    return 0;
}

/* How many rows this line settles: 1, 0 for a list, or -1. */
static int
take_line(struct conf *conf, char *line)
{
    char *value = strchr(line, '=');
    const struct conf_row *row;
    void *at;

    if (!value)
        return -1;
    *value++ = '\0';
    row = conf_row_find(line);
    if (!row)
        return -1;
    at = (char *)conf + row->offset;
    if (row->type == CONF_LIST)
        return take_list(at, value);
    if (row->type != CONF_INT && row->type != CONF_BOOL)
        return take_string(at, value);
    *(int *)at = (int)strtol(value, NULL, 10);
    return 1;
}

static size_t
rows_to_settle(void)
{
    size_t n = 0;

    for (size_t i = 0; i < conf_rows_n; i++)
        n += conf_rows[i].type != CONF_LIST;
    return n;
}

static int
take_text(struct conf *conf, char *text)
{
    size_t settled = 0;
    char *line, *next;
    int n;

    for (line = text; (next = strchr(line, '\n')); line = next) {
        *next++ = '\0';
        if (strcmp(line, "end") == 0)
            break;
        n = take_line(conf, line);
        if (n < 0)
            return -1;
        settled += (size_t)n;
    }
    if (next && settled == rows_to_settle())
        return 0;
    errno = EBADMSG;
    return -1;
}

int
conf_take(int fd, struct conf **conf_r)
{
    struct conf *conf = calloc(1, sizeof *conf);
    char *text = conf ? read_all(fd) : NULL;
    int rc = text ? take_text(conf, text) : -1;

    free(text);
    if (rc < 0)
        conf_free(&conf);
    else
        *conf_r = conf;
    return rc;
}
