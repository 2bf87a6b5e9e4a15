/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * audit_openings: who said beforehand that he is going to open whose mailbox, why, and
 * for how long (`postroad access open`). Kept in a file of the audit log's folder, by the
 * process that writes the log. The caller writes the records.
 */
#ifndef POSTROAD_AUDIT_OPENINGS_H
#define POSTROAD_AUDIT_OPENINGS_H

#include <stddef.h>
#include <stdint.h>

#include "span.h"

#define OPENINGS_MAX       1024
#define OPENINGS_PER_ACTOR 64
#define OPENING_MAX_MS     (7 * 86400000LL) /* the longest */
#define OPENING_ID         17
#define OPENING_NAME       321
#define OPENING_REASON     401

struct opening {
    char id[OPENING_ID]; /* 16 hex digits */
    char actor[OPENING_NAME], target[OPENING_NAME];
    char reason[OPENING_REASON]; /* UTF-8 without control bytes, cut where it is too long */
    int64_t from_ms, length_ms;  /* wall clock; it ends at their sum */
    int64_t boot_ms; /* when it ends by the clock that nobody can set; 0: before this boot */
};

struct openings;

/* dir: that of the audit log. NULL and error: what is kept can't be read; nothing was changed. */
struct openings *openings_load(const char *dir, char *error, size_t n);
void openings_free(struct openings **o);

/*
 * A new one; names are primary addresses, compared without case. First it is made, so that its id can be
 * recorded: 1, and *r is it; 0: no (too long, too many, no reason: error says); -1: not now. Then it
 * is kept, and on disk when that returns 0; -1: it can't be kept now, and does not hold.
 */
int openings_make(struct openings *o, struct span actor, struct span target, struct span reason,
                  int64_t length_ms, int64_t now_wall_ms, struct opening *r, char *error, size_t n);
int openings_keep(struct openings *o, const struct opening *r, char *error, size_t n);
/*
 * The one that is valid now and ends last: 1, or 0 there is none. A clock that was set back makes
 * none last longer than its length.
 */
int openings_find(struct openings *o, struct span actor, struct span target, int64_t now_wall_ms,
                  struct opening *r);
/* End one before its time: 1 and *r is what it was; 0 there is none; -1 that can't be kept now. */
int openings_close(struct openings *o, struct span id, struct opening *r, char *error, size_t n);
/* Take one out whose time is over: 1 and *r; 0 there is none. Call until 0. */
int openings_expire(struct openings *o, int64_t now_wall_ms, struct opening *r);
/* All in turn, from 0 on: NULL at the end. Good until the next call that changes any. */
const struct opening *openings_at(const struct openings *o, size_t i);

#endif
