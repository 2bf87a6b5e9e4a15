/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * accounting_file: the names of accounting's files, and how far one of them goes.
 */
#ifndef POSTROAD_ACCOUNTING_FILE_H
#define POSTROAD_ACCOUNTING_FILE_H

#include <stdint.h>
#include <sys/types.h>

#include "accounting_line.h"

#define ACCOUNTING_NAME 80

/* "accounting-2026-01-31-0123456789abcdef-000000000001.jsonl": day (UTC), log, number of its first record. */
void accounting_name_write(const char *log, uint64_t first, int64_t wall_ms,
                           char out[ACCOUNTING_NAME]);
/* Its parts: 0, or -1: no name of ours. */
int accounting_name_parse(const char *name, char log_r[ACCOUNTING_LOG], uint64_t *first_r);

/* The file of this log with the highest numbers in the folder: 1, 0 there is none, -1 with errno. */
int accounting_newest(int dir_fd, const char *log, char name_r[ACCOUNTING_NAME], uint64_t *first_r);

/*
 * The number of the last whole record of fd, or first - 1, and where it ends: what is behind that
 * was never finished. 0, or -1 with errno.
 */
int accounting_end(int fd, uint64_t first, uint64_t *last_r, off_t *end_r);

#endif
