/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * import: many people from a CSV file. Read as a whole, looked at as a whole, then
 * written line by line; each line has a fate, and a rerun does what is left.
 */
#ifndef POSTROAD_IMPORT_H
#define POSTROAD_IMPORT_H

#include "user.h"

enum fate {
    FATE_OPEN, /* nothing decided yet; at the end: not tried, the server was gone */
    FATE_ADDED,
    FATE_THERE,   /* its address has an entry already: nothing is changed */
    FATE_REFUSED, /* by us or by the directory, see why */
    FATE_UNKNOWN, /* sent, but the connection broke before the answer */
    FATES
};

struct import_line {
    unsigned line; /* of the file, on which the record begins */
    enum fate fate;
    struct user u;
    char *password;      /* NULL: none */
    char *why;           /* of FATE_REFUSED */
    char *dn, *there_dn; /* what it is to be; what has its address already */
};

struct import {
    const struct ctl *ctl;
    const char *file;
    struct import_line *lines;
    size_t n, cap;
    int no_mirror; /* the daemon could not be asked */
};

/* import_read.c. CTL_DONE, or CTL_USAGE after saying file, line and what is wrong: nothing was done. */
int import_read(struct import *im);
void import_free(struct import *im);
/* Decide a line's fate, once: the first reason stays. */
void import_refuse(struct import_line *l, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* import_check.c: what need not be asked of the server; then what must. Results of the second as dir.h. */
void import_check_file(struct import *im);
int import_check_directory(struct import *im, struct dir *d);

/* import_write.c: add all lines that are still open. CTL_TEMPORARY: the server was lost on the way. */
int import_write(struct import *im, struct dir *d);

/* import_show.c: a bar at a terminal; every line's fate; the sum. Returns the exit code. */
void import_progress(const struct import *im, const char *what, size_t done, size_t all);
int import_report(const struct import *im, int code, const char *error);

#endif
