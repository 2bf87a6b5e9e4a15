/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * send_above: what an account or list inherits: functions withheld, limits, limits for
 * all together.
 *
 * Most departments of a large tree say nothing of that: of these only the parent is kept,
 * in a few bytes each, so that thousands have room, and what comes from further up is
 * kept once for all of them. Promises: whoever sets something is remembered, so that a
 * refusal can name him; an entry above that can't be read leaves everything unknown.
 * Must not: decide, or keep anything longer than the mirror stays as it is.
 */
#include <stdio.h>

#include "send.h"
#include "serve.h"

#define KEPT  509   /* domains, and containers that say something; a few kilobytes each */
#define PLAIN 16384 /* containers that say nothing */

uint32_t
send_era(struct worker *w, struct mirror *m)
{
    static uint64_t snapshot, generation;
    static uint32_t era;
    uint64_t now = mirror_snapshot(m), filled = maps_generation(w->maps);

    if (now == 0)
        return 0;
    if (now != snapshot || filled != generation || era == 0) {
        snapshot = now;
        generation = filled;
        era += era == UINT32_MAX ? 2 : 1;
    }
    return era;
}

/* --- what one entry says --- */

/* The RDN as the directory writes it, fit for a reply. */
static void
name_of(const struct record *r, char out[SEND_AT_MAX])
{
    struct span rdn = {NULL, 0};
    size_t n = 0;

    record_find(r, TAG_RDN, &rdn);
    for (; n < rdn.n && n < SEND_AT_MAX - 1; n++)
        out[n] = rdn.p[n] >= 0x20 && rdn.p[n] < 0x7f ? rdn.p[n] : '?';
    out[n] = '\0';
}

static void
take_function(struct send_entry *e, const struct record *r, struct span word)
{
    static const char *const words[SEND_FUNCTIONS] = {[SEND_SUBMISSION] = "submission",
                                                      [SEND_EXTERNAL] = "send-external",
                                                      [SEND_RECEIVE] = "receive-external"};

    for (int f = 0; f < SEND_FUNCTIONS; f++)
        if (span_same(word, span_of(words[f])) && !e->withheld[f][0])
            name_of(r, e->withheld[f]);
}

/* The place for totals of this entry: the last one, when it was made for it. */
static struct send_total *
total_of(struct send_entry *e, const unsigned char uuid[UUID_LEN])
{
    struct send_total *t = &e->totals[e->ntotals - (e->ntotals > 0)];

    if (e->ntotals > 0 && memcmp(t->uuid, uuid, UUID_LEN) == 0)
        return t;
    if (e->ntotals == SEND_TOTALS)
        return NULL;
    t = &e->totals[e->ntotals++];
    *t = (struct send_total){0};
    memcpy(t->uuid, uuid, UUID_LEN);
    return t;
}

/* -1: more than we have room for. */
static int
take_limit(struct send_entry *e, const struct record *r, const unsigned char uuid[UUID_LEN],
           struct span text)
{
    struct send_total *t;
    enum limit_kind kind;
    uint64_t n;
    int total;

    if (!limit_parse(text, &kind, &n, &total))
        return 0;
    if (!total) {
        if (!(e->limits.set >> kind & 1))
            name_of(r, e->limit_at[kind]);
        limits_take(&e->limits, kind, n);
        return 0;
    }
    if (record_kind(r) == KIND_ACCOUNT)
        return 0;
    if (!(t = total_of(e, uuid)))
        return -1;
    name_of(r, t->at);
    limits_take(&t->limits, kind, n);
    return 0;
}

int
send_take(struct send_entry *e, const struct record *r, const unsigned char uuid[UUID_LEN])
{
    enum record_tag tag;
    struct span v;
    size_t pos = 0;

    while (record_next(r, &pos, &tag, &v)) {
        if (tag == TAG_DENY)
            take_function(e, r, v);
        else if (tag == TAG_LIMIT && take_limit(e, r, uuid, v) < 0)
            return -1;
    }
    return 0;
}

int
send_says_nothing(const struct record *r)
{
    struct span v;

    return !record_find(r, TAG_DENY, &v) && !record_find(r, TAG_LIMIT, &v);
}

/* --- the containers above --- */

/* As rights do it: only the base may be hidden from us; a file holds all there is. */
static int
may_be_hidden(const struct worker *w, const struct mirror_org *org)
{
    return org->parent == 0 || *w->env->conf->directory.ldif;
}

static int
walk_above(struct worker *w, struct mirror *m, struct send_entry *e, uint32_t number)
{
    struct mirror_org org;
    struct record up;

    for (; number != 0; number = org.parent) {
        int found = e->nabove < SEND_LEVELS ? mirror_org(m, number, &org) : -1;

        if (found != 1)
            return -1;
        if (e->nabove == 0)
            snprintf(e->domain, sizeof(e->domain), "%.*s", (int)org.domain.n, org.domain.p);
        e->above[e->nabove++] = number;
        found = mirror_entry(m, org.uuid, &up);
        if (found < 0 || (found == 0 && !may_be_hidden(w, &org)))
            return -1;
        if (found && send_take(e, &up, org.uuid) < 0)
            return -1;
    }
    return 0;
}

/* A container and all above it. NULL: can't be told. */
static const struct send_entry *
kept_of(struct worker *w, struct mirror *m, uint32_t era, uint32_t number)
{
    static struct {
        uint32_t era, number;
        struct send_entry e;
    } kept[KEPT];
    size_t i = number % KEPT;

    if (kept[i].era == era && kept[i].number == number)
        return &kept[i].e;
    kept[i].era = 0;
    memset(&kept[i].e, 0, sizeof(kept[i].e));
    if (walk_above(w, m, &kept[i].e, number) < 0)
        return NULL;
    kept[i].era = era;
    kept[i].number = number;
    return &kept[i].e;
}

/* The parent of a container that hands on what comes from above and adds nothing; 0: it isn't one. */
static uint32_t
plain_parent(struct mirror *m, uint32_t era, uint32_t number)
{
    static struct {
        uint32_t era, number, parent; /* 0: not plain */
    } plain[PLAIN];
    size_t i = number % PLAIN;
    struct mirror_org org;
    struct record r;

    if (plain[i].era == era && plain[i].number == number)
        return plain[i].parent;
    if (mirror_org(m, number, &org) != 1)
        return 0;
    if (org.kind == KIND_DOMAIN || mirror_entry(m, org.uuid, &r) != 1 || !send_says_nothing(&r))
        org.parent = 0;
    plain[i].era = era;
    plain[i].number = number;
    plain[i].parent = org.parent;
    return org.parent;
}

/* What e doesn't say itself. */
static void
inherit(struct send_entry *e, const struct send_entry *up)
{
    for (int f = 0; f < SEND_FUNCTIONS; f++)
        if (!e->withheld[f][0] && up->withheld[f][0])
            memcpy(e->withheld[f], up->withheld[f], SEND_AT_MAX);
    for (int k = 0; k < LIMIT_KIND_N; k++) {
        if (!(up->limits.set >> k & 1) || (e->limits.set >> k & 1))
            continue;
        limits_take(&e->limits, (enum limit_kind)k, up->limits.most[k]);
        memcpy(e->limit_at[k], up->limit_at[k], SEND_AT_MAX);
    }
    memcpy(e->totals, up->totals, up->ntotals * sizeof(*up->totals));
    e->ntotals = up->ntotals;
    memcpy(e->domain, up->domain, strlen(up->domain) + 1);
    memcpy(e->above + e->nabove, up->above, up->nabove * sizeof(*up->above));
    e->nabove += up->nabove;
}

int
send_inherit(struct worker *w, struct mirror *m, struct send_entry *e, uint32_t number)
{
    uint32_t era = send_era(w, m), parent;
    const struct send_entry *up;

    if (era == 0)
        return -1;
    while ((parent = plain_parent(m, era, number)) != 0) {
        if (e->nabove == SEND_LEVELS)
            return -1;
        e->above[e->nabove++] = number;
        number = parent;
    }
    up = kept_of(w, m, era, number);
    if (!up || e->nabove + up->nabove > SEND_LEVELS)
        return -1;
    inherit(e, up);
    return 0;
}
