/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * accounting: writes what mail went which way for whom; see postroad-accounting(5).
 * Any thread may call; nobody else may write in the same folder.
 *
 * All records of a message go out with one write(2), before Postfix is told that it may
 * accept it. So what Postfix accepted was written. Who is killed between the two leaves a
 * message of which only Postfix knows whether it took it: it is named at the next start.
 */
#ifndef POSTROAD_ACCOUNTING_H
#define POSTROAD_ACCOUNTING_H

#include <stdint.h>

#include "accounting_line.h"

struct accounting;

/* What the last process left behind. */
struct accounting_left {
    unsigned uncertain; /* messages of which is not known whether Postfix took them */
    uint64_t missing;   /* records that were numbered and are not there */
    int begun;          /* 1: there was nothing, numbers begin at 1 in a log of its own */
    int torn;           /* 1: an unfinished record was removed */
};

/*
 * dir is made when it is not there (its parent must be). max_bytes: after so many a new file is begun,
 * as it is each day (UTC). What the last process left is written and told in *left_r.
 * NULL and error: nothing was changed that matters.
 */
struct accounting *accounting_open(const char *dir, const char *site, uint64_t max_bytes,
                                   int64_t wall_ms, struct accounting_left *left_r, char *error,
                                   size_t error_n);
/* The same with the folder open: dir_fd is taken over, whatever becomes of it. */
struct accounting *accounting_open_at(int dir_fd, const char *site, uint64_t max_bytes,
                                      int64_t wall_ms, struct accounting_left *left_r, char *error,
                                      size_t error_n);
/* fdatasync and close. */
void accounting_close(struct accounting **a);

/* For each connection one; -1: there are as many as can be. Given back when the connection ends. */
int accounting_enter(struct accounting *a);
void accounting_leave(struct accounting *a, int place);

/*
 * The n > 0 records of one message; part and parts are set here. 0 they are written: Postfix may be told
 * now; -1 none was, and error says why. Until accounting_told the message is in doubt.
 */
int accounting_add(struct accounting *a, int place, int64_t wall_ms, struct accounting_mail *m,
                   unsigned n, char *error, size_t error_n);
/* The answer to the last message at place was sent. */
void accounting_told(struct accounting *a, int place);
/*
 * Postfix may accept a message though it could not be written. Kept over a restart, and written as a
 * gap before the next record.
 */
void accounting_missed(struct accounting *a, int64_t wall_ms, uint64_t recipients, uint64_t bytes);

#endif
