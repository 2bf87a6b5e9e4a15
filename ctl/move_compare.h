/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * move_compare: whether all messages of a mailbox are at both its places. The lists come line by
 * line as `doveadm -f tab fetch` prints them: a header that names the columns, then a message each.
 * `guid` must be among them; `mailbox` and `guid` together are the message, `uid` only names it,
 * `flags` may differ without anything being lost, and whatever else is asked for must be the same.
 */
#ifndef POSTROAD_MOVE_COMPARE_H
#define POSTROAD_MOVE_COMPARE_H

#include <stddef.h>
#include <stdint.h>

#define MOVE_LINE_MAX   16384
#define MOVE_REPORT_MAX 900
#define MOVE_MESSAGES   (512 * 1024) /* that are kept in memory at a time, 40 bytes each */

struct move_compare; /* opaque */

/* What was found. missing: of the first list, not in the second; other: there, but not the same. */
struct move_found {
    uint64_t total, missing, other, flags, more; /* more: only in the second */
};

/* keep: how many messages are kept at a time; more are looked at in several goes. NULL: no memory. */
struct move_compare *move_compare_new(size_t keep);
void move_compare_free(struct move_compare **c);
/*
 * Begin reading a list anew, also one that broke off: second 0, the old place; 1, the new one. Then its lines, without their ends.
 * move_compare_line: 0, or -1 with *error_r a fixed text: it is no such list.
 * move_compare_end: 0 when all was well, -1 when not even the header came.
 */
void move_compare_begin(struct move_compare *c, int second);
int move_compare_line(struct move_compare *c, char *line, const char **error_r);
int move_compare_end(struct move_compare *c, const char **error_r);
/*
 * After both lists: count what differs, among those looked at in this go. 1: both have to be read once more
 * for others, 0: that is all.
 */
int move_compare_next(struct move_compare *c);
const struct move_found *move_compare_found(const struct move_compare *c);
/* What is missing, or not the same, mailbox by mailbox, as half a sentence: "INBOX lacks 2 of 9 ...". */
void move_compare_report(const struct move_compare *c, char out[MOVE_REPORT_MAX]);

#endif
