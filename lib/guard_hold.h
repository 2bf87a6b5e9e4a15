/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guard_hold: whether a message has to wait for somebody's approval, and by which rule. Numbered as in
 * postroad-milter(8), Moderation, and t/tables/guard-hold.tbl.
 *
 * Pure. What the rules ask was found out before, while Postfix told about the message: see hold_rule.h.
 */
#ifndef POSTROAD_GUARD_HOLD_H
#define POSTROAD_GUARD_HOLD_H

#include "hold_rule.h"

/* One rule's conditions about what comes more than once in a message; each begins with NO. */
struct guard_hold_seen {
    enum guard_known recipient; /* YES: for one of them all holds; UNSURE: for one it may */
    enum guard_known attachment;
    enum guard_known subject;
};

struct guard_holding {
    int handed;    /* another site hands it over */
    int requested; /* somebody asks for it, whatever the rules say */
    int notice;    /* the sender is empty, and nobody logged in */
    int outside;   /* nobody of ours has sent it */
    struct hold_person from;
    uint64_t size;
    const struct hold_rule *rule;
    const struct guard_hold_seen *seen; /* for each rule */
    unsigned n;
};

enum guard_hold_verdict {
    GUARD_HOLD_PASS,
    GUARD_HOLD_HELD,
    GUARD_HOLD_LATER /* 4xx */
};

struct guard_hold {
    enum guard_hold_verdict verdict;
    int step;      /* 1..GUARD_HOLD_STEPS */
    unsigned rule; /* with 4 and 5: which one */
};

#define GUARD_HOLD_STEPS 6

struct guard_hold guard_hold(const struct guard_holding *h);

/* Whether the rule may still hold, now that all recipients are known: else nobody need look further. */
int guard_hold_may(const struct guard_holding *h, unsigned rule);
/* The step in words, as the manual has it; NULL outside 1..GUARD_HOLD_STEPS. */
const char *guard_hold_step_text(int step);

#endif
