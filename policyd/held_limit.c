/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_limit: see held_limit.h. A place for each sender and kind of notice; two whose hash is the same share
 * one, which costs them notices, not mail.
 *
 * Promises: a place where something is gathered is not given to another sender before that is told; when
 * there is no other one, who comes next is told later.
 */
#include "held_limit.h"

#include <stdlib.h>

#include "fnv.h"

struct place {
    uint64_t key; /* 0: free */
    int64_t since_ms, due_ms;
    unsigned said, more, sums; /* since then: singly; gathered now; notices about several */
    unsigned char round;       /* what is gathered now: never 0 */
};

struct held_limit {
    unsigned most;
    unsigned char round;
    struct place at[HELD_LIMIT_SENDERS];
};

struct held_limit *
held_limit_new(unsigned most)
{
    struct held_limit *l = calloc(1, sizeof *l);

    if (l)
        l->most = most;
    return l;
}

void
held_limit_free(struct held_limit **l)
{
    free(*l);
    *l = NULL;
}

/* Over the address in small letters. */
static uint64_t
key_of(struct span sender, int end)
{
    uint64_t sum = FNV64 ^ (uint64_t)(end != 0);

    for (size_t i = 0; i < sender.n; i++) {
        unsigned char c = (unsigned char)sender.p[i];

        c = c >= 'A' && c <= 'Z' ? c | 32u : c;
        sum = fnv64(sum, &c, 1);
    }
    return sum ? sum : 1;
}

static unsigned char
next_round(struct held_limit *l)
{
    l->round = l->round == 255 ? 1 : l->round + 1;
    return l->round;
}

/* Nothing is gathered there, and its hour began before that of the other one. */
static int
is_spare(const struct place *p, const struct place *than)
{
    return p->more == 0 && (!than || p->since_ms < than->since_ms);
}

/* NULL: there is none to be had. */
static struct place *
place_of(struct held_limit *l, uint64_t key, int64_t now_ms)
{
    struct place *spare = NULL;

    for (size_t i = 0; i < HELD_LIMIT_SENDERS; i++) {
        struct place *p = &l->at[i];

        if (p->key == key)
            return p;
        if (!p->key && (!spare || spare->key))
            spare = p;
        else if (p->key && (!spare || spare->key) && is_spare(p, spare))
            spare = p;
    }
    if (spare)
        *spare = (struct place){.key = key, .since_ms = now_ms, .round = next_round(l)};
    return spare;
}

/* 1 when its hour is over, or the clock was set back: another one begins. */
static void
renew(struct place *p, int64_t now_ms)
{
    if (now_ms >= p->since_ms && now_ms - p->since_ms < HELD_LIMIT_HOUR_MS)
        return;
    p->since_ms = now_ms;
    p->said = p->sums = 0;
}

static void
gather(struct place *p, unsigned char *gathered, int64_t now_ms)
{
    int64_t end = p->since_ms + HELD_LIMIT_HOUR_MS, soon = now_ms + HELD_LIMIT_GATHER_MS;

    if (p->more++ == 0)
        p->due_ms = p->sums > 0 || soon > end ? end : soon;
    *gathered = p->round;
}

enum held_say
held_limit_ask(struct held_limit *l, struct span sender, int end, unsigned char *gathered,
               int64_t now_ms, unsigned *more_r, int64_t *due_r)
{
    struct place *p = place_of(l, key_of(sender, end), now_ms);

    *more_r = 1;
    *due_r = now_ms + HELD_LIMIT_GATHER_MS;
    if (!p)
        return HELD_SAY_LATER;
    renew(p, now_ms);
    if (*gathered && *gathered != p->round)
        return HELD_SAY_SAID;
    if (!*gathered || p->more == 0) {
        if (p->said < l->most) {
            p->said++;
            return HELD_SAY_ONE;
        }
        gather(p, gathered, now_ms);
    }
    *due_r = p->due_ms;
    if (now_ms < p->due_ms && p->due_ms - now_ms <= HELD_LIMIT_HOUR_MS)
        return HELD_SAY_LATER;
    *more_r = p->more;
    p->more = 0;
    p->sums++;
    p->round = next_round(l);
    return HELD_SAY_SUM;
}

void
held_limit_unsaid(struct held_limit *l, struct span sender, int end, unsigned more,
                  unsigned char *gathered, int64_t now_ms)
{
    struct place *p = place_of(l, key_of(sender, end), now_ms);

    *gathered = 0;
    if (!p)
        return;
    if (more == 0) {
        p->said -= p->said > 0;
        return;
    }
    p->sums -= p->sums > 0;
    p->more += more;
    p->due_ms = now_ms;
    *gathered = p->round;
}

void
held_limit_seen(struct held_limit *l, struct span sender, int end, int64_t when_ms, int64_t now_ms)
{
    struct place *p;

    if (when_ms > now_ms || now_ms - when_ms >= HELD_LIMIT_HOUR_MS)
        return;
    p = place_of(l, key_of(sender, end), when_ms);
    if (!p)
        return;
    if (when_ms < p->since_ms)
        p->since_ms = when_ms;
    p->said++;
}
