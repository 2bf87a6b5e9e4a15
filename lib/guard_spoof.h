/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guard_spoof: what becomes of mail from outside that says it is from one of our domains.
 * Numbered as in postroad-spoof(7) and t/tables/guard-spoof.tbl. Pure.
 */
#ifndef POSTROAD_GUARD_SPOOF_H
#define POSTROAD_GUARD_SPOOF_H

#include "guard_send.h"
#include "span.h"

/* In the order of how strict they are. */
enum spoof_action { SPOOF_OFF, SPOOF_TAG, SPOOF_QUARANTINE, SPOOF_REJECT, SPOOF_ACTIONS };

struct guard_spoofing {
    int inside;    /* another site handed it over, the sender logged in, or sits on this machine */
    int forwarder; /* the client is trusted to forward our mail */
    /* Of the addresses it claims to be from, without those that are vouched for: YES one is ours. */
    enum guard_known claimed;
    enum spoof_action action; /* what the strictest of these domains wants */
    int vouched;              /* one of ours was claimed, and vouched for */
    int too_much;             /* there is more in From than is looked at */
    enum guard_known shown;   /* YES: a display name shows an address of ours */
    enum spoof_action shown_action;
    enum spoof_action otherwise; /* what is wanted where it is not known whose the domain is */
};

enum guard_spoof_verdict {
    SPOOF_PASSES,
    SPOOF_IS_TAGGED,
    SPOOF_IS_HELD,
    SPOOF_WAITS, /* 4xx: can't be told now */
    SPOOF_IS_REJECTED
};

struct guard_spoof {
    enum guard_spoof_verdict verdict;
    int rule;        /* 1..GUARD_SPOOF_RULES */
    const char *why; /* a fixed string */
};

#define GUARD_SPOOF_RULES 11

struct guard_spoof guard_spoof(const struct guard_spoofing *s);

/* The rule in words, as the manual has it; NULL outside 1..GUARD_SPOOF_RULES. */
const char *guard_spoof_rule_text(int rule);

/* "off", "tag", "quarantine", "reject": -1 when it is none of them. */
int spoof_action_parse(struct span word);
const char *spoof_action_word(enum spoof_action a);
/* The strictest of a set of them, 1 << action each; off where there is none. */
enum spoof_action spoof_strictest(unsigned set);
/* "passes", "tagged", "held", "later", "rejected" */
const char *guard_spoof_verdict_word(enum guard_spoof_verdict v);

#endif
