/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * homes_table: the files from which Dovecot knows at which site somebody's mailbox is: a
 * passwd-file of those who live elsewhere, cut into HOMES_BUCKETS files by the MD5 of
 * the name, so that one change is one small file to write and to read again.
 *
 * A file is replaced as a whole, and only when it changes. Nothing here knows a password,
 * and no line lets anybody in: "noauthenticate" leaves that to Dovecot's other passdbs.
 */
#ifndef POSTROAD_HOMES_TABLE_H
#define POSTROAD_HOMES_TABLE_H

#include <stddef.h>

#include "span.h"

#define HOMES_BUCKETS  256
#define HOMES_LINE_MAX 2048

struct homes_table;

struct homes_table *homes_table_new(void);
void homes_table_free(struct homes_table **t);

/*
 * The site that user signs in at: host (a name, or an address) and ip (n 0: host is one); fields: more
 * passdb fields. host.n 0: he signs in here, and has no line. 1 when that is a change, 0 it is
 * not, -1 no memory. Who can't be written in such a file (a name with a colon or a space) has none.
 */
int homes_table_set(struct homes_table *t, struct span user, struct span host, struct span ip,
                    struct span fields);

/* Which file has the line of user: 0 .. HOMES_BUCKETS - 1. The file's name is this in hex. */
unsigned homes_bucket(struct span user);

/*
 * Bring the files in dir to what the table says: those that were changed since the last call that
 * succeeded; at first, all that are not the same already. How many were written, or -1 and error: the
 * others are as they were. step is called before each.
 */
int homes_table_write(struct homes_table *t, const char *dir, void (*step)(void), char *error,
                      size_t error_n);

size_t homes_table_people(const struct homes_table *t);

#endif
