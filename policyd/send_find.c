/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * send_find: an address's account or list, and what it inherits: functions withheld,
 * limits, limits for all together.
 *
 * Promises: whoever sets something is remembered, so that a refusal can name him; an
 * entry above that can't be read leaves everything unknown. Must not: decide.
 */
#include <stdio.h>

#include "send.h"
#include "serve.h"

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
take_above(struct worker *w, struct mirror *m, struct send_entry *e, uint32_t number)
{
    struct mirror_org org;
    struct record up;

    for (; number != 0; number = org.parent) {
        int found = e->nabove < SEND_LEVELS ? mirror_org(m, number, &org) : -1;

        if (found != 1)
            return -1;
        if (e->nabove == 0)
            e->domain = org.domain;
        e->above[e->nabove++] = number;
        found = mirror_entry(m, org.uuid, &up);
        if (found < 0 || (found == 0 && !may_be_hidden(w, &org)))
            return -1;
        if (found && take_items(e, &up, org.uuid) < 0)
            return -1;
    }
    return 0;
}

static int
take_entry(struct worker *w, const struct mirror_claim *claim, struct send_entry *e)
{
    const char *why;
    struct span mail;
    struct mirror *m = maps_mirror(w->maps, &why);

    memcpy(e->uuid, claim->uuid, UUID_LEN);
    e->kind = (enum record_kind)claim->kind;
    if (!m || mirror_entry(m, e->uuid, &e->record) != 1)
        return -1;
    if (record_find(&e->record, TAG_MAIL, &mail))
        addr_parse(&e->primary, mail.p, mail.n, "");
    if (take_items(e, &e->record, e->uuid) < 0)
        return -1;
    return take_above(w, m, e, claim->parent);
}

static int
is_login(const struct map_trace *t)
{
    return strcmp(t->how, "address") == 0 || strcmp(t->how, "alias domain") == 0;
}

int
send_owner(struct worker *w, struct span address, unsigned char uuid[UUID_LEN])
{
    struct map_trace trace;
    size_t n;

    maps_asked(w->maps, MAPS_CANT_WAIT);
    if (maps_lookup(w->maps, MAP_TRANSPORT, address, w->data, sizeof(w->data), &n, &trace) ==
        SOCKETMAP_TEMP)
        return -1;
    if (!trace.found || !is_login(&trace))
        return 0;
    memcpy(uuid, trace.claim.uuid, UUID_LEN);
    return 1;
}

void
send_find(struct worker *w, struct span address, int login, struct send_entry *e)
{
    struct map_trace trace;
    size_t n;

    *e = (struct send_entry){.found = -1, .ours = -1};
    maps_asked(w->maps, MAPS_CANT_WAIT);
    if (maps_lookup(w->maps, MAP_TRANSPORT, address, w->data, sizeof(w->data), &n, &trace) ==
        SOCKETMAP_TEMP)
        return;
    e->ours = trace.parsed == 1 && trace.route.verdict != ROUTE_OUTSIDE;
    e->state = trace.in.state;
    if (trace.parsed != 1)
        e->found = 0;
    else if (trace.found && (!login || is_login(&trace)))
        e->found = take_entry(w, &trace.claim, e) < 0 ? -1 : 1;
    else
        e->found = trace.found || trace.route.verdict != ROUTE_UNSURE ? 0 : -1;
}

enum guard_known
send_owns(struct worker *w, const struct send_entry *login, struct span sender)
{
    struct span all;
    size_t n = 0;

    if (sender.n == 0)
        return GUARD_YES;
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
        if (span_same(one, (struct span){login->primary.text, login->primary.len}))
            return GUARD_YES;
    }
    return GUARD_NO;
}
