/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rights_facts: what a decision on rights wants to know of an entry, see
 * rights_find.h.
 *
 * Promises: an ancestor that we are not shown makes a state unknown, not active;
 * states and withheld functions are looked for in every entry above, as the
 * directory's access rules do. Reads the mirror only. Must not decide anything.
 */
#include <string.h>

#include "rights_find.h"

#define DEPTH_MAX 64

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
    rights_find_uuid(p, &e);
    if (e.found == 1) {
        memcpy(dn, e.text, e.dn.n);
        out->address_domain = (struct span){dn, e.dn.n};
    }
}
