/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * audit: the audit log of this site, written by one process: files of JSON lines in
 * a folder, each record chained to the one before, see postroad-audit(5).
 *
 * One write(2) for each record. A killed process loses none that audit_add() said 0 to.
 * A power cut, or a crash of the kernel, loses none of those that let something be done
 * (open, opening, quota, approve, reject, expire) and at most AUDIT_SYNC_MS of the others, if audit_tick() is called
 * that often; the next audit_open() sees that records are gone and says so in the log itself.
 */
#ifndef POSTROAD_AUDIT_H
#define POSTROAD_AUDIT_H

#include <stddef.h>
#include <stdint.h>

#include "audit_line.h"

#define AUDIT_SYNC_MS   1000
#define AUDIT_ANCHOR_MS 3600000
#define AUDIT_FILE_MAX  (32u << 20) /* a file ends when it is that large, and with the day (UTC) */

struct audit;

/*
 * Open or make the log in folder dir. What is found damaged is left as it is, but a line that was not
 * written to its end, which goes to a file of its own; either becomes a record. NULL and error:
 * another process writes it, or the folder can't be used.
 */
struct audit *audit_open(const char *dir, const char *site, char *error, size_t n);
/* 0: on disk, see above. -1 and error: it is not, and nothing of it remains. */
int audit_add(struct audit *a, int64_t wall_ms, const struct audit_record *r, char *error,
              size_t n);
void audit_close(struct audit **a);

/*
 * Call about once a second. Brings to disk what is not yet (-1 and error: that failed; records may be
 * lost by a power cut). 1: text_r is an anchor for the system's log, "seq=… hash=…", due each hour
 * when there were records, and with each new file. 0: nothing.
 */
#define AUDIT_ANCHOR_TEXT 128
int audit_tick(struct audit *a, int64_t wall_ms, char text_r[AUDIT_ANCHOR_TEXT], char *error,
               size_t n);

/* How far the log goes: number and hash of the newest record; 0 when there is none. */
uint64_t audit_newest(const struct audit *a, char hash_r[AUDIT_HASH]);
/* For tests: end files at that size. */
void audit_file_max(struct audit *a, size_t bytes);

#endif
