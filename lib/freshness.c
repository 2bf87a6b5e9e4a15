/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * freshness: whether an address that the mirror does not hold is a fact or a gap.
 *
 * Promises: "current" only when the source is a file that was loaded whole, or a
 * provider that has answered within the time allowed while its refresh was
 * complete. Doubt is always "stale". Must not: read a clock.
 */
#include "freshness.h"

#include <stddef.h>

enum freshness_verdict
freshness_decide(const struct freshness *f, int64_t now_ms, int64_t max_silence_ms,
                 const char **why)
{
    const char *unused;

    if (why == NULL)
        why = &unused;
    if (!f->loaded) {
        *why = "the mirror was never filled";
        return FRESH_NEVER;
    }
    if (f->source == FRESHNESS_LDIF) {
        *why = "the file is the truth";
        return FRESH_CURRENT;
    }
    if (!f->connected) {
        *why = "not connected to the directory, or its refresh is not complete";
        return FRESH_STALE;
    }
    if (f->last_beat_ms <= 0 || f->last_beat_ms > now_ms) {
        *why = "the directory has not answered yet";
        return FRESH_STALE;
    }
    if (now_ms - f->last_beat_ms > max_silence_ms) {
        *why = "the directory is silent";
        return FRESH_STALE;
    }
    *why = "the directory answers and the refresh is complete";
    return FRESH_CURRENT;
}
