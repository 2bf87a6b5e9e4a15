/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mirror_walk: the store looked over rather than looked up: DNs, sites, counts,
 * duplicates, complaints. For status and explain; none of it is on mail's path
 * but mirror_sites, which runs when the structure changed. Reads only.
 */
#include "mirror_store.h"

#include <stdio.h>

#define DEPTH_MAX 64

/* Split at the first comma that is not escaped. parent is empty when there is none. */
void
mirror_dn_split(struct span ndn, struct span *nrdn, struct span *parent)
{
    size_t i = 0;

    while (i < ndn.n && ndn.p[i] != ',')
        i += ndn.p[i] == '\\' ? 2 : 1;
    if (i > ndn.n)
        i = ndn.n;
    *nrdn = (struct span){ndn.p, i};
    *parent = (struct span){ndn.p + i, 0};
    if (i < ndn.n)
        *parent = (struct span){ndn.p + i + 1, ndn.n - i - 1};
}

int
mirror_by_dn(struct mirror *m, struct span ndn, unsigned char uuid[UUID_LEN])
{
    static const unsigned char none[UUID_LEN];
    struct span nrdn, rest[DEPTH_MAX];
    char base[MIRROR_RDN_MAX];
    struct dn_row row = {.number = 0};
    long base_n = mirror_meta_get(m, "base", base, sizeof base);
    int depth = 0, found;

    if (base_n < 0)
        return 0;
    while (!(ndn.n == (size_t)base_n && memcmp(ndn.p, base, ndn.n) == 0)) {
        if (ndn.n <= (size_t)base_n || depth == DEPTH_MAX)
            return 0;
        mirror_dn_split(ndn, &nrdn, &ndn);
        rest[depth++] = nrdn;
    }
    found = mirror_dn_row(m, 0, ndn, &row);
    while (found == 1 && depth > 0) {
        if (!row.number)
            return 0;
        found = mirror_dn_row(m, row.number, rest[--depth], &row);
    }
    if (found != 1)
        return found;
    memcpy(uuid, row.uuid, UUID_LEN);
    return memcmp(uuid, none, UUID_LEN) != 0;
}

long
mirror_dn_of(struct mirror *m, const unsigned char uuid[UUID_LEN], char *out, size_t cap)
{
    struct org_row org;
    struct record r;
    struct span rdn;
    uint32_t parent;
    size_t n = 0;

    if (mirror_entry(m, uuid, &r) != 1 || !record_find(&r, TAG_RDN, &rdn))
        return -1;
    parent = record_parent(&r);
    for (int depth = 0; depth < DEPTH_MAX; depth++) {
        struct record up;

        if (n + rdn.n + 2 > cap)
            return -1;
        if (n)
            out[n++] = ',';
        memcpy(out + n, rdn.p, rdn.n);
        n += rdn.n;
        if (parent == 0) {
            out[n] = '\0';
            return (long)n;
        }
        if (mirror_org_row(m, parent, &org) != 1)
            return -1;
        rdn = org.nrdn;
        if (org.parent && mirror_entry(m, org.uuid, &up) == 1)
            record_find(&up, TAG_RDN, &rdn);
        parent = org.parent;
    }
    return -1;
}

/* --- sites --- */

/* The value of an RDN: "hebei" of "cn=hebei". */
static struct span
rdn_value(const struct record *r)
{
    struct span rdn = {NULL, 0};
    const char *eq;

    if (!record_find(r, TAG_RDN, &rdn))
        return rdn;
    eq = memchr(rdn.p, '=', rdn.n);
    if (!eq)
        return (struct span){NULL, 0};
    return (struct span){eq + 1, (size_t)(rdn.p + rdn.n - eq) - 1};
}

struct site_of {
    unsigned char uuid[UUID_LEN];
    struct site *site;
};

static int
add_server(struct mirror *m, struct site_table *t, const struct site_of *known, size_t n,
           const struct record *r)
{
    struct org_row org;

    if (mirror_org_row(m, record_parent(r), &org) != 1)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (memcmp(known[i].uuid, org.uuid, UUID_LEN) == 0) {
            site_add_server(t, known[i].site, rdn_value(r), r);
            return 0;
        }
    }
    t->bad++; /* a server outside any site */
    return 0;
}

/* One pass over the site table in UUID order, which is the same at every site. */
static int
sites_pass(struct mirror *m, struct site_table *t, enum record_kind kind, struct site_of *known,
           size_t *n)
{
    MDB_cursor *c;
    MDB_val k, v;
    struct record r;
    int rc = mdb_cursor_open(mirror_txn(m), m->dbi[T_SITE], &c);

    if (rc)
        return mirror_fail(m, rc, "site");
    for (int op = MDB_FIRST; (rc = mdb_cursor_get(c, &k, &v, op)) == 0; op = MDB_NEXT) {
        if (*(unsigned char *)v.mv_data != kind || mirror_entry(m, k.mv_data, &r) != 1)
            continue;
        if (kind == KIND_SERVER) {
            add_server(m, t, known, *n, &r);
            continue;
        }
        known[*n].site = site_table_add(t, rdn_value(&r), &r);
        if (known[*n].site)
            memcpy(known[(*n)++].uuid, k.mv_data, UUID_LEN);
    }
    mdb_cursor_close(c);
    return rc == MDB_NOTFOUND ? 0 : mirror_fail(m, rc, "site");
}

int
mirror_sites(struct mirror *m, struct site_table *t)
{
    struct site_of known[SITE_MAX + 1];
    size_t n = 0;

    site_table_init(t);
    if (!mirror_txn(m))
        return -1;
    if (sites_pass(m, t, KIND_SITE, known, &n) < 0 || sites_pass(m, t, KIND_SERVER, known, &n) < 0)
        return -1;
    site_table_seal(t);
    return m->failed ? -1 : 0;
}

/* --- counts --- */

static uint64_t
rows(struct mirror *m, enum table t)
{
    MDB_stat st;

    int rc = mdb_stat(mirror_txn(m), m->dbi[t], &st);

    if (rc)
        mirror_fail(m, rc, "count");
    return rc ? 0 : st.ms_entries;
}

static uint64_t
meta_u64(struct mirror *m, const char *key)
{
    char b[8];

    return mirror_meta_get(m, key, b, 8) == 8 ? mirror_u64(b) : 0;
}

int
mirror_info(struct mirror *m, struct mirror_info *out)
{
    MDB_envinfo env;
    MDB_stat st;

    if (!mirror_txn(m) || mdb_env_info(m->env, &env) || mdb_env_stat(m->env, &st))
        return -1;
    out->complete = meta_u64(m, "complete") == 1;
    out->updated_ms = meta_u64(m, "updated");
    out->refreshed_ms = meta_u64(m, "refreshed");
    out->accounts = meta_u64(m, "accounts");
    out->entries = rows(m, T_ENTRY);
    out->addresses = meta_u64(m, "addresses");
    out->domains = rows(m, T_DOMAIN);
    out->dups = rows(m, T_DUP);
    out->bad = rows(m, T_BAD);
    out->bytes_used = ((uint64_t)env.me_last_pgno + 1) * st.ms_psize;
    out->bytes_max = env.me_mapsize;
    return m->failed ? -1 : 0;
}

/* --- walks --- */

/* Call row for each row of a table until it returns non-zero. */
static void
walk(struct mirror *m, enum table t, int (*row)(void *ctx, const MDB_val *k, const MDB_val *v),
     void *ctx)
{
    MDB_txn *txn = mirror_txn(m);
    MDB_cursor *c;
    MDB_val k, v;

    if (!txn || mdb_cursor_open(txn, m->dbi[t], &c))
        return;
    for (int op = MDB_FIRST; mdb_cursor_get(c, &k, &v, op) == 0; op = MDB_NEXT)
        if (row(ctx, &k, &v))
            break;
    mdb_cursor_close(c);
}

struct walk_digest {
    int (*fn)(void *, struct span, const struct digest *);
    void *ctx;
};

static int
digest_row(void *ctx, const MDB_val *k, const MDB_val *v)
{
    struct walk_digest *w = ctx;
    struct digest d;
    const char *p = v->mv_data;

    if (v->mv_size != 40)
        return 0;
    for (int i = 0; i < 4; i++)
        d.lane[i] = mirror_u64(p + 8 * i);
    d.count = mirror_u64(p + 32);
    return w->fn(w->ctx, (struct span){(char *)k->mv_data + 1, k->mv_size - 1}, &d);
}

void
mirror_each_digest(struct mirror *m, int (*fn)(void *, struct span, const struct digest *),
                   void *ctx)
{
    struct walk_digest w = {fn, ctx};

    walk(m, T_DIGEST, digest_row, &w);
}

struct walk_dup {
    int (*fn)(void *, struct span, unsigned);
    void *ctx;
};

static int
dup_row(void *ctx, const MDB_val *k, const MDB_val *v)
{
    struct walk_dup *w = ctx;

    return w->fn(w->ctx, (struct span){k->mv_data, k->mv_size},
                 v->mv_size == 4 ? mirror_u32(v->mv_data) : 0);
}

void
mirror_each_dup(struct mirror *m, int (*fn)(void *, struct span, unsigned), void *ctx)
{
    struct walk_dup w = {fn, ctx};

    walk(m, T_DUP, dup_row, &w);
}

/* Put a cursor on the first row above a key of n bytes, 0: on the first. */
static int
seek_above(MDB_cursor *c, MDB_val *k, MDB_val *v, const void *after, size_t n)
{
    int rc;

    *k = (MDB_val){n, (void *)after};
    rc = mdb_cursor_get(c, k, v, n ? MDB_SET_RANGE : MDB_FIRST);
    if (rc == 0 && n && k->mv_size == n && memcmp(k->mv_data, after, n) == 0)
        rc = mdb_cursor_get(c, k, v, MDB_NEXT_NODUP);
    return rc;
}

int
mirror_each_entry(struct mirror *m, const unsigned char *after,
                  int (*fn)(void *, const unsigned char uuid[UUID_LEN], const struct record *),
                  void *ctx)
{
    MDB_cursor *c;
    MDB_val k, v;
    int rc, stop = 0;

    if (!mirror_txn(m) || mdb_cursor_open(mirror_txn(m), m->dbi[T_ENTRY], &c))
        return -1;
    rc = seek_above(c, &k, &v, after, after ? UUID_LEN : 0);
    while (rc == 0 && !stop) {
        struct record r = {v.mv_data, v.mv_size};

        if (k.mv_size != UUID_LEN || record_check(r.p, r.n) < 0)
            rc = MDB_CORRUPTED;
        else if (!(stop = fn(ctx, k.mv_data, &r)))
            rc = mdb_cursor_get(c, &k, &v, MDB_NEXT);
    }
    mdb_cursor_close(c);
    return rc && rc != MDB_NOTFOUND ? mirror_fail(m, rc, "entry") : !stop;
}

int
mirror_each_domain(struct mirror *m, struct span after, int (*fn)(void *, struct span), void *ctx)
{
    MDB_cursor *c;
    MDB_val k, v;
    int rc, stop = 0;

    if (!mirror_txn(m) || mdb_cursor_open(mirror_txn(m), m->dbi[T_DOMAIN], &c))
        return -1;
    rc = seek_above(c, &k, &v, after.p, after.n);
    while (rc == 0 && !(stop = fn(ctx, (struct span){k.mv_data, k.mv_size})))
        rc = mdb_cursor_get(c, &k, &v, MDB_NEXT_NODUP);
    mdb_cursor_close(c);
    return rc && rc != MDB_NOTFOUND ? mirror_fail(m, rc, "domain") : !stop;
}

struct walk_bad {
    int (*fn)(void *, const unsigned char *, struct span);
    void *ctx;
};

static int
bad_row(void *ctx, const MDB_val *k, const MDB_val *v)
{
    struct walk_bad *w = ctx;

    return w->fn(w->ctx, k->mv_data, (struct span){v->mv_data, v->mv_size});
}

void
mirror_each_bad(struct mirror *m,
                int (*fn)(void *, const unsigned char uuid[UUID_LEN], struct span), void *ctx)
{
    struct walk_bad w = {fn, ctx};

    walk(m, T_BAD, bad_row, &w);
}

void
mirror_each_domain_claim(struct mirror *m, struct span name,
                         int (*fn)(void *, const unsigned char uuid[UUID_LEN]), void *ctx)
{
    MDB_cursor *c;
    MDB_val k = {name.n, (void *)name.p}, v;
    int rc;

    if (!mirror_txn(m) || mdb_cursor_open(mirror_txn(m), m->dbi[T_DOMAIN], &c))
        return;
    rc = mdb_cursor_get(c, &k, &v, MDB_SET_KEY);
    while (rc == 0 && v.mv_size >= 8 + UUID_LEN && !fn(ctx, (unsigned char *)v.mv_data + 8))
        rc = mdb_cursor_get(c, &k, &v, MDB_NEXT_DUP);
    mdb_cursor_close(c);
}

struct walk_moving {
    struct mirror *m;
    int (*fn)(void *, const unsigned char *, const struct record *);
    void *ctx;
};

static int
moving_row(void *ctx, const MDB_val *k, const MDB_val *v)
{
    struct walk_moving *w = ctx;
    struct record r;

    if (k->mv_size != UUID_LEN || v->mv_size != 1 || *(unsigned char *)v->mv_data == KIND_SITE ||
        *(unsigned char *)v->mv_data == KIND_SERVER || mirror_entry(w->m, k->mv_data, &r) != 1)
        return 0;
    return w->fn(w->ctx, k->mv_data, &r);
}

void
mirror_each_moving(struct mirror *m,
                   int (*fn)(void *, const unsigned char uuid[UUID_LEN], const struct record *),
                   void *ctx)
{
    struct walk_moving w = {m, fn, ctx};

    walk(m, T_SITE, moving_row, &w);
}

struct walk_lost {
    int (*fn)(void *, struct span, uint64_t);
    void *ctx;
    const struct site_table *sites;
};

static int
lost_row(void *ctx, const MDB_val *k, const MDB_val *v)
{
    struct walk_lost *w = ctx;
    struct span name = {k->mv_data, k->mv_size};

    if (v->mv_size != 8 || site_find(w->sites, name))
        return 0;
    return w->fn(w->ctx, name, mirror_u64(v->mv_data));
}

void
mirror_each_lost_site(struct mirror *m, const struct site_table *sites,
                      int (*fn)(void *, struct span, uint64_t), void *ctx)
{
    struct walk_lost w = {fn, ctx, sites};

    walk(m, T_SITEREF, lost_row, &w);
}
