/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * audit_seen: whether the audit log has a record of a held message already, see audit_seen.c.
 */
#ifndef POSTROAD_AUDIT_SEEN_H
#define POSTROAD_AUDIT_SEEN_H

#include <stdint.h>

/*
 * In the log in folder dir: a record of this action whose detail begins with "id=ID", not before since_ms
 * (wall clock). 1, 0, -1 it can't be read.
 */
int audit_seen(const char *dir, const char *action, const char *id, int64_t since_ms);

#endif
