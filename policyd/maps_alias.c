/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * maps, writing out: what an address stands for (primary address, forwards, list
 * members) and whose logins may send as it.
 *
 * Every address that goes out was parsed and is properly quoted, so nothing in the
 * directory can add a recipient by a comma. Each is listed once, never the address
 * that was asked for a list, nobody who is disabled or proven not to exist. A nested
 * list stands there by its address, as Postfix asks again; only one that leads back is
 * written out in place, so that Postfix never runs in circles. An answer too large for
 * Postfix is TEMP, never cut. Allocates nothing.
 */
#include "fnv.h"
#include "maps_private.h"
#include "withheld.h"

#include <strings.h>

#define NESTED_MAX 1024 /* lists looked at for one answer */

/* A list being written out: the lists whose members are in it, and those known not to lead back. */
struct expansion {
    struct listing *out;
    unsigned char in_place[NESTED_MAX][UUID_LEN], looked[NESTED_MAX][UUID_LEN];
    unsigned nin_place, nlooked;
    int tangled; /* more nested lists than we look at */
};

static void
listing_begin(struct maps *m, struct listing *l, char *out)
{
    memset(l, 0, sizeof(*l));
    l->p = out;
    l->round = ++m->round;
}

static uint32_t
hash_folded(const char *s, size_t n)
{
    uint32_t h = FNV32;

    for (size_t i = 0; i < n; i++)
        h = fnv32_byte(h, (unsigned char)s[i] | 0x20);
    return h ^ h >> 15;
}

/* Add an address unless it is there already. */
static void
listing_add(struct maps *m, struct listing *l, const char *text, size_t n)
{
    uint32_t i = hash_folded(text, n) % SEEN_SLOTS;
    size_t comma = l->n > 0 ? 2 : 0;
    struct seen *s;

    for (; (s = &m->seen[i])->round == l->round; i = (i + 1) % SEEN_SLOTS)
        if (s->n == n && strncasecmp(l->p + s->offset, text, n) == 0)
            return;
    if (l->n + comma + n > MAPS_DATA_MAX) {
        l->too_large = 1;
        return;
    }
    memcpy(l->p + l->n, ", ", comma);
    memcpy(l->p + l->n + comma, text, n);
    *s = (struct seen){l->round, (uint32_t)(l->n + comma), (uint32_t)n};
    l->n += comma + n;
    l->count++;
}

/*
 * Add an address outside our domains. The case of its local part is its own site's business: keep
 * it where the canonical form differs in nothing else.
 */
static void
listing_add_outside(struct maps *m, struct listing *l, struct addr *a, struct span raw)
{
    if (raw.n > a->at && raw.p[a->at] == '@' && strncasecmp(raw.p, a->text, a->at) == 0)
        memcpy(a->text, raw.p, a->at);
    listing_add(m, l, a->text, a->len);
}

static enum socketmap_status
listing_end(struct maps *m, const struct listing *l, size_t *len_r)
{
    unsigned skipped;

    if (!l->too_large) {
        *len_r = l->n;
        return l->count > 0 ? SOCKETMAP_OK : SOCKETMAP_NOTFOUND;
    }
    if (log_limit(&m->large_limit, 5, 60, &skipped))
        log_error("alias answer too large for Postfix, mail waits address=%s limit=%d skipped=%u",
                  m->hit.matched, MAPS_DATA_MAX, skipped);
    m->why = "the answer is too large for Postfix";
    return SOCKETMAP_TEMP;
}

/* The primary address of an entry: 1, 0 it has none that parses, -1. Also its record. */
static int
primary_of(struct maps *m, const unsigned char uuid[UUID_LEN], struct record *r, struct addr *a)
{
    struct span mail;
    int found = mirror_entry(m->mirror, uuid, r);

    if (found <= 0)
        return found;
    return record_find(r, TAG_MAIL, &mail) && addr_parse(a, mail.p, mail.n, "") == 1;
}

/* primary + the extension that was asked for; without it when it has no place there. */
static int
with_extension(struct maps *m, const struct addr *primary, char *out)
{
    const struct addr *a = &m->addr;
    size_t ext = m->hit.stripped ? (size_t)a->at - a->base : 0;

    if (primary->text[0] == '"' || (size_t)primary->len + ext > ADDR_MAX)
        ext = 0;
    memcpy(out, primary->text, primary->at);
    memcpy(out + primary->at, a->text + a->base, ext);
    memcpy(out + primary->at + ext, primary->text + primary->at,
           (size_t)primary->len - primary->at);
    return (int)(primary->len + ext);
}

static int
is_among(unsigned char uuids[][UUID_LEN], unsigned n, const unsigned char uuid[UUID_LEN])
{
    for (unsigned i = 0; i < n; i++)
        if (memcmp(uuids[i], uuid, UUID_LEN) == 0)
            return 1;
    return 0;
}

/*
 * The address one item of a list or account leads to: 1 and *a and, when it is ours and known, *h;
 * 0 leave it out; -1 can't read. h->ours 0: outside.
 */
static int
target_of(struct maps *m, enum record_tag tag, struct span value, struct addr *a, struct hit *h)
{
    unsigned char uuid[UUID_LEN];
    struct record r;
    int found, state;

    if (tag == TAG_MEMBER_DN) {
        found = mirror_by_dn(m->mirror, value, uuid);
        if (found == 1)
            found = primary_of(m, uuid, &r, a);
        if (found <= 0)
            return found;
    } else if (addr_parse(a, value.p, value.n, m->conf->recipient_delimiter) != 1) {
        return 0;
    }
    if (maps_find(m, a, h) < 0)
        return -1;
    if (!h->found && h->ours && !h->proven)
        maps_doubt(m);
    if (!h->found) /* outside, or not proven to be nobody's */
        return !h->ours || !h->proven;
    if (tag == TAG_MEMBER_DN && memcmp(uuid, h->claim.uuid, UUID_LEN) != 0)
        return 0; /* another entry won this address: his mail is not for the other */
    state = maps_state(m, h);
    return state < 0 ? -1 : state != STATE_DISABLED;
}

static int
is_nested(const struct hit *h)
{
    return h->found && !h->catch_all && h->claim.kind == KIND_LIST;
}

static int
is_target(enum record_tag tag)
{
    return tag == TAG_MEMBER || tag == TAG_MEMBER_DN;
}

/* Whether a nested list leads, over other lists, to one that is written out in place. 1, 0, -1. */
static int
leads_back(struct maps *m, struct expansion *x, const unsigned char uuid[UUID_LEN])
{
    struct span value;
    struct record r;
    struct addr a;
    struct hit h;
    enum record_tag tag;
    size_t pos = 0;
    int found;

    if (is_among(x->in_place, x->nin_place, uuid))
        return 1;
    if (is_among(x->looked, x->nlooked, uuid))
        return 0;
    if (x->nlooked == NESTED_MAX) {
        x->tangled = 1;
        return 0;
    }
    memcpy(x->looked[x->nlooked++], uuid, UUID_LEN);
    found = mirror_entry(m->mirror, uuid, &r);
    while (found == 1 && record_next(&r, &pos, &tag, &value)) {
        int back = is_target(tag) ? target_of(m, tag, value, &a, &h) : 0;

        if (back == 1)
            back = is_nested(&h) ? leads_back(m, x, h.claim.uuid) : 0;
        if (back != 0)
            return back;
    }
    return found < 0 ? -1 : 0;
}

static int expand_list(struct maps *m, struct expansion *x, const unsigned char uuid[UUID_LEN]);

static int
expand_nested(struct maps *m, struct expansion *x, const struct addr *a, const struct hit *h)
{
    unsigned known = x->nlooked;
    int back;

    if (is_among(x->in_place, x->nin_place, h->claim.uuid))
        return 0;
    back = leads_back(m, x, h->claim.uuid);
    if (back < 0)
        return -1;
    if (back) {
        x->nlooked = known; /* some of those may lead back by this one */
        return expand_list(m, x, h->claim.uuid);
    }
    listing_add(m, x->out, a->text, a->len);
    return 0;
}

static int
expand_member(struct maps *m, struct expansion *x, enum record_tag tag, struct span value)
{
    struct addr a;
    struct hit h;
    int found = target_of(m, tag, value, &a, &h);

    if (found <= 0)
        return found;
    if (is_nested(&h))
        return expand_nested(m, x, &a, &h);
    if (!h.ours)
        listing_add_outside(m, x->out, &a, value);
    else
        listing_add(m, x->out, a.text, a.len);
    return 0;
}

/* Add the members of a list. 0, or -1 can't read. */
static int
expand_list(struct maps *m, struct expansion *x, const unsigned char uuid[UUID_LEN])
{
    struct span value;
    struct record r;
    enum record_tag tag;
    size_t pos = 0;
    int found = mirror_entry(m->mirror, uuid, &r);

    if (x->nin_place == NESTED_MAX) {
        x->tangled = 1;
        return 0;
    }
    memcpy(x->in_place[x->nin_place++], uuid, UUID_LEN);
    while (found == 1 && !x->out->too_large && record_next(&r, &pos, &tag, &value))
        if (is_target(tag) && expand_member(m, x, tag, value) < 0)
            return -1;
    return found < 0 ? -1 : 0;
}

static enum socketmap_status
alias_list(struct maps *m, char *out, size_t *len_r)
{
    struct listing l;
    struct expansion x;

    memset(&x, 0, sizeof(x));
    x.out = &l;
    listing_begin(m, &l, out);
    m->why = "the mirror can't be read";
    if (expand_list(m, &x, m->hit.claim.uuid) < 0)
        return SOCKETMAP_TEMP;
    if (x.tangled) {
        m->why = "too many lists nested in one another";
        return SOCKETMAP_TEMP;
    }
    m->why = l.count > 0 ? "list" : "list without a member to deliver to";
    return listing_end(m, &l, len_r);
}

/* Add an account's forwards behind itself. */
static int
add_forwards(struct maps *m, struct listing *l, const struct record *r)
{
    struct span value;
    struct addr a;
    struct hit h;
    enum record_tag tag;
    size_t pos = 0;

    while (record_next(r, &pos, &tag, &value)) {
        int found = tag == TAG_FORWARD ? target_of(m, tag, value, &a, &h) : 0;

        if (found < 0)
            return -1;
        if (found == 1 && h.found && memcmp(h.claim.uuid, m->hit.claim.uuid, UUID_LEN) == 0)
            continue; /* to himself by another of his addresses */
        if (found == 1 && !h.ours)
            listing_add_outside(m, l, &a, value);
        else if (found == 1)
            listing_add(m, l, a.text, a.len);
    }
    return 0;
}

/* Whether mail for the account of this record may be forwarded: 1, 0 that is withheld, -1. */
static int
may_forward(struct maps *m, const struct record *r)
{
    unsigned withheld = 0;

    if (withheld_functions(m->mirror, r, &withheld) < 0)
        return -1;
    return !(withheld & withheld_bit(span_of("forward")));
}

/*
 * The address mail for m->hit goes on with: the entry's primary one, unless another entry won that;
 * then the one that was found.
 */
static int
self_of(struct maps *m, struct record *r, char *self)
{
    struct addr primary;
    struct mirror_claim winner;
    int found = primary_of(m, m->hit.claim.uuid, r, &primary);

    if (found == 1)
        found = mirror_claim(m->mirror, (struct span){primary.text, primary.len}, &winner);
    if (found == 1 && memcmp(winner.uuid, m->hit.claim.uuid, UUID_LEN) != 0)
        found = 0;
    if (found == 0)
        found = addr_parse(&primary, m->hit.matched, strlen(m->hit.matched), "");
    return found == 1 ? with_extension(m, &primary, self) : -1;
}

static enum socketmap_status
alias_account(struct maps *m, struct span key, char *out, size_t *len_r)
{
    const struct hit *h = &m->hit;
    char self[ADDR_MAX + 1];
    struct listing l;
    struct record r = {NULL, 0};
    int n, forwards = 0;

    m->why = "primary address without forwards";
    if (h->claim.how == CLAIM_PRIMARY && !h->claim.forwards && key.n == m->addr.len &&
        (h->stripped || strcmp(h->matched, m->addr.text) == 0) &&
        strcmp(h->how, "alias domain") != 0)
        return SOCKETMAP_NOTFOUND;
    n = self_of(m, &r, self);
    listing_begin(m, &l, out);
    if (n >= 0)
        listing_add(m, &l, self, (size_t)n);
    if (n >= 0 && h->claim.forwards && r.n > 0)
        forwards = may_forward(m, &r);
    if (n < 0 || forwards < 0 || (forwards && add_forwards(m, &l, &r) < 0)) {
        m->why = "the mirror can't be read";
        return SOCKETMAP_TEMP;
    }
    if (h->claim.forwards && !forwards)
        m->why = "the function forward is withheld from the account";
    if (l.count == 1 && key.n == (size_t)n && strncasecmp(self, key.p, key.n) == 0)
        return SOCKETMAP_NOTFOUND;
    if (l.count > 1)
        m->why = "account with forwards";
    else if (!h->claim.forwards || forwards)
        m->why = "another spelling of a primary address";
    return listing_end(m, &l, len_r);
}

static enum socketmap_status
alias_catch_all(struct maps *m, char *out, size_t *len_r)
{
    struct addr target;
    struct hit direct;

    m->why = "the catch-all leads nowhere";
    if (addr_parse(&target, m->hit.matched, strlen(m->hit.matched), "") != 1)
        return SOCKETMAP_NOTFOUND;
    if (maps_resolve(m, &target, &direct) < 0)
        return SOCKETMAP_TEMP;
    if (direct.ours && !direct.found)
        return SOCKETMAP_NOTFOUND;
    m->why = "catch-all";
    memcpy(out, target.text, target.len);
    *len_r = target.len;
    return SOCKETMAP_OK;
}

enum socketmap_status
maps_alias(struct maps *m, struct span key, char *out, size_t *len_r)
{
    if (m->hit.catch_all)
        return alias_catch_all(m, out, len_r);
    if (m->hit.claim.kind == KIND_LIST)
        return alias_list(m, out, len_r);
    return alias_account(m, key, out, len_r);
}

int
maps_list_delivers(struct maps *m, char *out)
{
    const char *why = m->why;
    size_t len;
    enum socketmap_status s = alias_list(m, out, &len);

    m->why = why;
    return s == SOCKETMAP_TEMP ? -1 : s == SOCKETMAP_OK;
}

/* Add the login (the primary address) of the entry, if he may send. 0, or -1 can't read. */
static int
add_login(struct maps *m, struct listing *l, const unsigned char uuid[UUID_LEN])
{
    struct record r;
    struct addr a;
    struct hit h;
    int found = primary_of(m, uuid, &r, &a), state;

    if (found == 1)
        found = maps_resolve(m, &a, &h);
    if (found != 1 || memcmp(h.claim.uuid, uuid, UUID_LEN) != 0 || h.claim.kind != KIND_ACCOUNT)
        return found < 0 ? -1 : 0;
    state = maps_state(m, &h);
    if (state < 0)
        return -1;
    if (state != STATE_SUSPENDED && state != STATE_DISABLED)
        listing_add(m, l, a.text, a.len);
    return 0;
}

static int
add_owners(struct maps *m, struct listing *l, const unsigned char uuid[UUID_LEN])
{
    unsigned char owner[UUID_LEN];
    struct span value;
    struct record r;
    enum record_tag tag;
    size_t pos = 0;
    int found = mirror_entry(m->mirror, uuid, &r);

    while (found == 1 && record_next(&r, &pos, &tag, &value)) {
        int known = tag == TAG_OWNER_DN ? mirror_by_dn(m->mirror, value, owner) : 0;

        if (known < 0 || (known == 1 && add_login(m, l, owner) < 0))
            return -1;
    }
    return found < 0 ? -1 : 0;
}

/* Those whom the entry lets send as itself, by their addresses. */
static int
add_delegates(struct maps *m, struct listing *l, const unsigned char uuid[UUID_LEN])
{
    enum record_tag tag;
    struct span value;
    struct record r;
    struct addr a;
    struct hit h;
    size_t pos = 0;
    int found = mirror_entry(m->mirror, uuid, &r);

    while (found == 1 && record_next(&r, &pos, &tag, &value)) {
        if (tag != TAG_DELEGATE || addr_parse(&a, value.p, value.n, "") != 1)
            continue;
        if (maps_resolve(m, &a, &h) < 0 || (h.found && add_login(m, l, h.claim.uuid) < 0))
            return -1;
    }
    return found < 0 ? -1 : 0;
}

enum socketmap_status
maps_logins(struct maps *m, char *out, size_t *len_r)
{
    const unsigned char *uuid = m->hit.claim.uuid;
    struct listing l;
    int rc;

    listing_begin(m, &l, out);
    if (m->hit.claim.kind == KIND_LIST)
        rc = m->in.state == STATE_SUSPENDED ? 0 : add_owners(m, &l, uuid);
    else
        rc = add_login(m, &l, uuid);
    if (rc == 0 && m->in.state != STATE_SUSPENDED && add_delegates(m, &l, uuid) < 0)
        rc = -1;
    m->why = "the mirror can't be read";
    if (rc < 0)
        return SOCKETMAP_TEMP;
    m->why = m->hit.claim.kind == KIND_LIST ? "the list's owners" : "the account's login";
    if (l.count == 0)
        m->why = "nobody may send as this address";
    if (l.count == 0)
        listing_add(m, &l, "postroad-nobody", 15);
    return listing_end(m, &l, len_r);
}
