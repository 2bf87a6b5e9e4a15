/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * audit_private: what audit.c, which writes, and audit_recover.c, which finds out where
 * to go on, share.
 */
#ifndef POSTROAD_AUDIT_PRIVATE_H
#define POSTROAD_AUDIT_PRIVATE_H

#include <sys/types.h>

#include "audit.h"
#include "audit_file.h"

#define AUDIT_NOTES 6

struct audit {
    int dir_fd, lock_fd, head_fd;
    int fd; /* the file written to; -1: the next record begins one */
    char name[AUDIT_NAME];
    off_t size;
    int64_t day;    /* of the file's beginning, in days since 1970 */
    size_t max;     /* bytes of a file */
    int torn;       /* something half-written is behind size */
    int dirty;      /* there are records that are not on disk yet */
    int64_t synced; /* when all were, by the monotonic clock */
    uint64_t seq;
    char hash[AUDIT_HASH];
    int64_t anchored_ms; /* wall clock */
    uint64_t anchored;
    int begun; /* a file was begun since the last anchor */
    char site[64];
    struct audit_note { /* about the log itself; become records before the next one */
        const char *action;
        char detail[320];
    } notes[AUDIT_NOTES];
    size_t nnotes;
    char line[AUDIT_LINE_MAX];
};

/* Have a record about the log itself written; when there are too many, the last one counts for them. */
void audit_note(struct audit *a, const char *action, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Where the log ends; sets seq, hash, and the file to go on with, if any. 0, or -1 with errno. */
int audit_recover(struct audit *a);

#endif
