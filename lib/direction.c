/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * direction: see direction.h.
 *
 * Promises: what could not be looked up is "unknown", never a guess. Must not look at
 * headers: only the envelope and the directory tell.
 */
#include "direction.h"

static const char *const rules[] = {
    [1] = "another site handed it over: transit",
    [2] = "the directory can't be asked: unknown",
    [3] = "the recipient's domain is not ours: outbound",
    [4] = "the sender is outside: inbound",
    [5] = "the recipient's home is this site, or it is a list: local",
    [6] = "the recipient's home is another site: handoff",
    [7] = "nobody has the address, or its home is not known: unknown",
};

static const char *const words[DIRECTION_N] = {
    [DIRECTION_UNKNOWN] = "unknown",   [DIRECTION_LOCAL] = "local",
    [DIRECTION_HANDOFF] = "handoff",   [DIRECTION_INBOUND] = "inbound",
    [DIRECTION_OUTBOUND] = "outbound", [DIRECTION_TRANSIT] = "transit"};

struct direction_result
direction_decide(const struct direction_input *in)
{
    if (in->handed)
        return (struct direction_result){DIRECTION_TRANSIT, 1};
    if (!in->readable)
        return (struct direction_result){DIRECTION_UNKNOWN, 2};
    if (in->verdict == ROUTE_OUTSIDE)
        return (struct direction_result){DIRECTION_OUTBOUND, 3};
    if (!in->inside)
        return (struct direction_result){DIRECTION_INBOUND, 4};
    if (in->verdict == ROUTE_LOCAL)
        return (struct direction_result){DIRECTION_LOCAL, 5};
    if (in->verdict == ROUTE_HANDOFF)
        return (struct direction_result){DIRECTION_HANDOFF, 6};
    return (struct direction_result){DIRECTION_UNKNOWN, 7};
}

const char *
direction_word(enum direction d)
{
    return (unsigned)d < DIRECTION_N ? words[d] : words[DIRECTION_UNKNOWN];
}

const char *
direction_rule_text(int step)
{
    return step >= 1 && step <= 7 ? rules[step] : NULL;
}
