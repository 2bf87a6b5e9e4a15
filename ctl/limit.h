/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * limit: --limit of people, departments and domains.
 */
#ifndef POSTROAD_CTL_LIMIT_H
#define POSTROAD_CTL_LIMIT_H

#include "dir.h"

/*
 * Each --limit "KIND=NUMBER" (messages/hour=100, total messages/day=5000; size=10M): takes the place of
 * the entry's own limit of that kind; without a number the entry has none any more, and the one it
 * inherits counts. e: the entry as it is, with postroadLimit; NULL for a new one. totals: whether
 * limits for all below make sense there.
 */
int limit_options(const struct ctl *ctl, const struct dir_entry *e, int totals,
                  struct dir_change *c);

#endif
