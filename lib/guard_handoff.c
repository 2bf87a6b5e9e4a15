/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guard_handoff: the verdict on what a peer hands over, out of this site's own route.
 *
 * Promises: a message is taken in only where it stays, so two sites that disagree
 * hand it over once at most, and the first one's queue keeps it; nothing here is
 * ever a permanent refusal. Must not: look anything up, or trust what the peer says.
 */
#include "guard_handoff.h"

struct guard
guard_handoff(const struct route *r)
{
    /* A list was expanded where the message came in; nobody here would do it now. */
    if (r->verdict == ROUTE_LOCAL && r->list)
        return (struct guard){GUARD_DEFER, "a list here"};
    switch (r->verdict) {
    case ROUTE_LOCAL:
        return (struct guard){GUARD_ACCEPT, "local here"};
    case ROUTE_HANDOFF:
        return (struct guard){GUARD_DEFER, "at another site"};
    case ROUTE_WAIT:
        return (struct guard){GUARD_DEFER, "waits here too"};
    case ROUTE_UNKNOWN:
        return (struct guard){GUARD_DEFER, "unknown here"};
    case ROUTE_UNSURE:
        return (struct guard){GUARD_DEFER, "not known here yet"};
    case ROUTE_OUTSIDE:
        break;
    }
    return (struct guard){GUARD_DEFER, "not ours"};
}
