/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guard_hold: six steps, the first that applies decides.
 *
 * Promises: no mail passes out of doubt whether a rule holds it, and none is held out of doubt: it has to come
 * again. A notice is never held by a rule: it would make notices of its own. Must not: look anything up.
 */
#include "guard_hold.h"

#include <stddef.h>

static enum guard_known
and_then(enum guard_known a, enum guard_known b)
{
    return a == GUARD_NO || b == GUARD_NO           ? GUARD_NO
           : a == GUARD_UNSURE || b == GUARD_UNSURE ? GUARD_UNSURE
                                                    : GUARD_YES;
}

static enum guard_known
by_envelope(const struct guard_holding *h, unsigned rule)
{
    const struct hold_rule *r = &h->rule[rule];

    return and_then(hold_rule_sender(r, &h->from, h->outside),
                    hold_rule_asks_recipient(r) ? h->seen[rule].recipient : GUARD_YES);
}

static enum guard_known
holds(const struct guard_holding *h, unsigned rule)
{
    const struct hold_rule *r = &h->rule[rule];
    const struct guard_hold_seen *seen = &h->seen[rule];
    enum guard_known known = by_envelope(h, rule);

    if (r->size >= 0 && h->size <= (uint64_t)r->size)
        return GUARD_NO;
    if (*r->attachment)
        known = and_then(known, seen->attachment);
    if (*r->subject)
        known = and_then(known, seen->subject);
    return known;
}

int
guard_hold_may(const struct guard_holding *h, unsigned rule)
{
    return !h->handed && !h->notice && by_envelope(h, rule) != GUARD_NO;
}

struct guard_hold
guard_hold(const struct guard_holding *h)
{
    if (h->handed)
        return (struct guard_hold){GUARD_HOLD_PASS, 1, 0};
    if (h->requested)
        return (struct guard_hold){GUARD_HOLD_HELD, 2, 0};
    if (h->notice)
        return (struct guard_hold){GUARD_HOLD_PASS, 3, 0};
    for (unsigned i = 0; i < h->n; i++) {
        enum guard_known known = holds(h, i);

        if (known == GUARD_YES)
            return (struct guard_hold){GUARD_HOLD_HELD, 4, i};
        if (known != GUARD_NO)
            return (struct guard_hold){GUARD_HOLD_LATER, 5, i};
    }
    return (struct guard_hold){GUARD_HOLD_PASS, 6, 0};
}

const char *
guard_hold_step_text(int step)
{
    static const char *const texts[GUARD_HOLD_STEPS] = {
        "another site handed it over, and has asked its own rules: it passes",
        "the spoof guard asks for it: held",
        "its sender is empty and nobody logged in, it is a notice: it passes",
        "a rule holds, and none before it does: held by that rule",
        "whether a rule holds can't be told, and none before it does: later",
        "no rule holds: it passes",
    };

    return step >= 1 && step <= GUARD_HOLD_STEPS ? texts[step - 1] : NULL;
}
