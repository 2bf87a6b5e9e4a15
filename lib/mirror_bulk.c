/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mirror_bulk: the first fill of an empty store, without writing each bucket of
 * claims a hundred times over.
 *
 * While it lasts, claims are collected in memory, at most BULK_MAX bytes of them;
 * then they are sorted and each bucket is written once. It ends by itself as soon as
 * somebody wants to know or to take out a claim, when the fill is complete, and when
 * the first commit that has any has few of them. A mark in the store says that its claims are not
 * written yet: a writer that finds the mark without the claims begins anew.
 */
#include "mirror_store.h"

#include <errno.h>
#include <stdlib.h>

#include "mirror_bucket.h"

#define BULK_MAX ((size_t)384 << 20) /* bytes of claims, then they are written */
#define BULK_FEW 4096                /* claims that are not worth waiting with */
#define FILL     3400                /* of BUCKET_FULL bytes: leaves room for what comes later */

struct pending {
    uint32_t hash;
    uint32_t at; /* into the arena, in units of 4 bytes */
};

struct bulk {
    unsigned char *arena; /* rows as they stand in a bucket, each at a multiple of 4 */
    size_t used, cap;
    struct pending *list;
    size_t n, list_cap;
};

int
mirror_bulk_begin(struct mirror *m)
{
    mirror_bulk_drop(m);
    m->bulk = calloc(1, sizeof *m->bulk);
    if (!m->bulk)
        return mirror_fail(m, ENOMEM, "fill");
    return mirror_meta_put(m, "bulk", "1", 1);
}

void
mirror_bulk_drop(struct mirror *m)
{
    if (!m->bulk)
        return;
    free(m->bulk->arena);
    free(m->bulk->list);
    free(m->bulk);
    m->bulk = NULL;
}

static int
grow(void **p, size_t *cap, size_t need, size_t unit)
{
    size_t more = *cap ? *cap * 2 : 65536;
    void *q;

    if (need <= *cap)
        return 0;
    if (more < need)
        more = need;
    q = realloc(*p, more * unit);
    if (!q)
        return -1;
    *p = q;
    *cap = more;
    return 0;
}

int
mirror_bulk_add(struct mirror *m, struct span address, struct span claim)
{
    struct bulk *b = m->bulk;
    uint16_t lengths[2] = {(uint16_t)address.n, (uint16_t)claim.n};
    size_t n = (ROW_HEAD + address.n + claim.n + 3) & ~(size_t)3;
    void *arena = b->arena, *list = b->list;
    unsigned char *p;
    int rc = grow(&arena, &b->cap, b->used + n, 1);

    b->arena = arena;
    if (!rc)
        rc = grow(&list, &b->list_cap, b->n + 1, sizeof *b->list);
    b->list = list;
    if (rc)
        return mirror_fail(m, ENOMEM, "fill");
    b->list[b->n++] = (struct pending){mirror_addr_hash(address), (uint32_t)(b->used / 4)};
    p = b->arena + b->used;
    memcpy(p, lengths, sizeof lengths);
    memcpy(p + ROW_HEAD, address.p, address.n);
    memcpy(p + ROW_HEAD + address.n, claim.p, claim.n);
    b->used += n;
    return b->used >= BULK_MAX ? mirror_bulk_end(m) : 0;
}

/* --- writing --- */

static struct span
row_of(const struct bulk *b, const struct pending *p, struct span *address)
{
    const unsigned char *row = b->arena + (size_t)p->at * 4;
    uint16_t n[2];

    memcpy(n, row, sizeof n);
    *address = (struct span){(const char *)row + ROW_HEAD, n[0]};
    return (struct span){(const char *)row, (size_t)ROW_HEAD + n[0] + n[1]};
}

static int
compare_spans(struct span a, struct span b)
{
    int c = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

    return c ? c : (a.n > b.n) - (a.n < b.n);
}

/* By hash; claims on one address side by side, the best first. */
static int
compare(const void *va, const void *vb, void *ctx)
{
    const struct pending *a = va, *b = vb;
    struct span address[2], row[2];
    int c;

    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    row[0] = row_of(ctx, a, &address[0]);
    row[1] = row_of(ctx, b, &address[1]);
    c = compare_spans(address[0], address[1]);
    if (c)
        return c;
    for (int i = 0; i < 2; i++) {
        row[i].n -= ROW_HEAD + address[i].n;
        row[i].p += ROW_HEAD + address[i].n;
    }
    return compare_spans(row[0], row[1]);
}

/* Sort, leave out what stands twice, and note addresses that several claim. */
static int
sort_claims(struct mirror *m, struct bulk *b)
{
    size_t kept = 0, same = 1;
    struct span last = {NULL, 0}, address;

    if (b->n)
        qsort_r(b->list, b->n, sizeof *b->list, compare, b);
    for (size_t i = 0; i < b->n; i++) {
        if (kept && compare(&b->list[kept - 1], &b->list[i], b) == 0) {
            m->addresses--;
            continue;
        }
        row_of(b, &b->list[i], &address);
        same = span_same(address, last) ? same + 1 : 1;
        last = address;
        b->list[kept++] = b->list[i];
        if (same > 1 && mirror_note_dup(m, address, same) < 0)
            return -1;
    }
    b->n = kept;
    return 0;
}

/* Write the claims from..to as the bucket for all hashes up to key. */
static int
put_bucket(struct mirror *m, const struct bulk *b, size_t from, size_t to, uint32_t key,
           MDB_cursor *c)
{
    uint32_t head[2] = {(uint32_t)(to - from), 0};
    size_t rows = BUCKET_HEAD + (to - from) * sizeof(struct slot), n = rows, at = 0;
    struct span address;
    MDB_val k = {sizeof key, &key}, v;
    int rc;

    for (size_t i = from; i < to; i++)
        n += row_of(b, &b->list[i], &address).n;
    head[1] = (uint32_t)n;
    v.mv_size = n < BUCKET_MIN ? BUCKET_MIN : n;
    rc = mdb_cursor_put(c, &k, &v, MDB_RESERVE | MDB_APPEND);
    if (rc)
        return mirror_fail(m, rc, "fill");
    memset((char *)v.mv_data + n, 0, v.mv_size - n);
    memcpy(v.mv_data, head, sizeof head);
    for (size_t i = from; i < to; i++) {
        struct slot s = {b->list[i].hash, (uint32_t)at};
        struct span row = row_of(b, &b->list[i], &address);

        memcpy((char *)v.mv_data + BUCKET_HEAD + (i - from) * sizeof s, &s, sizeof s);
        memcpy((char *)v.mv_data + rows + at, row.p, row.n);
        at += row.n;
    }
    return 0;
}

static int
put_buckets(struct mirror *m, const struct bulk *b, MDB_cursor *c)
{
    size_t from = 0, size = BUCKET_HEAD;
    struct span address;

    for (size_t i = 0; i < b->n; i++) {
        size_t n = sizeof(struct slot) + row_of(b, &b->list[i], &address).n;

        /* Claims with one hash stay together, whatever room they take. */
        if (size + n > FILL && i > from && b->list[i].hash != b->list[i - 1].hash) {
            if (put_bucket(m, b, from, i, b->list[i - 1].hash, c) < 0)
                return -1;
            from = i;
            size = BUCKET_HEAD;
        }
        size += n;
    }
    return from < b->n ? put_bucket(m, b, from, b->n, HASH_LAST, c) : 0;
}

int
mirror_bulk_end(struct mirror *m)
{
    struct bulk *b = m->bulk;
    MDB_cursor *c;
    int rc;

    if (!b)
        return 0;
    m->bulk = NULL; /* from here on claims are written as they come */
    rc = mdb_cursor_open(m->wtxn, m->dbi[T_ADDR], &c);
    if (rc) {
        mirror_fail(m, rc, "fill");
    } else {
        rc = sort_claims(m, b) < 0 ? -1 : put_buckets(m, b, c);
        mdb_cursor_close(c);
    }
    if (!rc)
        rc = mirror_meta_put(m, "bulk", NULL, 0);
    m->bulk = b;
    mirror_bulk_drop(m);
    return rc ? -1 : 0;
}

int
mirror_bulk_commit(struct mirror *m)
{
    return m->bulk && m->bulk->n > 0 && m->bulk->n < BULK_FEW ? mirror_bulk_end(m) : 0;
}
