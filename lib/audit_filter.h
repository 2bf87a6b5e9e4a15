/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * audit_filter: which records of an audit log somebody wants to see. For the command and
 * the daemon, so that both mean the same. Pure.
 */
#ifndef POSTROAD_AUDIT_FILTER_H
#define POSTROAD_AUDIT_FILTER_H

#include "audit_line.h"

struct audit_filter {
    struct span target, actor, action; /* addresses are compared without case; empty: any */
    int64_t since_ms, until_ms;        /* wall clock; until_ms 0: no end */
};

int audit_filter_match(const struct audit_filter *f, const struct audit_line *l);
/* Whether a field as written is this text; without case. */
int audit_filter_same(struct span raw, struct span text);

/*
 * "90s", "30m", "2h", "7d" as milliseconds, or -1: none, or more than ten years.
 */
int64_t audit_duration_parse(struct span s);
/* A duration, which is so long ago, or a date or time in UTC: 2026-01-31, 2026-01-31T23:59, …:59. -1: none. */
int64_t audit_when_parse(struct span s, int64_t now_ms);

#endif
