/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * digest: an order-free sum over entries, one SHA-256 for each.
 *
 * Promises: equal content gives an equal sum at every site, whatever order the
 * provider sent entries and values in; adding and taking out an entry leaves the
 * sum as it was. Must not: allocate; sorting happens in an array on the stack.
 *
 * Hashed: UUID, kind u8, state u8, then each item as tag u8, length u16 LE, bytes, sorted; of
 * more than 4,096 items the sum of their hashes instead.
 */
#include "digest.h"

#include <nettle/sha2.h>
#include <string.h>

#define SORT_MAX 4096

struct item {
    const char *p;
    uint16_t n;
    uint8_t tag;
};

static int
item_before(const struct item *a, const struct item *b)
{
    int c;

    if (a->tag != b->tag)
        return a->tag < b->tag;
    c = memcmp(a->p, b->p, a->n < b->n ? a->n : b->n);
    return c != 0 ? c < 0 : a->n < b->n;
}

/* Shell sort: a plain insertion sort for the few items of most records. */
static void
items_sort(struct item *v, size_t n)
{
    static const size_t gaps[] = {1750, 701, 301, 132, 57, 23, 10, 4, 1};

    for (size_t g = n < 16 ? 8 : 0; g < sizeof gaps / sizeof *gaps; g++) {
        for (size_t i = gaps[g]; i < n; i++) {
            struct item x = v[i];
            size_t j = i;

            for (; j >= gaps[g] && item_before(&x, &v[j - gaps[g]]); j -= gaps[g])
                v[j] = v[j - gaps[g]];
            v[j] = x;
        }
    }
}

static void
item_hash(struct sha256_ctx *ctx, const struct item *it)
{
    uint8_t head[3] = {it->tag, (uint8_t)it->n, (uint8_t)(it->n >> 8)};

    sha256_update(ctx, sizeof head, head);
    sha256_update(ctx, it->n, (const uint8_t *)it->p);
}

static int
item_next(const struct record *r, size_t *pos, struct item *it)
{
    enum record_tag tag;
    struct span value;

    if (!record_next(r, pos, &tag, &value))
        return 0;
    *it = (struct item){value.p, (uint16_t)value.n, (uint8_t)tag};
    return 1;
}

static void
lanes_add(uint64_t lane[4], const uint8_t hash[DIGEST_LEN], int sign)
{
    for (unsigned i = 0; i < 4; i++) {
        uint64_t v = 0;

        for (unsigned k = 0; k < 8; k++)
            v = v << 8 | hash[8 * i + k];
        lane[i] += sign < 0 ? -v : v;
    }
}

/* Too many to be sorted: the sum of one hash for each. */
static void
many_hash(struct sha256_ctx *ctx, const struct record *r)
{
    uint8_t hash[DIGEST_LEN];
    uint64_t sum[4] = {0};
    struct sha256_ctx one;
    struct item it;
    size_t pos = 0;

    while (item_next(r, &pos, &it)) {
        sha256_init(&one);
        item_hash(&one, &it);
        sha256_digest(&one, DIGEST_LEN, hash);
        lanes_add(sum, hash, 1);
    }
    for (unsigned i = 0; i < DIGEST_LEN; i++)
        hash[i] = (uint8_t)(sum[i / 8] >> (56 - 8 * (i % 8)));
    sha256_update(ctx, DIGEST_LEN, hash);
}

static void
entry_hash(const unsigned char uuid[UUID_LEN], const struct record *r, uint8_t out[DIGEST_LEN])
{
    struct item items[SORT_MAX], beyond;
    struct sha256_ctx ctx;
    uint8_t head[2] = {(uint8_t)record_kind(r), (uint8_t)record_state(r)};
    size_t n = 0, pos = 0;

    sha256_init(&ctx);
    sha256_update(&ctx, UUID_LEN, uuid);
    sha256_update(&ctx, sizeof head, head);
    while (n < SORT_MAX && item_next(r, &pos, &items[n]))
        n++;
    if (n == SORT_MAX && item_next(r, &pos, &beyond)) {
        many_hash(&ctx, r);
    } else {
        items_sort(items, n);
        for (size_t i = 0; i < n; i++)
            item_hash(&ctx, &items[i]);
    }
    sha256_digest(&ctx, DIGEST_LEN, out);
}

void
digest_update(struct digest *d, const unsigned char uuid[UUID_LEN], const struct record *r,
              int sign)
{
    uint8_t hash[DIGEST_LEN];

    entry_hash(uuid, r, hash);
    lanes_add(d->lane, hash, sign);
    d->count += sign < 0 ? (uint64_t)-1 : 1;
}

int
digest_domain(const struct record *r, struct span *domain_r)
{
    struct span s = {NULL, 0};
    const char *at;

    if (record_kind(r) == KIND_OTHER)
        return 0;
    if (record_find(r, TAG_MAIL, &s)) {
        at = memrchr(s.p, '@', s.n);
        s.n = at ? (size_t)(s.p + s.n - at) - 1 : 0;
        s.p = at ? at + 1 : NULL;
    } else if (record_kind(r) == KIND_DOMAIN) {
        record_find(r, TAG_DOMAIN, &s);
    }
    *domain_r = s;
    return 1;
}

void
digest_hex(const struct digest *d, char out[2 * DIGEST_LEN + 1])
{
    static const char hex[] = "0123456789abcdef";

    for (unsigned i = 0; i < 2 * DIGEST_LEN; i++)
        out[i] = hex[d->lane[i / 16] >> (60 - 4 * (i % 16)) & 15];
    out[2 * DIGEST_LEN] = '\0';
}

void
digest_bytes(struct span s, char out[2 * DIGEST_LEN + 1])
{
    static const char hex[] = "0123456789abcdef";
    struct sha256_ctx ctx;
    uint8_t hash[DIGEST_LEN];

    sha256_init(&ctx);
    sha256_update(&ctx, s.n, (const uint8_t *)s.p);
    sha256_digest(&ctx, DIGEST_LEN, hash);
    for (unsigned i = 0; i < DIGEST_LEN; i++) {
        out[2 * i] = hex[hash[i] >> 4];
        out[2 * i + 1] = hex[hash[i] & 15];
    }
    out[2 * DIGEST_LEN] = '\0';
}
