/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * audit_file: the files of an audit log, in their order, and their lines. Reads only.
 */
#ifndef POSTROAD_AUDIT_FILE_H
#define POSTROAD_AUDIT_FILE_H

#include <stdint.h>
#include <sys/types.h>

#include "audit_line.h"

#define AUDIT_NAME 64 /* bytes of a file's name with its NUL */

/* "audit-000000000001-2026-01-31.jsonl": number of its first record, and the day it was begun. */
void audit_name_write(uint64_t first, int64_t wall_ms, char out[AUDIT_NAME]);
/* The number of the first record, 0: no name of ours. */
uint64_t audit_name_parse(const char *name);

struct audit_files {
    char (*name)[AUDIT_NAME]; /* oldest first; owned */
    size_t n;
};
/* 0, or -1 with errno; then it is empty. */
int audit_files_list(int dir_fd, struct audit_files *f_r);
void audit_files_free(struct audit_files *f);

/* Lines of one file, in bounded memory. */
struct audit_reader {
    int fd;
    off_t at;          /* where the line begins that was read last */
    off_t next;        /* and where the one after it does */
    size_t begin, end; /* of what is in buf */
    int whole;         /* the line ended with LF */
    char buf[2 * AUDIT_LINE_MAX];
};
/* From byte `from` of fd, which stays the caller's. */
void audit_reader_begin(struct audit_reader *r, int fd, off_t from);
/*
 * 1 and a line without its LF, good until the next call; 0 at the end, -1 with errno. A line that is
 * longer than any of ours comes in pieces.
 */
int audit_reader_next(struct audit_reader *r, struct span *line_r);

/* "seq hash", 85 digits and LF: how far the log was written; kept in the file "head". */
#define AUDIT_HEAD      "head"
#define AUDIT_HEAD_SIZE 86
void audit_head_write(uint64_t seq, const char hash[AUDIT_HASH], char out[AUDIT_HEAD_SIZE + 1]);
/* 1; 0 there is none; -1 with errno, EBADMSG: it makes no sense. */
int audit_head_read(int dir_fd, uint64_t *seq_r, char hash_r[AUDIT_HASH]);

#endif
