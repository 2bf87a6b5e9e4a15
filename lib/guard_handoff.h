/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guard_handoff: what a site says to a message that a peer hands to it. The loop guard (P2)
 * needs no header and no state: only who is local here is taken in.
 */
#ifndef POSTROAD_GUARD_HANDOFF_H
#define POSTROAD_GUARD_HANDOFF_H

#include "route.h"

enum guard_verdict {
    GUARD_ACCEPT, /* it is for us */
    GUARD_DEFER   /* 451: the peer keeps it in its queue and asks its own directory again */
};

struct guard {
    enum guard_verdict verdict;
    const char *why; /* a fixed string */
};

/* The recipient's route as this site sees it. Never a permanent refusal. */
struct guard guard_handoff(const struct route *r);

#endif
