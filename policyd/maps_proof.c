/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * maps, proof: whether "not in the mirror" is a fact, out of what sync shows on the
 * board and when the question came: the mirror as a whole by contextCSN, and, since a
 * directory can lose a change and not know it, the address itself at every provider.
 *
 * Promises: the proof that counts was on the board before the snapshot of the mirror
 * was taken, so that what it speaks of is in the snapshot. Looks at the clock only for
 * addresses that are nobody's. Decides nothing: that is freshness_decide().
 */
#include "maps_private.h"

#include <string.h>

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
    m->judged = m->waits = m->ticket = 0;
    m->slot = -1;
}

/* --- the mirror as a whole --- */

/* A proof speaks of the store that sync writes: look whether it is still the one we have open. */
static void
check_store(struct maps *m)
{
    if (m->all != FRESH_CURRENT || !mirror_replaced(m->mirror))
        return;
    m->all = FRESH_WAIT;
    m->all_why = "not proven: the mirror was replaced";
    m->checked_ms = 0;
    m->check = 1;
}

static void
judge_once(struct maps *m)
{
    int64_t now;

    if (m->judged)
        return;
    now = (int64_t)board_now_ms();
    if (m->asked_ms == 0)
        m->asked_ms = now - (m->cant_wait ? RECENT_MS : 0);
    m->all = judge(m, m->proof_ms, m->asked_ms, now, &m->all_why);
    m->judged = 1;
    check_store(m);
}

/* --- one address --- */

/* Add a line, unless it is there or too long. */
static void
add_line(char *text, size_t *n, const char *line, int line_n)
{
    struct span rest = {text, *n}, have;

    while (line_n > 0 && inquiry_line(&rest, &have))
        if (span_same(have, (struct span){line, (size_t)line_n}))
            return;
    if (line_n <= 0 || *n + (size_t)line_n + 1 > INQUIRY_TEXT)
        return;
    memcpy(text + *n, line, (size_t)line_n);
    *n += (size_t)line_n;
    text[(*n)++] = '\n';
}

/* The addresses by which maps_resolve() would find somebody, as a question. */
static size_t
question_for(struct maps *m, const struct addr *a, char text[INQUIRY_TEXT])
{
    const struct domain_slot *d = maps_domain(m, span_of(addr_domain(a)));
    char other[ADDR_MAX + 1];
    size_t n = 0;

    add_line(text, &n, a->text, a->len);
    add_line(text, &n, other, addr_rewrite(a, 0, NULL, other));
    if (!d || !d->is_alias)
        return n;
    add_line(text, &n, other, addr_rewrite(a, 1, d->primary, other));
    add_line(text, &n, other, addr_rewrite(a, 0, d->primary, other));
    return n;
}

static void
doubt(struct maps *m, enum freshness_verdict fresh, const char *why)
{
    m->fresh = fresh;
    m->fresh_why = why;
}

/* Ask the providers for the address, and see what they said. */
static void
inquire(struct maps *m, const struct addr *a)
{
    int64_t now = (int64_t)board_now_ms();
    char text[INQUIRY_TEXT];
    struct span question = {text, question_for(m, a, text)};
    enum inquiry_verdict said = INQUIRY_NONE;

    m->slot = inquiry_put(&m->inquiry, question, m->asked_ms, now);
    if (m->slot >= 0)
        said = inquiry_look(&m->inquiry, m->slot, m->asked_ms, m->answered);
    if (said == INQUIRY_DIFFERS)
        doubt(m, FRESH_STALE, "not proven: a provider has it, though contextCSN is equal");
    else if (said == INQUIRY_NONE && now - m->asked_ms >= m->conf->unknown_wait * 1000LL)
        doubt(m, FRESH_STALE, "not proven: not every provider said in time whether it has it");
    else if (said == INQUIRY_NONE && m->fresh == FRESH_CURRENT)
        doubt(m, FRESH_WAIT, "not proven yet: every provider is asked for it");
}

/* Who can't wait, or doesn't ask, goes by the alarms that were raised. */
static void
look_at_alarms(struct maps *m, const struct addr *a)
{
    char text[INQUIRY_TEXT];
    struct span question = {text, question_for(m, a, text)};

    if (inquiry_alarmed(m->board, question))
        doubt(m, FRESH_STALE, "not proven: a provider has it, though contextCSN is equal");
}

int
maps_proven(struct maps *m, const struct addr *a)
{
    judge_once(m);
    m->slot = -1;
    doubt(m, m->all, m->all_why);
    if (m->verifies && (m->all == FRESH_CURRENT || m->all == FRESH_WAIT)) {
        if (m->asks && !m->cant_wait)
            inquire(m, a);
        else
            look_at_alarms(m, a);
    }
    return m->fresh == FRESH_CURRENT;
}

const char *
maps_doubt(struct maps *m)
{
    if (m->fresh == FRESH_WAIT) {
        m->waits = 1;
        m->ticket = m->slot + 1;
    }
    return m->fresh_why;
}

/* --- waiting --- */

int64_t
maps_waits(const struct maps *m)
{
    return m->waits && !m->cant_wait ? m->asked_ms : 0;
}

int
maps_ticket(struct maps *m)
{
    if (m->ticket > 0)
        m->inquiry.refs[m->ticket - 1]++;
    return m->ticket;
}

void
maps_release(struct maps *m, int ticket)
{
    if (ticket > 0 && m->inquiry.refs[ticket - 1] > 0)
        m->inquiry.refs[ticket - 1]--;
}

unsigned
maps_room(const struct maps *m)
{
    return m->asks ? inquiry_room(&m->inquiry, (int64_t)board_now_ms()) : UINT32_MAX;
}

int
maps_settled(const struct maps *m, int64_t asked_ms, int ticket, unsigned *room)
{
    int64_t proof = (int64_t)board_get(m->board, BOARD_SYNC, BOARD_SYNC_PROOF_MS);
    int64_t now = (int64_t)board_now_ms();
    enum freshness_verdict all = judge(m, proof, asked_ms, now, NULL);

    if (all != FRESH_CURRENT || !m->asks)
        return all != FRESH_WAIT;
    if (now - asked_ms >= m->conf->unknown_wait * 1000LL)
        return 1;
    if (ticket == 0)
        return *room > 0 ? (--*room, 1) : 0;
    return inquiry_look(&m->inquiry, ticket - 1, asked_ms, UINT64_MAX) != INQUIRY_NONE;
}
