/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * proof: see proof.h. When more answers wait than there is room for, the newest one
 * is replaced: the oldest is covered first, so the proof goes on, if in larger steps,
 * however far the mirror is behind. A provider whose contextCSN went back (it crashed,
 * and an entry newer than it may still be there) is held to what it said before. Must
 * not: read a clock, or take a provider that was never heard for one that knows nothing.
 */
#include "proof.h"

void
proof_init(struct proof *p, unsigned n)
{
    memset(p, 0, sizeof *p);
    p->n = n < PROOF_PROVIDERS_MAX ? n : PROOF_PROVIDERS_MAX;
}

void
proof_asked(struct proof *p, unsigned i, int64_t now_ms)
{
    p->provider[i].asking_ms = now_ms;
}

/* Add to what the provider said before. 0, or -1: no room. */
static int
say(struct cookie *said, const struct cookie *knows)
{
    for (size_t k = 0; k < knows->n; k++)
        if (cookie_merge_csn(said, span_of(knows->csn[k].text)) < 0)
            return -1;
    return 0;
}

void
proof_answered(struct proof *p, unsigned i, int64_t asked_ms, int64_t now_ms,
               const struct cookie *knows)
{
    struct proof_provider *v = &p->provider[i];
    struct proof_answer *a;

    if (knows->n == 0 || say(&v->said, knows) < 0) {
        proof_failed(p, i);
        return;
    }
    v->answered_ms = now_ms;
    v->asking_ms = 0;
    v->failed = 0;
    if (v->nopen < PROOF_OPEN_MAX)
        v->nopen++;
    a = &v->open[v->nopen - 1];
    a->asked_ms = asked_ms;
    a->knows = v->said;
}

void
proof_failed(struct proof *p, unsigned i)
{
    p->provider[i].asking_ms = 0;
    p->provider[i].failed = 1;
}

/* Take the newest covered answer, and forget those before it. */
static void
cover_one(struct proof_provider *v, const struct cookie *mirror)
{
    unsigned k = v->nopen;

    while (k > 0 && !cookie_covers(mirror, &v->open[k - 1].knows))
        k--;
    if (k > 0) {
        v->covered_ms = v->open[k - 1].asked_ms;
        v->nopen -= k;
        memmove(v->open, v->open + k, v->nopen * sizeof v->open[0]);
    }
}

void
proof_cover(struct proof *p, const struct cookie *mirror)
{
    for (unsigned i = 0; i < p->n; i++)
        cover_one(&p->provider[i], mirror);
}

void
proof_forget(struct proof *p)
{
    for (unsigned i = 0; i < p->n; i++) {
        p->provider[i].covered_ms = 0;
        p->provider[i].nopen = 0;
        cookie_init(&p->provider[i].said);
    }
}

int64_t
proof_ms(const struct proof *p)
{
    int64_t least = 0;

    for (unsigned i = 0; i < p->n; i++) {
        int64_t ms = p->provider[i].covered_ms;

        if (ms == 0)
            return 0;
        if (least == 0 || ms < least)
            least = ms;
    }
    return least;
}

int64_t
proof_behind_ms(const struct proof_provider *v)
{
    return v->nopen > 0 ? v->open[0].asked_ms : 0;
}

int
proof_unreachable(const struct proof_provider *v, int64_t now_ms)
{
    return v->failed || (v->asking_ms > 0 && now_ms - v->asking_ms > PROOF_SILENT_MS);
}

unsigned
proof_count_unreachable(const struct proof *p, int64_t now_ms)
{
    unsigned n = 0;

    for (unsigned i = 0; i < p->n; i++)
        n += (unsigned)proof_unreachable(&p->provider[i], now_ms);
    return n;
}
