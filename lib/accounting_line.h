/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * accounting_line: one accounting record as one line of JSON; see postroad-accounting(5).
 * Pure; takes any bytes.
 */
#ifndef POSTROAD_ACCOUNTING_LINE_H
#define POSTROAD_ACCOUNTING_LINE_H

#include <stddef.h>
#include <stdint.h>

#include "direction.h"
#include "span.h"

#define ACCOUNTING_LINE_MAX 12288 /* bytes of the longest line, with its LF */
#define ACCOUNTING_LOG      17    /* 16 hex digits and NUL */
#define ACCOUNTING_QUEUE    40    /* bytes kept of a queue id, with NUL */

/* What stands at the beginning of every line. */
struct accounting_head {
    const char *log; /* tells one sequence of numbers from all others */
    const char *site;
    uint64_t seq; /* from 1, without gaps */
    int64_t wall_ms;
};

/* A message, as far as it went one way, for one account. Spans are cut where they are too long. */
struct accounting_mail {
    enum direction direction;
    struct span queue;                       /* queue id of Postfix */
    struct span login;                       /* as whom the sender logged in; may be empty */
    struct span account, domain, department; /* whom it is counted for; may be empty */
    uint64_t recipients, bytes;              /* bytes: of the message, not times the recipients */
    int held;                                /* it waits in the hold queue for an approval */
    unsigned part, parts;                    /* which of this message's records, from 1 */
};

/* Of messages that Postfix was told it may accept though nothing could be written. */
struct accounting_gap {
    int64_t since_ms;
    uint64_t messages, recipients, bytes;
};

/* Each writes a line with its LF into out (ACCOUNTING_LINE_MAX bytes); returns its length. */
size_t accounting_line_mail(char *out, const struct accounting_head *h,
                            const struct accounting_mail *m);
size_t accounting_line_gap(char *out, const struct accounting_head *h,
                           const struct accounting_gap *g);
/*
 * Of the message with records first to last. what: "uncertain", whether Postfix took it can't be told;
 * or "void", it was not told so.
 */
size_t accounting_line_doubt(char *out, const struct accounting_head *h, const char *what,
                             const char *queue, uint64_t first, uint64_t last);

/* s as the inside of a JSON string, into out (6 * s.n bytes); its length. */
size_t accounting_line_text(char *out, struct span s);

/* The log and number of a line: 0, or -1: it is none of ours. */
int accounting_line_head(struct span line, char log_r[ACCOUNTING_LOG], uint64_t *seq_r);

#endif
