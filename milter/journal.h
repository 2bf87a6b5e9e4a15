/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * journal: copies of what some people send and get, to journal mailboxes, and an index that
 * holds each such message's whole envelope. See postroad-milter(8).
 */
#ifndef POSTROAD_JOURNAL_H
#define POSTROAD_JOURNAL_H

#include "conf.h"
#include "people.h"

#define JOURNAL_ENVELOPE (4u << 20) /* bytes of all recipients of a message */

/* The recipients of one message, and which rules (bit by bit) it falls under. */
struct envelope {
    char *text; /* one in a line; owned */
    size_t n, room;
    uint32_t rules;
    int broken; /* too large, or no memory: it can't be journaled */
};

void envelope_begin(struct envelope *e);
void envelope_add(struct envelope *e, const char *recipient);
void envelope_free(struct envelope *e);

struct journal;

/* NULL and *rc_r 0: milter.journal is empty; with an error *rc_r -1 and error: a rule is wrong. */
struct journal *journal_new(const struct conf *conf, int *rc_r, char *error, size_t error_n);
/* One that was not opened. */
void journal_free(struct journal **j);
/* The index's folder, which stays the caller's. */
void journal_open(struct journal *j, int folder);

/* The rules that name this person, his departments or his domain. */
uint32_t journal_rules(const struct journal *j, const struct person *who);
/* The journal addresses of rules in turn, each once: start with *at 0; NULL at the end. */
const char *journal_address(const struct journal *j, uint32_t rules, unsigned *at);

struct journal_message {
    const char *queue, *login, *sender;
    const struct envelope *envelope;
};

/* Write the index record of a message, and force it to the disk. 0, or -1 and error: nothing was. */
int journal_add(struct journal *j, int64_t wall_ms, const struct journal_message *m, char *error,
                size_t error_n);

#endif
