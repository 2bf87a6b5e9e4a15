/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mirror_txn: beginning and ending a change of the store, and what belongs to the
 * store as a whole: base, completeness, counters. Role sync is the only caller.
 *
 * Everything happens inside one LMDB transaction: entry, indexes, sums and the
 * cookie become visible together or not at all, also when the process is killed.
 */
#include "mirror_store.h"

#include <errno.h>

#include "clock.h"

int
mirror_is_base(const struct mirror *m, struct span ndn)
{
    return ndn.n == m->base_n && memcmp(ndn.p, m->base, ndn.n) == 0;
}

int
mirror_meta_put(struct mirror *m, const char *key, const void *value, size_t n)
{
    if (n == 0)
        return mirror_tables_del(m, T_META, key, strlen(key));
    return mirror_tables_put(m, T_META, key, strlen(key), value, n);
}

static int
meta_put_u64(struct mirror *m, const char *key, uint64_t v)
{
    unsigned char b[8];

    for (int i = 0; i < 8; i++)
        b[i] = (unsigned char)(v >> (8 * i));
    return mirror_meta_put(m, key, b, 8);
}

static uint64_t
meta_get_u64(struct mirror *m, const char *key)
{
    char b[8];

    return mirror_meta_get(m, key, b, 8) == 8 ? mirror_u64(b) : 0;
}

/* A first fill ended before its claims were written: what there is of it is worth nothing. */
static int
begin_anew(struct mirror *m)
{
    char base[MIRROR_DN_MAX + 1];
    struct span ndn = {base, m->base_n};
    MDB_val v;

    if (m->bulk || mirror_get(m, T_META, "bulk", 4, &v) != 1)
        return 0;
    memcpy(base, m->base, m->base_n);
    m->base_n = 0;
    if (mirror_set_base(m, ndn) == 0)
        return 0;
    mirror_write_abort(m);
    return -1;
}

int
mirror_is_writing(const struct mirror *m)
{
    return m->wtxn != NULL;
}

int
mirror_write_begin(struct mirror *m)
{
    long n;
    int rc;

    if (m->wtxn)
        return 0;
    rc = mdb_txn_begin(m->env, NULL, 0, &m->wtxn);
    if (rc) {
        m->wtxn = NULL;
        return mirror_fail(m, rc, "begin");
    }
    m->changed = m->org_dirty = m->structure_dirty = m->collect = m->failed = 0;
    m->last_parent_n = 0;
    memset(m->digests, 0, sizeof m->digests);
    memset(m->siterefs, 0, sizeof m->siterefs);
    m->accounts = meta_get_u64(m, "accounts");
    m->addresses = meta_get_u64(m, "addresses");
    m->addr_wcursor = NULL;
    m->change_next = mirror_change_next(m);
    m->changes = 0;
    m->next_number = (uint32_t)meta_get_u64(m, "next");
    if (m->next_number <= MIRROR_BASE_NUMBER)
        m->next_number = MIRROR_BASE_NUMBER + 1;
    n = mirror_meta_get(m, "base", m->base, MIRROR_DN_MAX);
    m->base_n = n > 0 ? (size_t)n : 0;
    if (!m->failed)
        return begin_anew(m);
    mirror_write_abort(m);
    return -1;
}

void
mirror_write_abort(struct mirror *m)
{
    if (m->wtxn)
        mdb_txn_abort(m->wtxn);
    m->wtxn = NULL;
    mirror_bulk_drop(m);
}

static int
finish(struct mirror *m)
{
    if (mirror_index_flush(m) < 0 || mirror_bulk_commit(m) < 0 || mirror_change_flush(m) < 0)
        return -1;
    if (m->collect && mirror_org_collect(m) < 0)
        return -1;
    if (m->org_dirty && mirror_org_inherit(m) < 0)
        return -1;
    if (m->structure_dirty && meta_put_u64(m, "structure", meta_get_u64(m, "structure") + 1) < 0)
        return -1;
    if (m->changed && meta_put_u64(m, "updated", clock_wall_ms()) < 0)
        return -1;
    if (meta_put_u64(m, "accounts", m->accounts) < 0 ||
        meta_put_u64(m, "addresses", m->addresses) < 0 ||
        meta_put_u64(m, "next", m->next_number) < 0)
        return -1;
    return meta_put_u64(m, "format", MIRROR_FORMAT);
}

int
mirror_write_commit(struct mirror *m)
{
    int rc;

    if (!m->wtxn)
        return 0;
    if (finish(m) < 0 || m->failed) { /* what was not read right must not be built upon */
        mirror_write_abort(m);
        return -1;
    }
    rc = mdb_txn_commit(m->wtxn);
    m->wtxn = NULL;
    if (rc)
        mirror_bulk_drop(m);
    return rc ? mirror_fail(m, rc, "commit") : 0;
}

int
mirror_set_complete(struct mirror *m, uint64_t now_ms)
{
    if (mirror_bulk_end(m) < 0)
        return -1;
    return meta_put_u64(m, "refreshed", now_ms) < 0 ? -1 : meta_put_u64(m, "complete", 1);
}

int
mirror_set_base(struct mirror *m, struct span ndn)
{
    static const unsigned char key[4] = {0, 0, 0, MIRROR_BASE_NUMBER};
    struct org_row org = {.nrdn = ndn};
    struct dn_row row = {.number = MIRROR_BASE_NUMBER};
    uint64_t structure = meta_get_u64(m, "structure"); /* readers' caches go by it: never back */
    MDB_val v;

    if (ndn.n == 0 || ndn.n > MIRROR_RDN_MAX)
        return mirror_fail(m, EINVAL, "base");
    if (mirror_is_base(m, ndn) && mirror_get(m, T_ORG, key, 4, &v) == 1)
        return 0;
    mirror_addr_forget(m);
    for (int t = 0; t < T_N; t++) {
        int rc = mdb_drop(m->wtxn, m->dbi[t], 0);

        if (rc)
            return mirror_fail(m, rc, "empty");
    }
    memset(m->digests, 0, sizeof m->digests);
    memset(m->siterefs, 0, sizeof m->siterefs);
    m->accounts = m->addresses = 0;
    m->changes = MIRROR_CHANGES + 1; /* of all addresses */
    m->next_number = MIRROR_BASE_NUMBER + 1;
    m->changed = m->structure_dirty = m->org_dirty = 1;
    m->last_parent_n = 0;
    memcpy(m->base, ndn.p, ndn.n);
    m->base_n = ndn.n;
    if (mirror_org_put(m, MIRROR_BASE_NUMBER, &org) < 0 || mirror_dn_put(m, 0, ndn, &row) < 0 ||
        meta_put_u64(m, "structure", structure) < 0)
        return -1;
    return mirror_meta_put(m, "base", ndn.p, ndn.n) < 0 ? -1 : mirror_bulk_begin(m);
}
