/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mirror_change: which addresses' claims were changed lately, numbered, so that who
 * keeps something made from the mirror need not look at all of it again.
 *
 * Promises: a number is given once; who asks from a number on is told of every change
 * since, or that he must look at everything. Written in the transaction of the change.
 * Holds the last MIRROR_CHANGES only: a refresh that changes more leaves none at all.
 */
#include "mirror_store.h"

#define KEY_LEN 8

static void
key_of(uint64_t number, unsigned char key[KEY_LEN])
{
    for (int i = 0; i < KEY_LEN; i++)
        key[i] = (unsigned char)(number >> (56 - 8 * i));
}

/* --- reading --- */

uint64_t
mirror_change_next(struct mirror *m)
{
    char b[8];

    return mirror_meta_get(m, "changes", b, 8) == 8 ? mirror_u64(b) : 0;
}

int
mirror_each_change(struct mirror *m, uint64_t from, int (*fn)(void *, struct span), void *ctx)
{
    unsigned char key[KEY_LEN];
    MDB_val k = {KEY_LEN, key}, v;
    MDB_cursor *c;
    int rc, found = 0;

    if (from == mirror_change_next(m))
        return 1;
    if (!mirror_txn(m) || mdb_cursor_open(mirror_txn(m), m->dbi[T_CHANGE], &c))
        return -1;
    key_of(from, key);
    for (int op = MDB_SET_KEY; (rc = mdb_cursor_get(c, &k, &v, op)) == 0; op = MDB_NEXT) {
        if (fn(ctx, (struct span){v.mv_data, v.mv_size}))
            break;
        found = 1;
    }
    mdb_cursor_close(c);
    return rc && rc != MDB_NOTFOUND ? mirror_fail(m, rc, "change") : found;
}

/* --- writing --- */

void
mirror_note_changes(struct mirror *m, int on)
{
    m->note_changes = on;
}

int
mirror_change_add(struct mirror *m, struct span address)
{
    unsigned char key[KEY_LEN];

    if (m->changes++ >= MIRROR_CHANGES || !m->note_changes)
        return 0;
    key_of(m->change_next + m->changes - 1, key);
    return mirror_tables_put(m, T_CHANGE, key, KEY_LEN, address.p, address.n);
}

/* Remove those numbered below least. */
static int
forget(struct mirror *m, uint64_t least)
{
    unsigned char first[KEY_LEN], end[KEY_LEN];
    MDB_val k = {KEY_LEN, first}, v;
    MDB_cursor *c;
    int rc = mdb_cursor_open(m->wtxn, m->dbi[T_CHANGE], &c);

    if (rc)
        return mirror_fail(m, rc, "change");
    key_of(0, first);
    key_of(least, end);
    while ((rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE)) == 0 &&
           memcmp(k.mv_data, end, KEY_LEN) < 0) {
        rc = mdb_cursor_del(c, 0);
        if (rc)
            break;
        k = (MDB_val){KEY_LEN, first};
    }
    mdb_cursor_close(c);
    return rc && rc != MDB_NOTFOUND ? mirror_fail(m, rc, "change") : 0;
}

int
mirror_change_flush(struct mirror *m)
{
    unsigned char v[8];
    uint64_t next = m->change_next + m->changes, least = next;

    if (m->changes == 0)
        return 0;
    if (m->note_changes && m->changes <= MIRROR_CHANGES)
        least = next > MIRROR_CHANGES ? next - MIRROR_CHANGES : 0;
    for (int i = 0; i < 8; i++)
        v[i] = (unsigned char)(next >> (8 * i));
    return forget(m, least) < 0 ? -1 : mirror_meta_put(m, "changes", v, sizeof v);
}
