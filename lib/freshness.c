/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * freshness: whether an address that the mirror does not hold is a fact or a gap.
 *
 * Promises: "current" only when the source is a file that was loaded whole, or when it
 * was proven that the mirror held everything every provider knew at a moment after
 * the question: not at the same millisecond, where the order is not known. Such a
 * proof stays one, whatever fails later. All other doubt is "stale", or "wait" while
 * nothing speaks against a proof in time. Must not: read a clock.
 */
#include "freshness.h"

#include <stddef.h>

static enum freshness_verdict
freshness_is(enum freshness_verdict verdict, const char *why, const char **why_r)
{
    if (why_r != NULL)
        *why_r = why;
    return verdict;
}

enum freshness_verdict
freshness_decide(const struct freshness *f, int64_t now_ms, int64_t wait_ms, const char **why_r)
{
    /* 1 nothing was ever loaded */
    if (!f->loaded)
        return freshness_is(FRESH_NEVER, "the mirror was never filled", why_r);
    /* 2 a file is the truth, once the mirror holds it */
    if (f->source == FRESHNESS_LDIF && f->following)
        return freshness_is(FRESH_CURRENT, "the file is the truth", why_r);
    if (f->source == FRESHNESS_LDIF)
        return freshness_is(FRESH_STALE, "not proven: the file is not loaded as it is", why_r);
    /* 3 proven at a moment after the question */
    if (f->proof_ms > f->asked_ms && f->proof_ms <= now_ms)
        return freshness_is(FRESH_CURRENT, "proven after the question", why_r);
    /* 4 no proof can come: changes don't arrive, or somebody who may know more is silent */
    if (!f->following)
        return freshness_is(FRESH_STALE, "not proven: the mirror does not follow the directory now",
                            why_r);
    if (f->unreachable > 0)
        return freshness_is(FRESH_STALE, "not proven: a provider does not answer", why_r);
    /* 5 one may come, but it has to come in time */
    if (now_ms - f->asked_ms >= wait_ms)
        return freshness_is(FRESH_STALE, "not proven: no proof came in time", why_r);
    return freshness_is(FRESH_WAIT, "not proven yet", why_r);
}
