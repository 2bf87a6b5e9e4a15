/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mirror_addr: who claims an address, in a table made for one thing: that a lookup
 * among millions touches as little cold memory as possible.
 *
 * Claims stand in buckets by the hash of their address. A bucket's key is the highest
 * hash it takes, so the tree above is small and stays in the cache; a bucket fills one
 * page of its own, whose sorted slots lead to the row. A full bucket is split in two.
 * Claims on one address stand in the order of their rows: the best first. The writer
 * builds a bucket anew for each change; readers allocate nothing.
 *
 * The layout stands in mirror_bucket.h.
 */
#include "mirror_store.h"

#include <errno.h>
#include <stdlib.h>

#include "mirror_bucket.h"

struct bucket {
    const unsigned char *p;
    const struct slot *slots;
    const unsigned char *rows;
    uint32_t count, used; /* used: bytes from p on */
};

struct row {
    struct span address, claim;
};

uint32_t
mirror_addr_hash(struct span s)
{
    const uint64_t k = 0x9e3779b97f4a7c15u;
    uint64_t h = s.n * k, word;

    for (; s.n >= 8; s.p += 8, s.n -= 8) {
        memcpy(&word, s.p, 8);
        h = (h ^ word) * k;
        h ^= h >> 32;
    }
    word = 0;
    memcpy(&word, s.n ? s.p : "", s.n);
    h = (h ^ word) * k;
    h ^= h >> 29;
    return (uint32_t)((h * k) >> 32);
}

/* --- reading a bucket --- */

static int
bucket_open(struct mirror *m, struct bucket *b, const unsigned char *p, size_t n)
{
    uint32_t head[2] = {0, 0};

    if (n >= BUCKET_HEAD)
        memcpy(head, p, sizeof head);
    if (head[1] < BUCKET_HEAD || head[1] > n ||
        head[0] > (head[1] - BUCKET_HEAD) / sizeof(struct slot))
        return mirror_fail(m, MDB_CORRUPTED, "addr");
    b->p = p;
    b->slots = (const struct slot *)(const void *)(p + BUCKET_HEAD);
    b->rows = p + BUCKET_HEAD + head[0] * sizeof(struct slot);
    b->count = head[0];
    b->used = head[1];
    return 0;
}

/* 0, or -1 when the row is not inside the bucket. */
static int
bucket_row(const struct bucket *b, uint32_t i, struct row *r)
{
    size_t room = b->used - (size_t)(b->rows - b->p), at = b->slots[i].offset;
    uint16_t n[2];

    if (at + ROW_HEAD > room)
        return -1;
    memcpy(n, b->rows + at, sizeof n);
    if (at + ROW_HEAD + n[0] + n[1] > room)
        return -1;
    r->address = (struct span){(const char *)b->rows + at + ROW_HEAD, n[0]};
    r->claim = (struct span){r->address.p + n[0], n[1]};
    return 0;
}

/* The first slot whose hash is not below h: eight slots, a cache line, at a time. */
static uint32_t
bucket_seek(const struct bucket *b, uint32_t h)
{
    uint32_t i = 0;

    while (i + 8 <= b->count && b->slots[i + 7].hash < h)
        i += 8;
    while (i < b->count && b->slots[i].hash < h)
        i++;
    return i;
}

/* The next claim on address from slot *i on: 1 and *i its slot, 0 none, -1 broken. */
static int
bucket_next(const struct bucket *b, uint32_t h, struct span address, uint32_t *i, struct row *r)
{
    for (; *i < b->count && b->slots[*i].hash == h; ++*i) {
        if (bucket_row(b, *i, r) < 0)
            return -1;
        if (span_same(r->address, address))
            return 1;
    }
    return 0;
}

/* The cursor of the transaction at hand: kept between lookups, as the transaction is. */
static MDB_cursor *
addr_cursor(struct mirror *m)
{
    MDB_txn *txn = mirror_txn(m);
    MDB_cursor **c = m->wtxn ? &m->addr_wcursor : &m->addr_cursor;
    int rc = 0;

    if (!txn) {
        mirror_fail(m, MDB_BAD_TXN, "read outside a transaction");
        return NULL;
    }
    if (!*c)
        rc = mdb_cursor_open(txn, m->dbi[T_ADDR], c);
    else if (!m->wtxn && m->addr_stale)
        rc = mdb_cursor_renew(txn, *c);
    if (rc) {
        mirror_fail(m, rc, "addr");
        return NULL;
    }
    if (!m->wtxn)
        m->addr_stale = 0;
    return *c;
}

/* The bucket for hash h, and its key: 1, 0 there is none, -1. */
static int
bucket_find(struct mirror *m, uint32_t h, uint32_t *key, struct bucket *b)
{
    MDB_cursor *c;
    MDB_val k = {sizeof h, &h}, v;
    int rc;

    if (m->wtxn && mirror_bulk_end(m) < 0)
        return -1;
    c = addr_cursor(m);
    if (!c)
        return -1;
    rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
    if (rc == MDB_NOTFOUND)
        return 0;
    if (rc || k.mv_size != sizeof *key)
        return mirror_fail(m, rc ? rc : MDB_CORRUPTED, "addr");
    memcpy(key, k.mv_data, sizeof *key);
    return bucket_open(m, b, v.mv_data, v.mv_size) < 0 ? -1 : 1;
}

int
mirror_claim(struct mirror *m, struct span address, struct mirror_claim *out)
{
    uint32_t h = mirror_addr_hash(address), key, i;
    struct bucket b;
    struct row r;
    MDB_val v;
    int found = bucket_find(m, h, &key, &b);

    if (found != 1)
        return found;
    i = bucket_seek(&b, h);
    found = bucket_next(&b, h, address, &i, &r);
    if (found < 0)
        return mirror_fail(m, MDB_CORRUPTED, "addr");
    v = (MDB_val){r.claim.n, (void *)r.claim.p};
    if (found == 1)
        mirror_claim_decode(&v, out);
    return found;
}

void
mirror_each_claim(struct mirror *m, struct span address,
                  int (*fn)(void *, const struct mirror_claim *), void *ctx)
{
    uint32_t h = mirror_addr_hash(address), key, i;
    struct mirror_claim claim;
    struct bucket b;
    struct row r;

    if (bucket_find(m, h, &key, &b) != 1)
        return;
    for (i = bucket_seek(&b, h); bucket_next(&b, h, address, &i, &r) == 1; i++) {
        MDB_val v = {r.claim.n, (void *)r.claim.p};

        mirror_claim_decode(&v, &claim);
        if (fn(ctx, &claim))
            return;
    }
}

int
mirror_next_addresses(struct mirror *m, uint64_t *at, int (*fn)(void *, struct span), void *ctx)
{
    struct span last = {NULL, 0};
    struct bucket b;
    struct row r;
    uint32_t key;
    int found = *at > HASH_LAST ? 0 : bucket_find(m, (uint32_t)*at, &key, &b);

    if (found != 1)
        return found;
    for (uint32_t i = 0; i < b.count; i++) {
        if (bucket_row(&b, i, &r) < 0)
            return mirror_fail(m, MDB_CORRUPTED, "addr");
        if (span_same(r.address, last))
            continue;
        last = r.address;
        if (fn(ctx, last))
            break;
    }
    *at = (uint64_t)key + 1;
    return 1;
}

/* --- writing --- */

/* Room for n bytes in one of the writer's buffers, which outlive the pages they are made from. */
static unsigned char *
scratch(struct mirror *m, int which, size_t n)
{
    unsigned char *p = m->addr_scratch[which];

    if (n > m->addr_scratch_n[which]) {
        p = realloc(p, n * 2);
        if (!p) {
            mirror_fail(m, ENOMEM, "addr");
            return NULL;
        }
        m->addr_scratch[which] = p;
        m->addr_scratch_n[which] = n * 2;
    }
    return p;
}

static void
put_head(unsigned char *p, uint32_t count, size_t used)
{
    uint32_t head[2] = {count, (uint32_t)used};

    memcpy(p, head, sizeof head);
}

static int
bucket_put(struct mirror *m, uint32_t key, const struct bucket *b)
{
    MDB_val k = {sizeof key, &key}, v = {b->used, (void *)b->p};
    int rc;

    if (b->used < BUCKET_MIN) {
        unsigned char *p = scratch(m, SCRATCH_PUT, BUCKET_MIN);

        if (!p)
            return -1;
        memcpy(p, b->p, b->used);
        memset(p + b->used, 0, BUCKET_MIN - b->used);
        v = (MDB_val){BUCKET_MIN, p};
    }
    rc = mdb_cursor_put(m->addr_wcursor, &k, &v, 0);
    return rc ? mirror_fail(m, rc, "addr") : 0;
}

/* The claims from..to of b as a bucket of their own, in a buffer. */
static int
bucket_part(struct mirror *m, const struct bucket *b, uint32_t from, uint32_t to, int which,
            struct bucket *out)
{
    uint32_t count = to - from;
    size_t rows = BUCKET_HEAD + count * sizeof(struct slot), at = 0;
    unsigned char *p = scratch(m, which, b->used);
    struct row r;

    if (!p)
        return -1;
    for (uint32_t i = from; i < to; i++) {
        struct slot s = {b->slots[i].hash, (uint32_t)at};
        size_t n;

        if (bucket_row(b, i, &r) < 0)
            return mirror_fail(m, MDB_CORRUPTED, "addr");
        n = ROW_HEAD + r.address.n + r.claim.n;
        memcpy(p + BUCKET_HEAD + (i - from) * sizeof s, &s, sizeof s);
        memcpy(p + rows + at, b->rows + b->slots[i].offset, n);
        at += n;
    }
    put_head(p, count, rows + at);
    return bucket_open(m, out, p, rows + at);
}

/* Where to split b: between two hashes, near the middle; 0 when all claims have one hash. */
static uint32_t
bucket_middle(const struct bucket *b)
{
    uint32_t up = b->count / 2, down = up;

    while (up < b->count && up > 0 && b->slots[up].hash == b->slots[up - 1].hash)
        up++;
    while (down > 0 && b->slots[down].hash == b->slots[down - 1].hash)
        down--;
    return up < b->count ? up : down;
}

/* Store b, in two halves when it has outgrown its page. */
static int
bucket_store(struct mirror *m, uint32_t key, const struct bucket *b)
{
    uint32_t middle = b->used > BUCKET_FULL ? bucket_middle(b) : 0;
    struct bucket low, high;

    if (middle == 0)
        return bucket_put(m, key, b);
    if (bucket_part(m, b, 0, middle, SCRATCH_LOW, &low) < 0 ||
        bucket_part(m, b, middle, b->count, SCRATCH_HIGH, &high) < 0)
        return -1;
    return bucket_put(m, key, &high) < 0 ? -1 : bucket_put(m, b->slots[middle - 1].hash, &low);
}

/* b with one claim more, as slot i, in a buffer. */
static int
bucket_insert(struct mirror *m, const struct bucket *b, uint32_t i, uint32_t hash,
              const struct row *r, struct bucket *out)
{
    size_t slots = i * sizeof(struct slot), all = b->count * sizeof(struct slot);
    size_t rows = b->used - BUCKET_HEAD - all, n = ROW_HEAD + r->address.n + r->claim.n;
    uint16_t lengths[2] = {(uint16_t)r->address.n, (uint16_t)r->claim.n};
    struct slot s = {hash, (uint32_t)rows};
    unsigned char *start = scratch(m, SCRATCH_WHOLE, b->used + sizeof s + n), *p = start;

    if (!p)
        return -1;
    put_head(p, b->count + 1, b->used + sizeof s + n);
    p += BUCKET_HEAD;
    memcpy(p, b->p + BUCKET_HEAD, slots);
    memcpy(p + slots, &s, sizeof s);
    memcpy(p + slots + sizeof s, b->p + BUCKET_HEAD + slots, all - slots);
    p += all + sizeof s;
    memcpy(p, b->rows, rows);
    p += rows;
    memcpy(p, lengths, sizeof lengths);
    memcpy(p + ROW_HEAD, r->address.p, r->address.n);
    memcpy(p + ROW_HEAD + r->address.n, r->claim.p, r->claim.n);
    return bucket_open(m, out, start, b->used + sizeof s + n);
}

/* The bucket that takes hash h; an empty one when there is none yet. 0, or -1. */
static int
bucket_for(struct mirror *m, uint32_t h, uint32_t *key, struct bucket *b)
{
    static const uint32_t empty[2] = {0, BUCKET_HEAD};
    int found = bucket_find(m, h, key, b);

    if (found != 0)
        return found < 0 ? -1 : 0;
    *key = HASH_LAST;
    return bucket_open(m, b, (const unsigned char *)empty, sizeof empty);
}

/*
 * Look through the claims on address: how many there are, where claim stands or belongs. 1 it is
 * there, 0 it is not, -1.
 */
static int
bucket_place(struct mirror *m, const struct bucket *b, uint32_t h, const struct row *wanted,
             uint32_t *place, unsigned *claims)
{
    uint32_t i = bucket_seek(b, h);
    struct row r;
    int more, there = 0;

    *place = i;
    *claims = 0;
    for (; (more = bucket_next(b, h, wanted->address, &i, &r)) == 1; i++) {
        size_t n = r.claim.n < wanted->claim.n ? r.claim.n : wanted->claim.n;
        int order = memcmp(r.claim.p, wanted->claim.p, n);

        ++*claims;
        if (span_same(r.claim, wanted->claim)) {
            *place = i;
            there = 1;
        } else if (!there && (order < 0 || (order == 0 && r.claim.n < wanted->claim.n))) {
            *place = i + 1;
        }
    }
    return more < 0 ? mirror_fail(m, MDB_CORRUPTED, "addr") : there;
}

int
mirror_addr_add(struct mirror *m, struct span address, struct span claim, unsigned *claims_r)
{
    const struct row r = {address, claim};
    uint32_t h = mirror_addr_hash(address), key, i;
    struct bucket b, grown;
    int there;

    if (m->bulk) {
        m->addresses++;
        *claims_r = 1;
        return mirror_bulk_add(m, address, claim);
    }
    if (bucket_for(m, h, &key, &b) < 0)
        return -1;
    there = bucket_place(m, &b, h, &r, &i, claims_r);
    if (there != 0)
        return there < 0 ? -1 : 0;
    ++*claims_r;
    m->addresses++;
    return bucket_insert(m, &b, i, h, &r, &grown) < 0 ? -1 : bucket_store(m, key, &grown);
}

/* b without slot i, in a buffer. */
static int
bucket_remove(struct mirror *m, const struct bucket *b, uint32_t i, struct bucket *out)
{
    struct bucket low, high;
    unsigned char *p;
    size_t rows_low, rows_high, slots;

    if (bucket_part(m, b, 0, i, SCRATCH_LOW, &low) < 0 ||
        bucket_part(m, b, i + 1, b->count, SCRATCH_HIGH, &high) < 0)
        return -1;
    slots = (size_t)(low.count + high.count) * sizeof(struct slot);
    rows_low = low.used - BUCKET_HEAD - low.count * sizeof(struct slot);
    rows_high = high.used - BUCKET_HEAD - high.count * sizeof(struct slot);
    p = scratch(m, SCRATCH_WHOLE, b->used);
    if (!p)
        return -1;
    put_head(p, low.count + high.count, BUCKET_HEAD + slots + rows_low + rows_high);
    memcpy(p + BUCKET_HEAD, low.slots, low.count * sizeof(struct slot));
    for (uint32_t k = 0; k < high.count; k++) {
        struct slot s = {high.slots[k].hash, high.slots[k].offset + (uint32_t)rows_low};

        memcpy(p + BUCKET_HEAD + (low.count + k) * sizeof s, &s, sizeof s);
    }
    memcpy(p + BUCKET_HEAD + slots, low.rows, rows_low);
    memcpy(p + BUCKET_HEAD + slots + rows_low, high.rows, rows_high);
    return bucket_open(m, out, p, BUCKET_HEAD + slots + rows_low + rows_high);
}

int
mirror_addr_del(struct mirror *m, struct span address, struct span claim, unsigned *claims_r)
{
    const struct row r = {address, claim};
    uint32_t h = mirror_addr_hash(address), key, i;
    struct bucket b, less;
    int there, rc;

    if (bucket_for(m, h, &key, &b) < 0)
        return -1;
    there = bucket_place(m, &b, h, &r, &i, claims_r);
    if (there != 1)
        return there;
    --*claims_r;
    m->addresses--;
    if (bucket_remove(m, &b, i, &less) < 0)
        return -1;
    if (less.count > 0 || key == HASH_LAST)
        return bucket_put(m, key, &less);
    rc = mdb_cursor_del(m->addr_wcursor, 0); /* the next bucket takes its hashes over */
    return rc ? mirror_fail(m, rc, "addr") : 0;
}

void
mirror_addr_forget(struct mirror *m)
{
    if (m->addr_wcursor)
        mdb_cursor_close(m->addr_wcursor);
    m->addr_wcursor = NULL;
}

void
mirror_addr_close(struct mirror *m)
{
    if (m->addr_cursor)
        mdb_cursor_close(m->addr_cursor);
    m->addr_cursor = NULL;
    for (int i = 0; i < SCRATCH_N; i++) {
        free(m->addr_scratch[i]);
        m->addr_scratch[i] = NULL;
        m->addr_scratch_n[i] = 0;
    }
}
