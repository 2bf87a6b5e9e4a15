/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cold_table: one lookup table that Postfix reads by itself (lmdb:/path/NAME), written
 * in place while Postfix reads it. What is in it outlives all our processes.
 *
 * The layout and the locks are Postfix's: file NAME.lmdb, rows as postmap(1) writes
 * them, an fcntl() lock on the file in place of LMDB's own. One writer at a time.
 */
#ifndef POSTROAD_COLD_TABLE_H
#define POSTROAD_COLD_TABLE_H

#include <stddef.h>
#include <sys/types.h>

#include "span.h"

#define COLD_KEY_MAX 510 /* bytes; longer keys have no row */

struct cold_table;

/* A row to be: value.p NULL means that there shall be none. */
struct cold_row {
    struct span key, value;
};

/*
 * Open path for writing. One that is not there, or is broken, is begun anew beside it, where nobody
 * reads it: fill it and publish it; anew: in any case. mode: of a new file. NULL and error: it
 * can't be had.
 */
struct cold_table *cold_table_open(const char *path, mode_t mode, int anew, char *error,
                                   size_t error_n);
void cold_table_close(struct cold_table **t);

/* Whether it was begun anew and is not published yet. */
int cold_table_is_new(const struct cold_table *t);
/* Put the new one in the old one's place; who reads the old one goes over by himself. 0, or -1. */
int cold_table_publish(struct cold_table *t);

/*
 * Bring n rows to what they shall be, in one transaction: all or none. *changed_r: how many were not
 * so before. 0; -1 nothing was changed, see cold_table_error. Readers wait for next to nothing of
 * it; it waits for them at most wait_ms.
 */
int cold_table_write(struct cold_table *t, const struct cold_row *rows, size_t n, int wait_ms,
                     size_t *changed_r);

/*
 * Keys above after (empty: from the first), in their order, as long as fn returns 0. 1 when the end
 * was reached, 0 fn stopped it, -1. Spans are valid inside fn.
 */
int cold_table_each(struct cold_table *t, struct span after, int wait_ms,
                    int (*fn)(void *, struct span key), void *ctx);
/* Rows in it, after the last write. */
size_t cold_table_rows(const struct cold_table *t);

/* Whether the file was removed or replaced by somebody else: close and open again. */
int cold_table_lost(const struct cold_table *t);
/* Whether the last failed call found the table itself broken: close it, and open it anew. */
int cold_table_broken(const struct cold_table *t);
const char *cold_table_error(const struct cold_table *t);

#endif
