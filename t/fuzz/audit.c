/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as a record of the audit log, and as a line to be read: what is written can be read,
 * fits its hash and has no control byte; what is read points into the line.
 */
#include <stdlib.h>
#include <string.h>

#include "audit_chain.h"
#include "fuzz.h"

static char audit_out[AUDIT_LINE_MAX];

/* The bytes as the fields of a record. */
static void
write_fields(struct span s)
{
    struct span cut = {s.p, s.n / 2};
    struct audit_record r = {"read", s, cut, s, cut, s, s, s, s, cut, s, (int)s.n};
    char hash[AUDIT_HASH], text[AUDIT_LINE_MAX];
    struct audit_line l;
    size_t n =
        audit_line_write(audit_out, s.n + 1, (int64_t)s.n * 1000003, s, &r, AUDIT_FIRST, hash);

    must(n < AUDIT_LINE_MAX && audit_out[n - 1] == '\n');
    for (size_t i = 0; i + 1 < n; i++)
        must((unsigned char)audit_out[i] >= 0x20 && audit_out[i] != 0x7f);
    must(audit_line_parse((struct span){audit_out, n - 1}, &l) == 0 && l.whole);
    must(l.seq == s.n + 1 && strcmp(l.hash, hash) == 0);
    for (int f = 0; f < AUDIT_FIELDS; f++)
        must(audit_line_text(l.field[f], text, sizeof text) < sizeof text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct span s = {(const char *)bytes, n};
    struct audit_chain chain;
    struct audit_verdict v;
    struct audit_line l;
    char time[AUDIT_TIME];

    write_fields(s);
    if (audit_line_parse(s, &l) == 0) {
        for (int f = 0; f < AUDIT_FIELDS; f++)
            must(l.field[f].n == 0 ||
                 (l.field[f].p > s.p && l.field[f].p + l.field[f].n < s.p + n));
        audit_time_write(l.wall_ms, time);
        must(audit_time_parse(span_of(time)) == l.wall_ms);
    }
    audit_chain_begin(&chain, 0, AUDIT_FIRST);
    audit_chain_step(&chain, s, &v);
    must(chain.records <= 1);
    return 0;
}
