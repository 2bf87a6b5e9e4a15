/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * direction: whether a message to one recipient stays inside, and between whom. The one
 * place where that is decided; accounting and the milter's other work go by it.
 *
 * Flat and numbered; the numbers are those of postroad-accounting(5) and of
 * t/tables/direction.tbl. Pure.
 */
#ifndef POSTROAD_DIRECTION_H
#define POSTROAD_DIRECTION_H

#include "route.h"

enum direction {
    DIRECTION_UNKNOWN,  /* can't be told: never taken for one of the others */
    DIRECTION_LOCAL,    /* from inside to a mailbox or list of this site */
    DIRECTION_HANDOFF,  /* from inside to a mailbox of another site */
    DIRECTION_INBOUND,  /* from outside to one of ours, whatever the site */
    DIRECTION_OUTBOUND, /* to the outside */
    DIRECTION_TRANSIT,  /* another site handed it over, and has counted it */
    DIRECTION_N
};

struct direction_input {
    int handed;                 /* another site handed it over */
    int inside;                 /* the sender logged in, or sits on a machine of ours */
    int readable;               /* 0: the directory could not be asked, route says nothing */
    enum route_verdict verdict; /* of the recipient */
};

struct direction_result {
    enum direction direction;
    int step;
};

struct direction_result direction_decide(const struct direction_input *in);

/* "unknown", "local", "handoff", "inbound", "outbound", "transit" */
const char *direction_word(enum direction d);
/* The rule's text, for the manual; NULL outside 1..7. */
const char *direction_rule_text(int step);

#endif
