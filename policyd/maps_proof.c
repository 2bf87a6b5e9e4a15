/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * maps, proof: whether "not in the mirror" is a fact, out of what sync shows on the
 * board and when the question came.
 *
 * Promises: the proof that counts was on the board before the snapshot of the mirror
 * was taken, so that what it speaks of is in the snapshot. Looks at the clock only for
 * addresses that are nobody's. Decides nothing: that is freshness_decide().
 */
#include "maps_private.h"

#define RECENT_MS 3000 /* a proof is not older when all is well, however slow the line */

static int
is_following(const struct maps *m, enum freshness_source source)
{
    uint64_t phase = board_get(m->board, BOARD_SYNC, BOARD_SYNC_PHASE);

    if (m->left)
        return 0;
    /* A file that is being read, or was refused, may hold what the mirror doesn't; one that is broken
     * has changed nothing. */
    if (source == FRESHNESS_LDIF)
        return phase == PHASE_LOADED || phase == PHASE_ERROR;
    return phase == PHASE_PERSIST;
}

static enum freshness_verdict
judge(const struct maps *m, int64_t proof_ms, int64_t asked_ms, int64_t now_ms, const char **why_r)
{
    int ldif = m->conf->directory.ldif && *m->conf->directory.ldif;
    enum freshness_source source = ldif ? FRESHNESS_LDIF : FRESHNESS_SYNCREPL;
    struct freshness f = {
        .source = source,
        .loaded = m->complete,
        .following = is_following(m, source),
        .unreachable = (int)board_get(m->board, BOARD_SYNC, BOARD_SYNC_UNREACHABLE),
        .proof_ms = m->left ? 0 : proof_ms,
        .asked_ms = asked_ms,
    };

    if (m->cant_wait && (!f.following || f.unreachable > 0 || m->conf->unknown_wait == 0))
        f.proof_ms = 0; /* a lookup that waits would get none */
    return freshness_decide(&f, now_ms, m->conf->unknown_wait * 1000LL, why_r);
}

void
maps_asked(struct maps *m, int64_t asked_ms)
{
    m->next_asked_ms = asked_ms;
}

void
maps_proof_begin(struct maps *m)
{
    m->cant_wait = m->next_asked_ms == MAPS_CANT_WAIT;
    m->asked_ms = m->cant_wait ? 0 : m->next_asked_ms;
    m->next_asked_ms = 0;
    m->judged = m->hinges = 0;
}

/* A proof speaks of the store that sync writes: look whether it is still the one we have open. */
static void
check_store(struct maps *m)
{
    if (m->fresh != FRESH_CURRENT || !mirror_replaced(m->mirror))
        return;
    m->fresh = FRESH_WAIT;
    m->fresh_why = "not proven: the mirror was replaced";
    m->checked_ms = 0;
    m->check = 1;
}

int
maps_proven(struct maps *m)
{
    int64_t now;

    if (!m->judged) {
        now = (int64_t)board_now_ms();
        if (m->asked_ms == 0)
            m->asked_ms = now - (m->cant_wait ? RECENT_MS : 0);
        m->fresh = judge(m, m->proof_ms, m->asked_ms, now, &m->fresh_why);
        m->judged = 1;
        check_store(m);
    }
    return m->fresh == FRESH_CURRENT;
}

const char *
maps_doubt(struct maps *m)
{
    m->hinges = !maps_proven(m);
    return m->fresh_why;
}

int64_t
maps_waits(const struct maps *m)
{
    return m->hinges && !m->cant_wait && m->fresh == FRESH_WAIT ? m->asked_ms : 0;
}

int
maps_settled(const struct maps *m, int64_t asked_ms)
{
    int64_t proof = (int64_t)board_get(m->board, BOARD_SYNC, BOARD_SYNC_PROOF_MS);

    return judge(m, proof, asked_ms, (int64_t)board_now_ms(), NULL) != FRESH_WAIT;
}
