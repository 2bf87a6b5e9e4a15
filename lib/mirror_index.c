/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mirror_index: what follows from a record: claims on addresses and domain names,
 * duplicates, the list of sites, digests, and which sites are named at all.
 *
 * Adding a record and taking it out again leaves no trace; so a change is the old
 * record taken out and the new one added. Sums that many entries share are kept in
 * memory and written once before the commit. Writer only.
 */
#include "mirror_store.h"

#include <stdlib.h>

#define CLAIM_MAX 511

static void
put_be64(unsigned char *p, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        p[i] = (unsigned char)(v >> (56 - 8 * i));
}

static void
put_le(unsigned char *p, uint64_t v, int n)
{
    for (int i = 0; i < n; i++)
        p[i] = (unsigned char)(v >> (8 * i));
}

/* --- claims and duplicates --- */

int
mirror_note_dup(struct mirror *m, struct span name, size_t claims)
{
    unsigned char v[4];

    if (claims < 2)
        return mirror_tables_del(m, T_DUP, name.p, name.n);
    put_le(v, claims, 4);
    return mirror_tables_put(m, T_DUP, name.p, name.n, v, 4);
}

static int
address_change(struct mirror *m, struct span address, struct span claim, int add)
{
    unsigned claims;

    if (address.n == 0 || address.n > CLAIM_MAX)
        return 0;
    if (mirror_change_add(m, address) < 0)
        return -1;
    if (add)
        return mirror_addr_add(m, address, claim, &claims) < 0 ? -1
               : claims > 1                                    ? mirror_note_dup(m, address, claims)
                                                               : 0;
    if (mirror_addr_del(m, address, claim, &claims) < 0)
        return -1;
    return claims > 0 ? mirror_note_dup(m, address, claims) : 0;
}

static int
count_claims(struct mirror *m, MDB_val *name, size_t *n)
{
    MDB_cursor *c;
    MDB_val v;
    int rc = mdb_cursor_open(m->wtxn, m->dbi[T_DOMAIN], &c);

    *n = 0;
    if (rc)
        return mirror_fail(m, rc, "claims");
    rc = mdb_cursor_get(c, name, &v, MDB_SET_KEY);
    if (!rc)
        rc = mdb_cursor_count(c, n);
    mdb_cursor_close(c);
    return rc && rc != MDB_NOTFOUND ? mirror_fail(m, rc, "claims") : 0;
}

static int
domain_change(struct mirror *m, struct span name, unsigned char *row, size_t n, int add)
{
    MDB_val k = {name.n, (void *)name.p}, v = {n, row};
    size_t claims;
    int rc;

    if (name.n == 0 || name.n > CLAIM_MAX)
        return 0;
    rc = add ? mdb_put(m->wtxn, m->dbi[T_DOMAIN], &k, &v, MDB_NODUPDATA)
             : mdb_del(m->wtxn, m->dbi[T_DOMAIN], &k, &v);
    if (rc && rc != MDB_KEYEXIST && rc != MDB_NOTFOUND)
        return mirror_fail(m, rc, "claim");
    return count_claims(m, &k, &claims) < 0 ? -1 : mirror_note_dup(m, name, claims);
}

static size_t
put_short(unsigned char *p, struct span s)
{
    size_t n = s.n > 100 ? 0 : s.n; /* no site is named like that: none */

    *p = (unsigned char)n;
    if (n)
        memcpy(p + 1, s.p, n);
    return 1 + n;
}

static int
index_addresses(struct mirror *m, const unsigned char *uuid, const struct record *r, int add)
{
    unsigned char row[CLAIM_MAX];
    struct span mail, home, standby, v;
    enum record_tag tag;
    size_t pos = 0, n = 32;

    record_find(r, TAG_MAIL, &mail);
    record_find(r, TAG_HOME, &home);
    record_find(r, TAG_STANDBY, &standby);
    put_be64(row, record_created(r));
    memcpy(row + 8, uuid, UUID_LEN);
    put_le(row + 24, record_parent(r), 4);
    row[28] = (unsigned char)record_kind(r);
    row[29] = (unsigned char)record_state(r);
    row[31] = (unsigned char)record_find(r, TAG_FORWARD, &v);
    n += put_short(row + n, home);
    n += put_short(row + n, standby);
    while (record_next(r, &pos, &tag, &v)) {
        if (tag != TAG_MAIL && (tag != TAG_ALIAS || span_same(v, mail)))
            continue;
        row[30] = tag == TAG_MAIL ? CLAIM_PRIMARY : CLAIM_ALIAS;
        if (address_change(m, v, (struct span){(char *)row, n}, add) < 0)
            return -1;
    }
    return 0;
}

static int
index_domain(struct mirror *m, const unsigned char *uuid, const struct record *r, uint32_t number,
             int add)
{
    unsigned char row[CLAIM_MAX];
    struct span primary, catch_all, v;
    enum record_tag tag;
    size_t pos = 0;

    m->structure_dirty = 1;
    if (!record_find(r, TAG_DOMAIN, &primary) || primary.n > ADDR_DOMAIN_MAX)
        return 0;
    put_be64(row, record_created(r));
    memcpy(row + 8, uuid, UUID_LEN);
    put_le(row + 24, number, 4);
    row[29] = (unsigned char)record_find(r, TAG_CATCHALL, &catch_all);
    memcpy(row + 30, primary.p, primary.n);
    while (record_next(r, &pos, &tag, &v)) {
        if (tag != TAG_DOMAIN)
            continue;
        row[28] = !span_same(v, primary);
        if (domain_change(m, v, row, 30 + primary.n, add) < 0)
            return -1;
    }
    return 0;
}

/* --- sums --- */

static int
digest_store(struct mirror *m, const char *name, const struct digest *delta)
{
    char key[ADDR_DOMAIN_MAX + 2] = "d";
    unsigned char v[40];
    struct digest d = *delta;
    MDB_val old;
    size_t n = 1 + strlen(name);
    int found;

    memcpy(key + 1, name, n - 1);
    found = mirror_get(m, T_DIGEST, key, n, &old);
    if (found < 0)
        return -1;
    if (found && old.mv_size == sizeof v) {
        const char *p = old.mv_data;

        for (int i = 0; i < 4; i++)
            d.lane[i] += mirror_u64(p + 8 * i);
        d.count += mirror_u64(p + 32);
    }
    if (d.count == 0)
        return mirror_tables_del(m, T_DIGEST, key, n);
    for (int i = 0; i < 4; i++)
        put_le(v + 8 * i, d.lane[i], 8);
    put_le(v + 32, d.count, 8);
    return mirror_tables_put(m, T_DIGEST, key, n, v, sizeof v);
}

static int
index_digest(struct mirror *m, const unsigned char *uuid, const struct record *r, int add)
{
    struct span s;
    int slot = 0;

    if (!digest_domain(r, &s))
        return 0;
    if (s.n > ADDR_DOMAIN_MAX)
        s.n = 0;
    while (slot < MIRROR_CACHE && m->digests[slot].used &&
           (strlen(m->digests[slot].name) != s.n ||
            (s.n && memcmp(m->digests[slot].name, s.p, s.n) != 0)))
        slot++;
    if (slot == MIRROR_CACHE) {
        slot = 0;
        if (digest_store(m, m->digests[0].name, &m->digests[0].sum) < 0)
            return -1;
        m->digests[0].used = 0;
    }
    if (!m->digests[slot].used) {
        memset(&m->digests[slot], 0, sizeof m->digests[slot]);
        m->digests[slot].used = 1;
        if (s.n)
            memcpy(m->digests[slot].name, s.p, s.n);
    }
    digest_update(&m->digests[slot].sum, uuid, r, add ? 1 : -1);
    return 0;
}

static int
siteref_store(struct mirror *m, const char *name, int64_t delta)
{
    MDB_val old;
    unsigned char v[8];
    uint64_t n = 0;
    int found = mirror_get(m, T_SITEREF, name, strlen(name), &old);

    if (found < 0)
        return -1;
    if (found && old.mv_size == 8)
        n = mirror_u64(old.mv_data);
    n += (uint64_t)delta;
    if (n == 0)
        return mirror_tables_del(m, T_SITEREF, name, strlen(name));
    put_le(v, n, 8);
    return mirror_tables_put(m, T_SITEREF, name, strlen(name), v, 8);
}

static int
index_siteref(struct mirror *m, struct span name, int add)
{
    int slot = 0;

    if (name.n == 0 || name.n >= sizeof m->siterefs[0].name)
        return 0;
    while (slot < MIRROR_CACHE && m->siterefs[slot].name[0] &&
           (strlen(m->siterefs[slot].name) != name.n ||
            memcmp(m->siterefs[slot].name, name.p, name.n) != 0))
        slot++;
    if (slot == MIRROR_CACHE) {
        slot = 0;
        if (siteref_store(m, m->siterefs[0].name, m->siterefs[0].delta) < 0)
            return -1;
        m->siterefs[0].name[0] = '\0';
    }
    if (!m->siterefs[slot].name[0]) {
        memcpy(m->siterefs[slot].name, name.p, name.n);
        m->siterefs[slot].name[name.n] = '\0';
        m->siterefs[slot].delta = 0;
    }
    m->siterefs[slot].delta += add ? 1 : -1;
    return 0;
}

int
mirror_index_flush(struct mirror *m)
{
    for (int i = 0; i < MIRROR_CACHE; i++) {
        if (m->digests[i].used && digest_store(m, m->digests[i].name, &m->digests[i].sum) < 0)
            return -1;
        m->digests[i].used = 0;
        if (m->siterefs[i].name[0] && m->siterefs[i].delta &&
            siteref_store(m, m->siterefs[i].name, m->siterefs[i].delta) < 0)
            return -1;
        m->siterefs[i].name[0] = '\0';
    }
    return 0;
}

/* --- one record --- */

static int
index_site(struct mirror *m, const unsigned char *uuid, enum record_kind kind, int add)
{
    unsigned char v = (unsigned char)kind;

    m->structure_dirty = 1;
    return add ? mirror_tables_put(m, T_SITE, uuid, UUID_LEN, &v, 1)
               : mirror_tables_del(m, T_SITE, uuid, UUID_LEN);
}

/* Whoever looks for sites passes over these: they are of another kind. */
static int
index_moving(struct mirror *m, const unsigned char *uuid, enum record_kind kind, int add)
{
    unsigned char v = (unsigned char)kind;

    return add ? mirror_tables_put(m, T_SITE, uuid, UUID_LEN, &v, 1)
               : mirror_tables_del(m, T_SITE, uuid, UUID_LEN);
}

int
mirror_index(struct mirror *m, const unsigned char uuid[UUID_LEN], const struct record *r,
             uint32_t number, int add)
{
    enum record_kind kind = record_kind(r);
    struct span home, standby;
    int rc = 0;

    if (kind == KIND_ACCOUNT || kind == KIND_LIST)
        rc = index_addresses(m, uuid, r, add);
    else if (kind == KIND_DOMAIN)
        rc = index_domain(m, uuid, r, number, add);
    else if (kind == KIND_SITE || kind == KIND_SERVER)
        rc = index_site(m, uuid, kind, add);
    if (!rc && record_state(r) == STATE_MOVING && kind != KIND_SITE && kind != KIND_SERVER)
        rc = index_moving(m, uuid, kind, add);
    if (kind == KIND_ACCOUNT)
        m->accounts += add ? 1 : (uint64_t)-1;
    record_find(r, TAG_HOME, &home);
    record_find(r, TAG_STANDBY, &standby);
    if (!rc)
        rc = index_siteref(m, home, add);
    if (!rc)
        rc = index_siteref(m, standby, add);
    return rc ? rc : index_digest(m, uuid, r, add);
}
