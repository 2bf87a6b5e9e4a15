/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf_private: what the files of conf share while one configuration is read.
 * For lib/conf*.c only.
 */
#ifndef POSTROAD_CONF_PRIVATE_H
#define POSTROAD_CONF_PRIVATE_H

#include "conf.h"

/* Where in the files a setting was given; line 0: it was not. */
struct conf_place {
    const char *file; /* borrowed from the parser: only while loading */
    unsigned line;
};

struct conf_load {
    const char *path;
    struct conf *conf;
    struct conf_place *places; /* one for each row */
    char *error;
    size_t error_n;
    int doubt; /* the error is none of the file's */
};

/* Write "FILE:LINE: key: text" (no ":LINE" for line 0, no key for NULL); returns -1. */
int conf_fail(struct conf_load *l, struct conf_place place, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* The same, for what is none of the file's faults. */
int conf_doubt(struct conf_load *l, const char *key, const char *what);
/* The same as conf_fail for a row's key, at the place where it was given. */
int conf_fail_key(struct conf_load *l, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

const struct conf_row *conf_row_find(const char *key);

/* What to say about a key nobody knows, into out: the nearest known one, or advice; may be "". */
void conf_hint(const char *key, char *out, size_t cap);

/* The files before they are parsed, and what spans several settings after; 0, or -1 and the error. */
int conf_check_files(struct conf_load *l, const char *include_dir);
int conf_check(struct conf_load *l);

/* conf_hook.c: what spans the settings of hook.*. 0, or -1. */
int conf_check_hook(struct conf_load *l);
/* conf_hold.c: rules of moderation. 0, or -1. */
int conf_check_hold(struct conf_load *l);

#endif
