/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * user_scan: all accounts below what --domain and --department say, each with the
 * domain and department it is in.
 */
#ifndef POSTROAD_USER_SCAN_H
#define POSTROAD_USER_SCAN_H

#include "dir.h"

/* domain: its name, "" outside any; department: its path below the domain, "". 0 to go on. */
typedef int user_scan_fn(void *ctx, const struct dir_entry *e, const char *domain,
                         const char *department);

/* Results as dir_search. CTL_NO also when there is no such domain or department. */
int user_scan(struct dir *d, user_scan_fn *fn, void *ctx);

#endif
