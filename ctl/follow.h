/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * follow: entries that name another one by its DN, after that was moved or deleted.
 * A server with slapo-refint does this by itself; then there is nothing left to do.
 */
#ifndef POSTROAD_FOLLOW_H
#define POSTROAD_FOLLOW_H

#include "dir.h"

struct follow {
    size_t changed;  /* entries that name the new DN now, or nobody */
    size_t left;     /* entries that could not be changed */
    char first[512]; /* one of those, and why */
};

/* member and owner values that are from become to; to NULL: they go. Nothing with --dry-run. */
void follow_dn(struct dir *d, const char *from, const char *to, struct follow *f);

#endif
