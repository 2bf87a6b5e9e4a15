/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rights_find: the facts behind a decision on rights, see rights_find.h.
 *
 * Promises: an address that several entries claim is nobody's to act with; an
 * ancestor that we are not shown makes a state unknown, not active; states and
 * withheld functions are looked for in every entry above, as the directory's access
 * rules do. Reads the mirror only. Must not decide anything, or log.
 */
#include "rights_find.h"

#include <stdio.h>
#include <string.h>

#include "dn.h"

#define DEPTH_MAX 64

static struct span
as_span(const char *p, long n)
{
    return (struct span){p, n > 0 ? (size_t)n : 0};
}

/* --- places --- */

/* A configured DN, or rdns below the base. */
static int
place(const struct rights_places *p, const char *configured, const char *rdns, char *text,
      struct span *out)
{
    long n;

    if (*configured) {
        n = dn_normalize(span_of(configured), text, MIRROR_DN_MAX);
    } else {
        n = snprintf(text, MIRROR_DN_MAX, "%s,%.*s", rdns, (int)p->base.n, p->base.p);
        n = n < MIRROR_DN_MAX ? n : -1;
    }
    *out = as_span(text, n);
    return n > 0 ? 0 : -1;
}

int
rights_places_open(struct rights_places *p, const struct conf *conf, struct mirror *m,
                   const char **why_r)
{
    long n = mirror_meta_get(m, "base", p->text[0], sizeof p->text[0]);

    p->mirror = m;
    p->delimiters = conf->recipient_delimiter;
    p->whole = conf->directory.ldif && *conf->directory.ldif;
    p->base = as_span(p->text[0], n);
    *why_r = "the mirror was never filled";
    if (n <= 0)
        return -1;
    *why_r = "rights.admins is no usable DN";
    if (place(p, conf->rights.admins, RIGHTS_ADMINS, p->text[1], &p->admins) < 0)
        return -1;
    *why_r = "rights.domains is no usable DN";
    return place(p, conf->rights.domains, RIGHTS_DOMAINS, p->text[2], &p->domains);
}

/* --- entries --- */

static void
not_found(struct rights_entry *e, int found, const char *note)
{
    e->found = found;
    e->note = note;
}

/* The entry's record, once its UUID is known. */
static void
load(const struct rights_places *p, struct rights_entry *e)
{
    int found = mirror_entry(p->mirror, e->uuid, &e->record);

    if (found == 1)
        e->found = 1;
    else
        not_found(e, -1, "its entry can't be read");
}

static void
find_dn(const struct rights_places *p, struct rights_entry *e)
{
    int found = mirror_by_dn(p->mirror, e->dn, e->uuid);

    if (found == 1)
        load(p, e);
    else
        not_found(e, found, found < 0 ? "the mirror can't be read" : "no such entry");
}

/* The normalised DN of the entry whose UUID is known. */
static void
name_entry(const struct rights_places *p, struct rights_entry *e)
{
    char dn[MIRROR_DN_MAX];
    long n = mirror_dn_of(p->mirror, e->uuid, dn, sizeof dn);

    n = n > 0 ? dn_normalize(as_span(dn, n), e->text, sizeof e->text) : -1;
    e->dn = as_span(e->text, n);
    if (n > 0)
        load(p, e);
    else
        not_found(e, -1, "its place in the tree can't be told");
}

struct rivals {
    const unsigned char *uuid;
    int n; /* others than uuid */
};

static int
count_rival(void *ctx, const struct mirror_claim *claim)
{
    struct rivals *r = ctx;

    r->n += memcmp(claim->uuid, r->uuid, UUID_LEN) != 0;
    return r->n;
}

/* 1 when the address has an owner, into e. */
static int
claim_at(const struct rights_places *p, const char *text, size_t n, struct rights_entry *e)
{
    struct mirror_claim claim;
    struct rivals rivals = {e->uuid, 0};
    int found = mirror_claim(p->mirror, (struct span){text, n}, &claim);

    if (found == 0)
        return 0;
    if (found < 0) {
        not_found(e, -1, "the mirror can't be read");
        return 1;
    }
    memcpy(e->uuid, claim.uuid, UUID_LEN);
    mirror_each_claim(p->mirror, (struct span){text, n}, count_rival, &rivals);
    if (rivals.n > 0)
        not_found(e, -1, "several entries claim the address");
    else
        name_entry(p, e);
    return 1;
}

/* The address with or without its extension, at domain (NULL: its own). */
static int
claim_rewritten(const struct rights_places *p, const struct addr *a, int keep_ext,
                const char *domain, struct rights_entry *e)
{
    char text[ADDR_MAX + 1];
    int n = addr_rewrite(a, keep_ext, domain, text);

    return n > 0 && claim_at(p, text, (size_t)n, e);
}

static void
find_address(const struct rights_places *p, struct span name, int exactly, struct rights_entry *e)
{
    char primary[ADDR_DOMAIN_MAX + 1];
    struct mirror_domain d;
    struct addr a;
    int ours;

    if (addr_parse(&a, name.p, name.n, exactly ? "" : p->delimiters) != 1) {
        not_found(e, 0, "no mail address");
        return;
    }
    ours = mirror_domain(p->mirror, span_of(addr_domain(&a)), &d);
    if (ours != 1 || d.primary.n >= sizeof primary) {
        not_found(e, ours, ours ? "the mirror can't be read" : "its domain is not ours");
        return;
    }
    memcpy(primary, d.primary.p, d.primary.n);
    primary[d.primary.n] = '\0';
    if (claim_at(p, a.text, a.len, e) || (a.base < a.at && claim_rewritten(p, &a, 0, NULL, e)) ||
        (d.is_alias && claim_rewritten(p, &a, 1, primary, e)) ||
        (d.is_alias && a.base < a.at && claim_rewritten(p, &a, 0, primary, e)))
        return;
    not_found(e, 0, "nobody has the address");
}

static void
find_domain(const struct rights_places *p, struct span name, struct rights_entry *e)
{
    char canon[ADDR_DOMAIN_MAX + 1];
    int n = name.n > 0 ? addr_domain_canon(name.p, name.n, canon) : -1;
    struct mirror_domain d;
    int found = n > 0 ? mirror_domain(p->mirror, as_span(canon, n), &d) : 0;

    if (found == 1) {
        memcpy(e->uuid, d.uuid, UUID_LEN);
        name_entry(p, e);
    } else {
        not_found(e, found,
                  found < 0 ? "the mirror can't be read"
                            : "neither an address, nor a DN, nor a "
                              "domain of ours");
    }
}

void
rights_find(const struct rights_places *p, struct span name, int exactly, struct rights_entry *e)
{
    unsigned long shortages = dn_shortages();
    int may_be_dn = name.n > 0 && memchr(name.p, '=', name.n) != NULL;
    long n = may_be_dn ? dn_normalize(name, e->text, sizeof e->text) : -1;

    e->note = "";
    e->dn = as_span(e->text, n);
    if (shortages != dn_shortages()) {
        not_found(e, -1, "out of memory");
        return;
    }
    if (n > 0 && rights_below(e->dn, p->base)) {
        find_dn(p, e);
        return;
    }
    if (n > 0 && !memchr(name.p, '@', name.n)) {
        not_found(e, 0, "outside the mirror's base");
        return;
    }
    e->dn = as_span(NULL, 0);
    if (name.n > 0 && memchr(name.p, '@', name.n))
        find_address(p, name, exactly, e);
    else
        find_domain(p, name, e);
}

/* --- what an entry is, and what is above it --- */

static enum rights_level
level_of(const struct record *r)
{
    struct span role;
    int level = record_find(r, TAG_ROLE, &role) ? rights_level_parse(role) : LEVEL_USER;

    return level < 0 ? LEVEL_USER : (enum rights_level)level;
}

static unsigned
withheld_by(const struct record *r)
{
    enum record_tag tag;
    struct span v;
    unsigned bits = 0;
    size_t pos = 0;

    while (record_next(r, &pos, &tag, &v))
        if (tag == TAG_DENY)
            bits |= span_same(v, span_of("forward"))    ? WITHHELD_FORWARD
                    : span_same(v, span_of("password")) ? WITHHELD_PASSWORD
                    : span_same(v, span_of("share"))    ? WITHHELD_SHARE
                                                        : 0u;
    return bits;
}

/* Take over what r says of a's state and functions. */
static void
take_state(const struct record *r, struct rights_actor *a)
{
    enum record_state state = record_state(r);

    if (state == STATE_SUSPENDED || state == STATE_DISABLED)
        a->active = 0;
    a->withheld |= withheld_by(r);
}

/*
 * What every entry above says; one that can't be read leaves it unknown, unless he is inactive anyway.
 * Only the base may be missing, as it is often none of ours to read; in a file any.
 */
static void
take_above(const struct rights_places *p, const struct record *r, struct rights_actor *a)
{
    uint32_t number = record_parent(r);
    struct mirror_org org;
    struct record up;
    int depth = 0, found;

    for (; number != 0 && depth < DEPTH_MAX; depth++, number = org.parent) {
        if (mirror_org(p->mirror, number, &org) != 1)
            break;
        found = mirror_entry(p->mirror, org.uuid, &up);
        if (found < 0 || (found == 0 && org.parent != 0 && !p->whole))
            break;
        if (found && (record_kind(&up) == KIND_DOMAIN || record_kind(&up) == KIND_DEPARTMENT))
            take_state(&up, a);
    }
    if (number != 0 && a->active)
        a->active = -1;
}

static int
is_member(const struct rights_places *p, struct span dn)
{
    unsigned char uuid[UUID_LEN];
    enum record_tag tag;
    struct record r;
    struct span v;
    size_t pos = 0;
    int found = mirror_by_dn(p->mirror, p->admins, uuid);

    if (found == 1 && mirror_entry(p->mirror, uuid, &r) != 1)
        return -1;
    while (found == 1 && record_next(&r, &pos, &tag, &v))
        if (tag == TAG_MEMBER_DN && span_same(v, dn))
            return 1;
    return found < 0 ? -1 : 0;
}

static void
take_items(const struct record *r, struct span *scopes, struct rights_actor *a)
{
    enum record_tag tag;
    struct span v;
    size_t pos = 0;

    while (record_next(r, &pos, &tag, &v)) {
        int bit = tag == TAG_RIGHT ? rights_right_parse(v) : 0;

        a->rights |= bit > 0 ? (unsigned)bit : 0;
        if (tag == TAG_SCOPE && a->nscopes == RIGHTS_SCOPES)
            a->known = -1;
        else if (tag == TAG_SCOPE)
            scopes[a->nscopes++] = v;
    }
    a->scopes = scopes;
}

void
rights_actor_of(const struct rights_places *p, const struct rights_entry *e, struct span *scopes,
                struct rights_actor *out)
{
    *out = (struct rights_actor){.known = e->found, .dn = e->dn};
    if (e->found != 1)
        return;
    if (record_kind(&e->record) != KIND_ACCOUNT) {
        out->known = 0;
        return;
    }
    out->active = 1;
    out->level = level_of(&e->record);
    take_items(&e->record, scopes, out);
    take_state(&e->record, out);
    take_above(p, &e->record, out);
    if (out->level > LEVEL_USER)
        out->gate = is_member(p, e->dn);
}

void
rights_target_of(const struct rights_places *p, const struct rights_entry *e,
                 struct rights_target *out)
{
    static const enum rights_kind kinds[KIND_LAST + 1] = {[KIND_NONE] = RIGHTS_CONTAINER,
                                                          [KIND_ACCOUNT] = RIGHTS_ACCOUNT,
                                                          [KIND_LIST] = RIGHTS_LIST,
                                                          [KIND_DOMAIN] = RIGHTS_DOMAIN,
                                                          [KIND_DEPARTMENT] = RIGHTS_DEPARTMENT,
                                                          [KIND_SITE] = RIGHTS_SITE,
                                                          [KIND_SERVER] = RIGHTS_SITE,
                                                          [KIND_OTHER] = RIGHTS_CONTAINER};

    *out = (struct rights_target){.known = e->found, .dn = e->dn, .kind = RIGHTS_CONTAINER};
    if (e->found == 1)
        out->kind = kinds[record_kind(&e->record)];
    if (out->kind == RIGHTS_ACCOUNT)
        out->level = level_of(&e->record);
    out->in_tree = rights_in_tree(out->kind, e->dn, p->domains);
}

/* --- addresses --- */

/* Whether the entry at dn is a domain with that name. */
static int
has_name(const struct rights_places *p, struct span dn, struct span name)
{
    unsigned char uuid[UUID_LEN];
    enum record_tag tag;
    struct record r;
    struct span v;
    size_t pos = 0;

    if (mirror_by_dn(p->mirror, dn, uuid) != 1 || mirror_entry(p->mirror, uuid, &r) != 1)
        return 0;
    while (record_next(&r, &pos, &tag, &v))
        if (tag == TAG_DOMAIN && span_same(v, name))
            return 1;
    return 0;
}

void
rights_address_of(const struct rights_places *p, struct span address, struct span target_dn,
                  char *dn, struct rights_value *out)
{
    struct rights_entry e;
    struct mirror_domain d;
    struct span name;
    struct addr a;
    int found;

    out->address = 1;
    if (addr_parse(&a, address.p, address.n, "") != 1)
        return;
    name = span_of(addr_domain(&a));
    for (struct span at = rights_parent(target_dn); at.n > p->base.n; at = rights_parent(at))
        out->own_domain |= has_name(p, at, name);
    found = mirror_domain(p->mirror, name, &d);
    if (found < 0)
        out->address = -1;
    if (found != 1 || d.is_alias)
        return;
    memcpy(e.uuid, d.uuid, UUID_LEN);
    name_entry(p, &e);
    if (e.found == 1) {
        memcpy(dn, e.text, e.dn.n);
        out->address_domain = (struct span){dn, e.dn.n};
    }
}
