/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * route: which way a message to one recipient goes. The one place where that is
 * decided; maps, explain and the tests call it.
 *
 * Flat and numbered; the numbers are those of postroad-maps(7) and of
 * t/tables/route.tbl. Pure: everything it needs is in struct route_input.
 */
#ifndef POSTROAD_ROUTE_H
#define POSTROAD_ROUTE_H

#include <stddef.h>
#include <stdint.h>

#include "account.h"
#include "site.h"
#include "span.h"

enum route_verdict {
    ROUTE_OUTSIDE, /* not our domain */
    ROUTE_UNKNOWN, /* proven: nobody has this address */
    ROUTE_UNSURE,  /* nobody we know has it, and we can't prove it */
    ROUTE_LOCAL,   /* to the mailbox store of this site */
    ROUTE_HANDOFF, /* to the next hops of another site */
    ROUTE_WAIT     /* keep in the queue until the directory says more */
};

struct route_input {
    int domain_ours;         /* 1 or 0 */
    int found;               /* 1: an account or list has the address (or its catch-all does) */
    int proven;              /* 1: the mirror is proven current, so "not found" is a fact */
    enum record_kind kind;   /* KIND_ACCOUNT or KIND_LIST; only when found */
    enum record_state state; /* effective, inheritance applied; only when found */
    struct span home;        /* effective home site or host; n = 0: none */
    struct span standby;     /* effective standby site; n = 0: none said, the site's own counts */
    struct span own_site;    /* which site we are */
    const struct site_table *sites;
};

struct route {
    enum route_verdict verdict;
    int step;                /* 1..9, the numbers of DESIGN and the manual */
    const struct site *site; /* target of ROUTE_HANDOFF; points into input's table; else NULL */
    const char *why;         /* a fixed string: log, audit, explain */
    int list;                /* 1: ROUTE_LOCAL of a list, expanded where the message came in */
};

struct route route_decide(const struct route_input *in);

/* "outside", "unknown", "unsure", "local", "hand-off", "wait" */
const char *route_verdict_word(enum route_verdict v);
/* The rule's text in words, for `postroad explain` and the manual; NULL outside 1..9. */
const char *route_rule_text(int step);

#endif
