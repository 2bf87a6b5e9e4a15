/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * audit_chain: whether the records of an audit log follow one another as they were
 * written, line by line; what is wrong where, and what is still proven. Pure.
 */
#ifndef POSTROAD_AUDIT_CHAIN_H
#define POSTROAD_AUDIT_CHAIN_H

#include "audit_line.h"

enum audit_finding {
    AUDIT_FINE,
    AUDIT_NO_RECORD, /* the line is none of ours */
    AUDIT_CHANGED,   /* the record does not fit its own hash */
    AUDIT_MISSING,   /* records from .from to .to are not there */
    AUDIT_REPEATED,  /* its number was there already: inserted, or out of order */
    AUDIT_REPLACED /* it does not follow the record before, which was made anew, or it was itself */
};

struct audit_chain {
    uint64_t last; /* number of the newest record so far, 0: none */
    char hash[AUDIT_HASH];
    int64_t wall_ms;
    uint64_t records,
        clock_back;    /* clock_back: records whose time is before that of the last one */
    uint64_t run_from; /* its first number; 0: there is none */
};

struct audit_verdict {
    enum audit_finding finding;
    uint64_t from, to; /* AUDIT_MISSING: which; else both are the record's number, 0: not known */
    struct audit_line line;
};

/*
 * Begin behind record after, whose hash is given; with 0 and AUDIT_FIRST at the very beginning.
 * hash NULL: whatever the first record builds on.
 */
void audit_chain_begin(struct audit_chain *c, uint64_t after, const char *hash);
/* The next line, without its LF. What *v_r holds points into it. */
void audit_chain_step(struct audit_chain *c, struct span line, struct audit_verdict *v_r);
/* "changed" … for people and --json. */
const char *audit_finding_word(enum audit_finding f);

#endif
