/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * send_find: an address's account or list, and what it inherits: functions withheld,
 * limits, limits for all together.
 *
 * Promises: whoever sets something is remembered, so that a refusal can name him; an
 * entry above that can't be read leaves everything unknown. Must not: decide.
 */
#include <stddef.h>
#include <stdio.h>

#include "send.h"
#include "serve.h"

#define KEPT 509 /* departments; a few kilobytes each */

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

static int
take_items(struct send_entry *e, const struct record *r, const unsigned char uuid[UUID_LEN])
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
        if (found && take_items(e, &up, org.uuid) < 0)
            return -1;
    }
    return 0;
}

/*
 * What comes from above, which is the same for all in one department: kept for as long as
 * nothing in the mirror has changed. NULL: can't be told.
 */
static const struct send_entry *
from_above(struct worker *w, struct mirror *m, uint32_t number)
{
    static struct {
        uint64_t snapshot, generation;
        uint32_t number;
        struct send_entry e;
    } kept[KEPT];
    uint64_t snapshot = mirror_snapshot(m), generation = maps_generation(w->maps);
    size_t i = number % KEPT;

    if (snapshot == 0)
        return NULL;
    if (kept[i].snapshot == snapshot && kept[i].generation == generation &&
        kept[i].number == number)
        return &kept[i].e;
    kept[i].snapshot = 0;
    memset(&kept[i].e, 0, sizeof(kept[i].e));
    if (walk_above(w, m, &kept[i].e, number) < 0)
        return NULL;
    kept[i].snapshot = snapshot;
    kept[i].generation = generation;
    kept[i].number = number;
    return &kept[i].e;
}

/* Beneath what e says itself. */
static void
inherit(struct send_entry *e, const struct send_entry *up)
{
    for (int f = 0; f < SEND_FUNCTIONS; f++)
        if (!e->withheld[f][0])
            memcpy(e->withheld[f], up->withheld[f], SEND_AT_MAX);
    for (int k = 0; k < LIMIT_KIND_N; k++) {
        if (!(up->limits.set >> k & 1) || (e->limits.set >> k & 1))
            continue;
        limits_take(&e->limits, (enum limit_kind)k, up->limits.most[k]);
        memcpy(e->limit_at[k], up->limit_at[k], SEND_AT_MAX);
    }
    memcpy(e->totals, up->totals, up->ntotals * sizeof(*up->totals));
    e->ntotals = up->ntotals;
    memcpy(e->domain, up->domain, sizeof(e->domain));
    memcpy(e->above, up->above, up->nabove * sizeof(*up->above));
    e->nabove = up->nabove;
}

static int
take_entry(struct worker *w, const struct mirror_claim *claim, struct send_entry *e)
{
    const struct send_entry *up;
    const char *why;
    struct mirror *m = maps_mirror(w->maps, &why);

    if (!m || mirror_entry(m, e->uuid, &e->record) != 1 || take_items(e, &e->record, e->uuid) < 0 ||
        !(up = from_above(w, m, claim->parent)))
        return -1;
    inherit(e, up);
    return 0;
}

int
send_owner(struct worker *w, struct span address, unsigned char uuid[UUID_LEN])
{
    struct maps_who who;

    maps_asked(w->maps, MAPS_CANT_WAIT);
    if (maps_who(w->maps, address, &who) < 0)
        return -1;
    if (!who.exact)
        return 0;
    memcpy(uuid, who.claim.uuid, UUID_LEN);
    return 1;
}

/* 1 found, and e has what is known without reading its entry. */
static int
find_claim(struct worker *w, struct span address, int login, struct send_entry *e,
           struct maps_who *who)
{
    memset(e, 0, offsetof(struct send_entry, totals));
    e->ntotals = e->nabove = 0;
    e->found = e->ours = -1;
    maps_asked(w->maps, MAPS_CANT_WAIT);
    if (maps_who(w->maps, address, who) < 0)
        return 0;
    e->ours = who->parsed == 1 && who->ours;
    e->state = who->state;
    if (!who->found || (login && !who->exact)) {
        e->found = who->parsed != 1 || who->found || who->proven ? 0 : -1;
        return 0;
    }
    memcpy(e->uuid, who->claim.uuid, UUID_LEN);
    e->kind = (enum record_kind)who->claim.kind;
    return 1;
}

void
send_find(struct worker *w, struct span address, int login, struct send_entry *e)
{
    struct maps_who who;

    if (find_claim(w, address, login, e, &who))
        e->found = take_entry(w, &who.claim, e) < 0 ? -1 : 1;
}

void
send_find_list(struct worker *w, struct span address, struct send_entry *e)
{
    struct maps_who who;

    if (!find_claim(w, address, 0, e, &who))
        return;
    e->found = 1;
    if (e->kind == KIND_LIST)
        e->found = take_entry(w, &who.claim, e) < 0 ? -1 : 1;
}

/* Just the address he logged in by: that it is his was found out then. */
static int
is_login(struct span login, struct span sender)
{
    struct addr a, b;

    if (span_same(login, sender))
        return 1;
    return addr_parse(&a, login.p, login.n, "") == 1 &&
           addr_parse(&b, sender.p, sender.n, "") == 1 && a.len == b.len &&
           memcmp(a.text, b.text, a.len) == 0;
}

enum guard_known
send_owns(struct worker *w, const struct send_entry *e, struct span login, struct span sender)
{
    struct span all, mail;
    size_t n = 0;

    if (sender.n == 0 || is_login(login, sender))
        return GUARD_YES;
    if (!record_find(&e->record, TAG_MAIL, &mail))
        return GUARD_NO;
    maps_asked(w->maps, MAPS_CANT_WAIT);
    switch (maps_lookup(w->maps, MAP_SENDER, sender, w->data, sizeof(w->data), &n, NULL)) {
    case SOCKETMAP_OK:
        break;
    case SOCKETMAP_TEMP:
        return GUARD_UNSURE;
    default:
        return GUARD_NO;
    }
    all = (struct span){w->data, n};
    while (all.n > 0) {
        const char *comma = memchr(all.p, ',', all.n);
        struct span one = {all.p, comma ? (size_t)(comma - all.p) : all.n};

        all.n -= one.n + (comma != NULL);
        all.p += one.n + (comma != NULL);
        while (one.n > 0 && one.p[0] == ' ')
            one.p++, one.n--;
        if (span_same(one, mail))
            return GUARD_YES;
    }
    return GUARD_NO;
}
