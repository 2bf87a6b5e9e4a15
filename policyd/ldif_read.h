/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ldif_read: records of an LDIF file (RFC 2849), one after the other, from an open
 * descriptor. Refuses what content from an administrator's editor never needs and
 * what would harm: URL values, includes, change records, NUL bytes, lines and
 * records without bound. Errors name file and line.
 */
#ifndef POSTROAD_LDIF_READ_H
#define POSTROAD_LDIF_READ_H

#include <stddef.h>
#include <sys/types.h>

#include "collect.h"
#include "span.h"

#define LDIF_LINE_MAX   (1u << 20)  /* bytes of one line, continuations joined */
#define LDIF_RECORD_MAX (16u << 20) /* bytes of one record */
#define LDIF_BUFFER     (256u << 10)

struct ldif_reader {
    int fd;
    const char *name;     /* for errors; borrowed */
    unsigned long line;   /* of the file, the last one read */
    unsigned long record; /* the line on which the present record begins */
    off_t offset;         /* of the next read */
    char *buf;            /* what was read ahead: at..end */
    size_t at, end;
    char *text; /* the record: its lines, each NUL-terminated */
    size_t n, cap;
    struct ldif_line {
        size_t start;
        unsigned long line;
    } * lines;
    size_t nlines, lines_cap;
    char error[512]; /* "FILE:LINE: why" after -1 */
    int unread; /* 1: that is not the file's fault, and there may be more in it than is known */
};

/* 0, or -1: no memory. fd and name are borrowed. */
int ldif_reader_open(struct ldif_reader *r, int fd, const char *name);
void ldif_reader_close(struct ldif_reader *r);
/*
 * The next record: its DN, and its attributes in c (reset here). Spans live until the next call.
 * 1 a record, 0 the end, -1 error.
 */
int ldif_reader_next(struct ldif_reader *r, struct span *dn, struct collect *c);
/* Set r->error for what is wrong with the present record; returns -1. */
int ldif_reader_fail(struct ldif_reader *r, unsigned long line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for what is none of the file's doing: no memory, no disk. */
int ldif_reader_give_up(struct ldif_reader *r, unsigned long line, const char *why);

#endif
