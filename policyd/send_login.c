/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * send_login: who has logged in. He asks for each recipient and each stage of his message,
 * and will write again: kept for as long as nothing in the mirror has changed.
 *
 * All that holds for them is kept of those few who send right now. Of anybody whose own
 * entry says nothing of functions and limits, which is nearly everybody, a cache line is
 * kept besides: it spares the look into the cold parts of the mirror where his address and
 * his entry stand. People write to one another: of recipients that same line is kept.
 * Promises: only who was found by his own address is kept; doubt is looked at each time.
 */
#include "fnv.h"
#include "send.h"
#include "serve.h"

#define WHOLE      61
#define BRIEF      16384
#define BRIEF_TEXT 37

/* An account by one of its addresses. */
struct brief {
    uint32_t era, parent;
    unsigned char uuid[UUID_LEN];
    uint8_t state, n;
    uint8_t plain; /* its entry was read, and says nothing itself; else there is no parent here */
    char address[BRIEF_TEXT];
};
_Static_assert(sizeof(struct brief) == 64, "a cache line");

static struct brief *
brief_of(uint32_t hash)
{
    static _Alignas(64) struct brief all[BRIEF];

    return &all[(hash ^ hash >> 16) % BRIEF];
}

static int
is_brief_of(const struct brief *b, uint32_t era, struct span address)
{
    return era != 0 && b->era == era && span_same(address, (struct span){b->address, b->n});
}

static void
take_brief(const struct brief *b, struct send_entry *e)
{
    send_begin(e);
    e->found = e->ours = 1;
    e->kind = KIND_ACCOUNT;
    e->state = (enum record_state)b->state;
    memcpy(e->uuid, b->uuid, UUID_LEN);
}

/* plain: see struct brief. */
static void
keep_brief(struct brief *b, uint32_t era, struct span address, const struct send_entry *e,
           int plain)
{
    if (era == 0 || e->found != 1 || e->kind != KIND_ACCOUNT || address.n > BRIEF_TEXT)
        return;
    b->era = era;
    b->parent = plain && e->nabove > 0 ? e->above[0] : 0;
    b->state = (uint8_t)e->state;
    b->n = (uint8_t)address.n;
    b->plain = (uint8_t)plain;
    memcpy(b->uuid, e->uuid, UUID_LEN);
    memcpy(b->address, address.p, address.n);
}

/* Who has logged in, by what is kept. 1; 0: it is about somebody else, or what he inherits can't be told. */
static int
find_brief(struct worker *w, struct mirror *m, const struct brief *b, uint32_t era,
           struct span login, struct send_entry *e)
{
    if (!is_brief_of(b, era, login) || !b->plain)
        return 0;
    take_brief(b, e);
    return send_inherit(w, m, e, b->parent) == 0;
}

const struct send_entry *
send_login(struct worker *w, struct span login)
{
    static struct {
        uint32_t era;
        char login[ADDR_MAX + 1];
        struct send_entry e;
    } kept[WHOLE], *k;
    const char *why;
    struct mirror *m = maps_mirror(w->maps, &why);
    uint32_t era = m ? send_era(w, m) : 0, hash = fnv32(FNV32, login.p, login.n);
    struct brief *b = brief_of(hash);

    k = &kept[hash % WHOLE];
    if (era != 0 && k->era == era && span_same(login, span_of(k->login)))
        return &k->e;
    k->era = 0;
    if (!find_brief(w, m, b, era, login, &k->e)) {
        send_find(w, login, 1, &k->e);
        if (era == 0 || k->e.found != 1 || login.n > ADDR_MAX)
            return &k->e;
        if (send_says_nothing(&k->e.record))
            keep_brief(b, era, login, &k->e, 1);
    }
    memcpy(k->login, login.p, login.n);
    k->login[login.n] = '\0';
    k->era = era;
    return &k->e;
}

void
send_recipient(struct worker *w, struct span address, struct send_entry *e)
{
    const char *why;
    struct mirror *m = maps_mirror(w->maps, &why);
    uint32_t era = m ? send_era(w, m) : 0;
    struct brief *b = brief_of(fnv32(FNV32, address.p, address.n));

    if (is_brief_of(b, era, address))
        take_brief(b, e);
    else if (send_find_list(w, address, e))
        keep_brief(b, era, address, e, 0);
}
