/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hold_envelope: what the rules of milter.moderate say of a message's sender and recipients, and whose right to
 * approve decides. For the milter, which holds mail, and for who explains what it would do.
 */
#ifndef POSTROAD_HOLD_ENVELOPE_H
#define POSTROAD_HOLD_ENVELOPE_H

#include "conf.h"
#include "guard_hold.h"
#include "people.h"

struct hold_rules {
    struct hold_rule *rule; /* owned */
    unsigned n;
    int64_t members; /* the most that a rule asks of a list; -1: none asks */
};

/* All zero before the first recipient. */
struct hold_envelope {
    struct guard_hold_seen seen[CONF_LIST_MAX];
    char list[CONF_LIST_MAX][ADDR_MAX + 1]; /* whom a rule means by the list it names; "" */
    char ours[ADDR_MAX +
              1]; /* the first recipient whose mailbox is here, or else the first who is ours */
    int at_home, outbound; /* the mailbox of ours is here; it goes out */
};

/* The rules of a configuration that conf_load took. 0, or -1: no memory. */
int hold_rules_read(struct hold_rules *r, const struct conf *conf);
void hold_rules_free(struct hold_rules *r);

struct hold_person hold_person_of(const struct person *p);
/* One more recipient, without angle brackets. */
void hold_envelope_add(struct hold_envelope *e, const struct hold_rules *r, struct people *people,
                       struct span address, const struct person *to, enum direction direction);
/* Whether nobody of ours has sent it. inside: he logged in, or sits on a machine of ours. */
int hold_envelope_outside(const struct hold_envelope *e, int inside);
/* Whose approval it takes, as guard_hold decided: a primary address; "": nobody's here. */
const char *hold_envelope_target(const struct hold_envelope *e, const struct guard_hold *g,
                                 const struct person *from, int inside);

#endif
