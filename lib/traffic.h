/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * traffic: the counters of all accounts, departments and domains that sent something within the
 * last day, by entryUUID: in memory, and once a second on disk.
 *
 * At most 200 bytes for each, whatever the number. A crash loses the counts since the last flush; a power
 * cut some of those that the kernel was still writing, which is a few seconds' worth.
 */
#ifndef POSTROAD_TRAFFIC_H
#define POSTROAD_TRAFFIC_H

#include <stddef.h>

#include "account.h"
#include "window.h"

struct traffic;

/*
 * Read the file, made when absent (mode 0600). now: seconds since 1970. What can't be read of it counts
 * as never sent: then error says so; it is "" otherwise. NULL, and error: no memory, or no such file.
 * While another process has it, nothing is read: it is taken over by a later flush.
 */
struct traffic *traffic_open(const char *path, int64_t now, char *error, size_t error_n);

/* What was counted; all zero for one that is not there. */
struct window traffic_find(const struct traffic *t, const unsigned char uuid[UUID_LEN]);

/* Count: 0, or -1 no memory, and nothing was counted. */
int traffic_add(struct traffic *t, const unsigned char uuid[UUID_LEN], int64_t now,
                uint32_t messages, uint32_t recipients);

/*
 * Write what has changed since the last time; forget who was idle for a day, some at a time. 0, error
 * is "" or a complaint as of traffic_open; -1 and error: it is kept in memory and tried again then.
 */
int traffic_flush(struct traffic *t, int64_t now, char *error, size_t error_n);

/* How many there are, and the bytes of memory they take. */
size_t traffic_count(const struct traffic *t, size_t *bytes_r);

/* Without a flush. */
void traffic_close(struct traffic **t);

#endif
