/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * audit_chain: one line after the other.
 *
 * Promises: each change to a log that its hashes show is reported at the first line
 * that shows it, once, and what follows is judged by itself again, so that one
 * damaged record does not hide the next. Must not claim more than hashes without a
 * key can show: whoever may write the file can make all that follows anew.
 *
 * A record's own hash is looked at first, then its number, then whether it builds on
 * the record before.
 */
#include "audit_chain.h"

void
audit_chain_begin(struct audit_chain *c, uint64_t after, const char *hash)
{
    memset(c, 0, sizeof *c);
    c->last = after;
    if (hash)
        memcpy(c->hash, hash, AUDIT_HASH);
}

static enum audit_finding
judge(const struct audit_chain *c, const struct audit_line *l, struct audit_verdict *v)
{
    uint64_t next = c->last + 1;

    v->from = v->to = l->seq;
    if (!l->whole)
        return AUDIT_CHANGED;
    if (!*c->hash)
        return AUDIT_FINE;
    if (l->seq < next)
        return AUDIT_REPEATED;
    if (l->seq > next) {
        v->from = next;
        v->to = l->seq - 1;
        return AUDIT_MISSING;
    }
    return strcmp(l->prev, c->hash) == 0 ? AUDIT_FINE : AUDIT_REPLACED;
}

/* From now on l is the newest record. */
static void
advance(struct audit_chain *c, const struct audit_line *l)
{
    if (c->records > 0 && l->wall_ms < c->wall_ms)
        c->clock_back++;
    c->records++;
    c->wall_ms = l->wall_ms;
    c->last = l->seq;
    memcpy(c->hash, l->hash, AUDIT_HASH);
}

void
audit_chain_step(struct audit_chain *c, struct span line, struct audit_verdict *v_r)
{
    memset(v_r, 0, sizeof *v_r);
    if (audit_line_parse(line, &v_r->line) < 0) {
        v_r->finding = AUDIT_NO_RECORD;
        c->run_from = 0;
        return;
    }
    v_r->finding = judge(c, &v_r->line, v_r);
    switch (v_r->finding) {
    case AUDIT_NO_RECORD:
    case AUDIT_REPEATED:
        c->run_from = 0;
        return;
    case AUDIT_CHANGED:
        c->run_from = 0;
        /* What follows builds on the hash it had; its number may be part of the change. */
        if (v_r->line.seq == c->last + 1)
            advance(c, &v_r->line);
        return;
    case AUDIT_FINE:
        break;
    case AUDIT_MISSING:
    case AUDIT_REPLACED:
        c->run_from = 0;
        break;
    }
    if (c->run_from == 0)
        c->run_from = v_r->line.seq;
    advance(c, &v_r->line);
}

const char *
audit_finding_word(enum audit_finding f)
{
    static const char *const words[] = {"fine",    "no-record", "changed",
                                        "missing", "repeated",  "replaced"};

    return (unsigned)f < sizeof words / sizeof *words ? words[f] : "";
}
