/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * audit_line: one record of the audit log as one line of JSON, and the chain that holds
 * the lines together: "prev" is the hash of the record before, "hash" is SHA-256 over all
 * bytes of the line before `,"hash":`. See postroad-audit(5). Pure; takes any bytes.
 */
#ifndef POSTROAD_AUDIT_LINE_H
#define POSTROAD_AUDIT_LINE_H

#include <stddef.h>
#include <stdint.h>

#include "span.h"

#define AUDIT_LINE_MAX 32768 /* bytes of the longest line, with its LF */
#define AUDIT_HASH     65    /* hex digits and NUL */
#define AUDIT_FIRST    "0000000000000000000000000000000000000000000000000000000000000000"

/* What happened. A field that is empty is left out of the line; too long ones are cut, and said to be. */
struct audit_record {
    const char *action; /* open, close, read, quota, opening …: a fixed word */
    struct span actor, target, service, remote, session, mailbox, uid, detail, why, reason;
    int rule; /* 0: none */
};

/* The fields of a line that are text, in their order. */
enum audit_field {
    AUDIT_ACTION,
    AUDIT_ACTOR,
    AUDIT_TARGET,
    AUDIT_SERVICE,
    AUDIT_REMOTE,
    AUDIT_SESSION,
    AUDIT_MAILBOX,
    AUDIT_UID,
    AUDIT_DETAIL,
    AUDIT_WHY,
    AUDIT_REASON,
    AUDIT_FIELDS
};

struct audit_line {
    uint64_t seq;
    int64_t wall_ms;
    struct span field[AUDIT_FIELDS]; /* as written: with JSON's escapes, see audit_line_text */
    char prev[AUDIT_HASH], hash[AUDIT_HASH];
    int whole; /* the hash is that of the line's bytes */
};

/*
 * The line with its LF into out (AUDIT_LINE_MAX bytes), its hash into hash_r. seq > 0. Returns the
 * length. Bytes that are no UTF-8 become U+FFFD; the fields this happened to are named in the line.
 */
size_t audit_line_write(char *out, uint64_t seq, int64_t wall_ms, struct span site,
                        const struct audit_record *r, const char prev[AUDIT_HASH],
                        char hash_r[AUDIT_HASH]);
/* Read one line without its LF; what *a_r holds points into it. 0, or -1: it is none of ours. */
int audit_line_parse(struct span line, struct audit_line *a_r);
/* A field's text without escapes into out (cap > 0), cut where it does not fit; NUL-terminated. */
size_t audit_line_text(struct span raw, char *out, size_t cap);

/* "2026-01-31T23:59:59.123Z" of a time within the years 1970 to 9999 (else the nearest), and back; -1. */
#define AUDIT_TIME 25
void audit_time_write(int64_t wall_ms, char out[AUDIT_TIME]);
int64_t audit_time_parse(struct span s);

#endif
