/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mirror_write: putting, replacing and removing entries, each with its place in
 * the tree and all that follows from it. Role sync is the only caller.
 *
 * Inside the transaction of mirror_txn.c. After an error the caller must abort;
 * nothing was changed then.
 */
#include "mirror_store.h"

#include <errno.h>
#include <stdlib.h>

static int
inside_base(const struct mirror *m, struct span ndn)
{
    if (mirror_is_base(m, ndn))
        return 1;
    return ndn.n > m->base_n + 1 && ndn.n <= MIRROR_DN_MAX &&
           memcmp(ndn.p + ndn.n - m->base_n, m->base, m->base_n) == 0 &&
           ndn.p[ndn.n - m->base_n - 1] == ',';
}

/* --- one entry --- */

/* The normalised RDN under which a stored entry stands: its own in lower case, else by looking. */
static int
find_nrdn(struct mirror *m, const unsigned char *uuid, const struct record *r, char *out,
          struct span *nrdn)
{
    MDB_cursor *c;
    struct dn_row row;
    struct span rdn;
    unsigned char prefix[4];
    MDB_val k = {4, prefix}, v;
    uint32_t parent = record_parent(r);
    int rc;

    if (record_find(r, TAG_RDN, &rdn) && rdn.n <= MIRROR_RDN_MAX) {
        for (size_t i = 0; i < rdn.n; i++)
            out[i] = rdn.p[i] >= 'A' && rdn.p[i] <= 'Z' ? (char)(rdn.p[i] | 0x20) : rdn.p[i];
        *nrdn = (struct span){out, rdn.n};
        rc = mirror_dn_row(m, parent, *nrdn, &row);
        if (rc < 0 || (rc == 1 && memcmp(row.uuid, uuid, UUID_LEN) == 0))
            return rc;
    }
    for (int i = 0; i < 4; i++)
        prefix[i] = (unsigned char)(parent >> (24 - 8 * i));
    rc = mdb_cursor_open(m->wtxn, m->dbi[T_DN], &c);
    if (rc)
        return mirror_fail(m, rc, "dn");
    for (int op = MDB_SET_RANGE; (rc = mdb_cursor_get(c, &k, &v, op)) == 0; op = MDB_NEXT) {
        if (k.mv_size < 4 || memcmp(k.mv_data, prefix, 4) != 0)
            break;
        if (memcmp(v.mv_data, uuid, UUID_LEN) == 0) {
            nrdn->n = k.mv_size - 4;
            memcpy(out, (char *)k.mv_data + 4, nrdn->n);
            nrdn->p = out;
            mdb_cursor_close(c);
            return 1;
        }
    }
    mdb_cursor_close(c);
    return rc && rc != MDB_NOTFOUND ? mirror_fail(m, rc, "dn") : 0;
}

static int
note_complaint(struct mirror *m, const unsigned char *uuid, const char *complaint)
{
    if (complaint && *complaint)
        return mirror_tables_put(m, T_BAD, uuid, UUID_LEN, complaint, strlen(complaint));
    return mirror_tables_del(m, T_BAD, uuid, UUID_LEN);
}

/* Take the stored entry out of all indexes; its row and number stay. 1 it was there, 0 not, -1. */
static int
take_out(struct mirror *m, const unsigned char *uuid, uint32_t number)
{
    struct record r;
    unsigned char *copy;
    int found = mirror_entry(m, uuid, &r);

    if (found != 1)
        return found;
    copy = malloc(r.n);
    if (!copy)
        return mirror_fail(m, ENOMEM, "change");
    memcpy(copy, r.p, r.n);
    r.p = copy;
    found = mirror_index(m, uuid, &r, number, 0) < 0 ? -1 : 1;
    free(copy);
    return found;
}

/* A number given in advance may be needless once a child has left it. */
static int
flag_collect(struct mirror *m, uint32_t parent)
{
    static const unsigned char none[UUID_LEN];
    struct org_row org;
    int found = parent ? mirror_org_row(m, parent, &org) : 0;

    if (found == 1 && memcmp(org.uuid, none, UUID_LEN) == 0)
        m->collect = 1;
    return found < 0 ? -1 : 0;
}

struct place {
    uint32_t parent;
    struct span nrdn;
};

/* If the entry stood elsewhere, its old row goes, unless another entry has it by now. */
static int
leave_old_place(struct mirror *m, const unsigned char *uuid, const struct record *old,
                const struct place *now)
{
    char buf[MIRROR_RDN_MAX];
    uint32_t parent = record_parent(old);
    struct span nrdn;
    int found = find_nrdn(m, uuid, old, buf, &nrdn);

    if (found != 1)
        return found;
    if (parent == now->parent && span_same(nrdn, now->nrdn))
        return 0;
    if (flag_collect(m, parent) < 0)
        return -1;
    return mirror_dn_del(m, parent, nrdn);
}

/*
 * Take the new place. Its row may be ours, free, a number given in advance, or
 * another entry's: that one was moved or deleted and we'll hear of it; it keeps its number.
 */
static int
take_place(struct mirror *m, const unsigned char *uuid, const struct place *at, uint32_t *number)
{
    static const unsigned char none[UUID_LEN];
    struct dn_row row;
    int found = mirror_dn_row(m, at->parent, at->nrdn, &row);

    if (found < 0)
        return -1;
    if (found && row.number && row.number != *number && memcmp(row.uuid, none, UUID_LEN) == 0) {
        if (!*number)
            *number = row.number;
        else if (mirror_org_merge(m, row.number, *number) < 0)
            return -1;
    }
    memcpy(row.uuid, uuid, UUID_LEN);
    row.number = *number;
    return mirror_dn_put(m, at->parent, at->nrdn, &row);
}

static int
wants_number(enum record_kind kind)
{
    return kind == KIND_DOMAIN || kind == KIND_DEPARTMENT || kind == KIND_SITE;
}

static int
note_number(struct mirror *m, const unsigned char *uuid, const struct place *at,
            const struct record *r, uint32_t number)
{
    unsigned char v[4];

    for (int i = 0; i < 4; i++)
        v[i] = (unsigned char)(number >> (8 * i));
    m->last_parent_n = 0;
    if (mirror_tables_put(m, T_NUMBER, uuid, UUID_LEN, v, 4) < 0)
        return -1;
    return mirror_org_from_record(m, number, at->parent, at->nrdn, uuid, r);
}

static int
find_place(struct mirror *m, struct span ndn, struct place *at)
{
    struct span up;

    at->parent = 0;
    at->nrdn = ndn;
    if (mirror_is_base(m, ndn))
        return 1;
    if (!inside_base(m, ndn))
        return 0;
    mirror_dn_split(ndn, &at->nrdn, &up);
    if (at->nrdn.n > MIRROR_RDN_MAX || at->nrdn.n == 0)
        return 0;
    return mirror_container(m, up, &at->parent) < 0 ? -1 : 1;
}

static int
put_entry(struct mirror *m, const unsigned char *uuid, const struct place *at, unsigned char *buf,
          size_t n)
{
    struct record r = {buf, n}, old;
    uint32_t number;
    int found;

    record_set_parent(buf, at->parent);
    if (mirror_number_of(m, uuid, &number) < 0)
        return -1;
    found = mirror_entry(m, uuid, &old);
    if (found == 1 && leave_old_place(m, uuid, &old, at) < 0)
        return -1;
    if (found < 0 || (found && take_out(m, uuid, number) < 0))
        return -1;
    if (take_place(m, uuid, at, &number) < 0)
        return -1;
    if (!number && wants_number(record_kind(&r))) {
        struct dn_row row = {.number = m->next_number++};

        number = row.number;
        memcpy(row.uuid, uuid, UUID_LEN);
        if (mirror_dn_put(m, at->parent, at->nrdn, &row) < 0)
            return -1;
    }
    if (number && note_number(m, uuid, at, &r, number) < 0)
        return -1;
    if (mirror_tables_put(m, T_ENTRY, uuid, UUID_LEN, buf, n) < 0)
        return -1;
    return mirror_index(m, uuid, &r, number, 1);
}

/* Nothing to do when the same record stands at the same place already. */
static int
unchanged(struct mirror *m, const unsigned char *uuid, const struct place *at, unsigned char *buf,
          size_t n)
{
    struct dn_row row;
    MDB_val v;

    record_set_parent(buf, at->parent);
    return mirror_get(m, T_ENTRY, uuid, UUID_LEN, &v) == 1 && v.mv_size == n &&
           memcmp(v.mv_data, buf, n) == 0 && mirror_dn_row(m, at->parent, at->nrdn, &row) == 1 &&
           memcmp(row.uuid, uuid, UUID_LEN) == 0;
}

int
mirror_put(struct mirror *m, const unsigned char uuid[UUID_LEN], struct span ndn,
           unsigned char *buf, size_t n, const char *complaint)
{
    struct place at;
    int found;

    if (record_check(buf, n) < 0)
        return mirror_fail(m, EINVAL, "record");
    found = find_place(m, ndn, &at);
    if (found < 0)
        return -1;
    if (!found) {
        m->changed = 1;
        return note_complaint(m, uuid, "its DN is outside the base, or an RDN is too long");
    }
    if (unchanged(m, uuid, &at, buf, n))
        return note_complaint(m, uuid, complaint);
    m->changed = 1;
    if (put_entry(m, uuid, &at, buf, n) < 0)
        return -1;
    return note_complaint(m, uuid, complaint);
}

/* A deleted container still has children: keep its number for them, without an entry. */
static int
keep_number(struct mirror *m, const struct place *at, uint32_t number)
{
    static const unsigned char none[UUID_LEN];
    struct org_row org = {.parent = at->parent, .nrdn = at->nrdn};
    struct dn_row row = {.number = 0};
    int found = mirror_dn_row(m, at->parent, at->nrdn, &row);

    if (found < 0)
        return -1;
    m->org_dirty = m->collect = 1;
    if (found && row.number != number && memcmp(row.uuid, none, UUID_LEN) != 0) {
        /* Another entry stands here by now: they are its children. */
        if (!row.number && mirror_number_new(m, at->parent, at->nrdn, &row) < 0)
            return -1;
        return mirror_org_merge(m, number, row.number);
    }
    memset(row.uuid, 0, UUID_LEN);
    row.number = number;
    if (mirror_org_put(m, number, &org) < 0)
        return -1;
    return mirror_dn_put(m, at->parent, at->nrdn, &row);
}

/* The place of a deleted entry: gone, or kept as a bare number while there are children. */
static int
give_up_place(struct mirror *m, const unsigned char *uuid, const struct place *at, uint32_t number)
{
    struct dn_row row;
    unsigned char key[4];
    int found = mirror_dn_row(m, at->parent, at->nrdn, &row);
    int children = number ? mirror_has_children(m, number) : 0;

    if (found < 0 || children < 0 || flag_collect(m, at->parent) < 0)
        return -1;
    if (children || number == MIRROR_BASE_NUMBER)
        return keep_number(m, at, number);
    if (number) {
        for (int i = 0; i < 4; i++)
            key[i] = (unsigned char)(number >> (24 - 8 * i));
        m->org_dirty = 1;
        if (mirror_tables_del(m, T_ORG, key, 4) < 0)
            return -1;
    }
    if (found && memcmp(row.uuid, uuid, UUID_LEN) == 0)
        return mirror_dn_del(m, at->parent, at->nrdn);
    return 0;
}

/* Where a stored entry stands; from its org row when its own dn row is another's by now. */
static int
place_of(struct mirror *m, const unsigned char *uuid, const struct record *r, uint32_t number,
         char *buf, struct place *at)
{
    struct org_row org;
    int found = find_nrdn(m, uuid, r, buf, &at->nrdn);

    at->parent = record_parent(r);
    if (found || !number)
        return found;
    found = mirror_org_row(m, number, &org);
    if (found != 1)
        return found;
    memcpy(buf, org.nrdn.p, org.nrdn.n);
    at->nrdn = (struct span){buf, org.nrdn.n};
    return 1;
}

int
mirror_delete(struct mirror *m, const unsigned char uuid[UUID_LEN])
{
    char buf[MIRROR_RDN_MAX];
    struct record r;
    struct place at;
    uint32_t number;
    int found = mirror_entry(m, uuid, &r), placed;

    if (found < 0)
        return -1;
    if (!found)
        return note_complaint(m, uuid, NULL);
    m->changed = 1;
    if (mirror_number_of(m, uuid, &number) < 0)
        return -1;
    placed = place_of(m, uuid, &r, number, buf, &at);
    if (placed < 0 || take_out(m, uuid, number) < 0)
        return -1;
    if (mirror_tables_del(m, T_ENTRY, uuid, UUID_LEN) < 0 ||
        mirror_tables_del(m, T_NUMBER, uuid, UUID_LEN) < 0)
        return -1;
    if (placed && give_up_place(m, uuid, &at, number) < 0)
        return -1;
    return note_complaint(m, uuid, NULL);
}

/* --- sweep --- */

/* Collect what stands in the store but not in seen. Returns how many, or -1. */
static long long
find_unseen(struct mirror *m, const unsigned char *seen, size_t n, unsigned char **list_r)
{
    unsigned char *list = NULL;
    size_t count = 0, cap = 0, at = 0;
    MDB_cursor *c = NULL;
    MDB_val k, v;
    int rc = mdb_cursor_open(m->wtxn, m->dbi[T_ENTRY], &c);

    *list_r = NULL;
    for (int op = MDB_FIRST; !rc; op = MDB_NEXT) {
        int order = 1;

        rc = mdb_cursor_get(c, &k, &v, op);
        if (rc)
            break;
        while (at < n && (order = memcmp(seen + at * UUID_LEN, k.mv_data, UUID_LEN)) < 0)
            at++;
        if (at < n && order == 0)
            continue;
        if (count == cap) {
            unsigned char *more = realloc(list, (cap = cap ? cap * 2 : 1024) * UUID_LEN);

            if (!more) {
                rc = ENOMEM;
                break;
            }
            list = more;
        }
        memcpy(list + count++ * UUID_LEN, k.mv_data, UUID_LEN);
    }
    if (c)
        mdb_cursor_close(c);
    if (rc != MDB_NOTFOUND) {
        free(list);
        return mirror_fail(m, rc, "sweep");
    }
    *list_r = list;
    return (long long)count;
}

int
mirror_sweep(struct mirror *m, const unsigned char *seen, size_t n, int guard_percent,
             uint64_t floor, uint64_t *would_r)
{
    unsigned char *list;
    MDB_stat st;
    long long count = find_unseen(m, seen, n, &list);
    int rc = mdb_stat(m->wtxn, m->dbi[T_ENTRY], &st);

    *would_r = 0;
    if (count < 0 || rc) {
        free(count < 0 ? NULL : list);
        return count < 0 ? -1 : mirror_fail(m, rc, "sweep");
    }
    if (guard_percent < 100 && (uint64_t)count > floor &&
        (uint64_t)count * 100 > (uint64_t)st.ms_entries * (uint64_t)guard_percent) {
        free(list);
        *would_r = (uint64_t)count;
        return 1;
    }
    for (long long i = 0; i < count && !rc; i++)
        rc = mirror_delete(m, list + i * UUID_LEN);
    free(list);
    return rc;
}
