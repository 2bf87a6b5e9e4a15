/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * send_find: an address's account or list, with what holds for it, and whose an address is.
 *
 * Promises: who can't be looked up, or what he inherits, is not known; never that there
 * is no such person, or that nothing was withheld from him. Must not: decide.
 */
#include <stddef.h>

#include "send.h"
#include "serve.h"

void
send_begin(struct send_entry *e)
{
    memset(e, 0, offsetof(struct send_entry, domain));
    e->found = e->ours = -1;
    e->domain[0] = '\0';
    for (int f = 0; f < SEND_FUNCTIONS; f++)
        e->withheld[f][0] = '\0';
}

int
send_record(struct worker *w, const struct send_entry *e, struct record *r)
{
    const char *why;
    struct mirror *m = maps_mirror(w->maps, &why);

    *r = e->record;
    return r->p || (m && mirror_entry(m, e->uuid, r) == 1) ? 0 : -1;
}

static int
take_entry(struct worker *w, const struct mirror_claim *claim, struct send_entry *e)
{
    const char *why;
    struct mirror *m = maps_mirror(w->maps, &why);

    if (!m || mirror_entry(m, e->uuid, &e->record) != 1 || send_take(e, &e->record, e->uuid) < 0)
        return -1;
    return send_inherit(w, m, e, claim->parent);
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
    send_begin(e);
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

int
send_find_list(struct worker *w, struct span address, struct send_entry *e)
{
    struct maps_who who;

    if (!find_claim(w, address, 0, e, &who))
        return 0;
    e->found = 1;
    if (e->kind == KIND_LIST)
        e->found = take_entry(w, &who.claim, e) < 0 ? -1 : 1;
    return who.exact;
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
    struct record r;
    size_t n = 0;

    if (sender.n == 0 || is_login(login, sender))
        return GUARD_YES;
    if (send_record(w, e, &r) < 0)
        return GUARD_UNSURE;
    if (!record_find(&r, TAG_MAIL, &mail))
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
