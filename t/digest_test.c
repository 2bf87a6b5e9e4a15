/* SPDX-License-Identifier: BSD-2-Clause */
/* digest: equal content, equal sum; anything that routes, another sum. */
#include "digest.h"
#include "t/build.h"
#include "t/tap.h"

static unsigned char buf[65536], large[RECORD_MAX];
static const unsigned char uuid_a[UUID_LEN] = "0123456789abcde",
                           uuid_b[UUID_LEN] = "fedcba987654321";

static const char *
hex(const struct digest *d)
{
    static char out[4][2 * DIGEST_LEN + 1];
    static int i;

    i = (i + 1) % 4;
    digest_hex(d, out[i]);
    return out[i];
}

static struct digest
one(const unsigned char *uuid, struct record r)
{
    struct digest d = {0};

    digest_update(&d, uuid, &r, +1);
    return d;
}

static int
same(struct digest a, struct digest b)
{
    return memcmp(a.lane, b.lane, sizeof a.lane) == 0;
}

#define RECORD(kind, state, ...) record_of(buf, kind, state, __VA_ARGS__, NULL)

static void
test_what_counts(void)
{
    struct digest d =
        one(uuid_a, RECORD(KIND_ACCOUNT, STATE_ACTIVE, "mail=a@a.example", "home=hebei"));
    struct record r;

    /* sha256 over the bytes the file's head names, computed by sha256sum */
    is_str(hex(&d), "544744162dc240704624f6a1cf5c6f6ef1781e78e5cdab80400ec6fa1f681180",
           "the known sum of a known entry");
    ok(same(d, one(uuid_a, RECORD(KIND_ACCOUNT, STATE_ACTIVE, "home=hebei", "mail=a@a.example"))),
       "order of items does not count");
    r = RECORD(KIND_ACCOUNT, STATE_ACTIVE, "home=hebei", "mail=a@a.example");
    record_set_parent(buf, 77);
    buf[8] = 99;
    ok(same(d, one(uuid_a, r)), "parent number and creation time do not count");
    ok(!same(d, one(uuid_b, r)), "the UUID counts");
    ok(!same(d, one(uuid_a, RECORD(KIND_LIST, STATE_ACTIVE, "home=hebei", "mail=a@a.example"))),
       "the kind counts");
    ok(!same(d, one(uuid_a, RECORD(KIND_ACCOUNT, STATE_MOVING, "home=hebei", "mail=a@a.example"))),
       "the state counts");
    ok(!same(d, one(uuid_a, RECORD(KIND_ACCOUNT, STATE_ACTIVE, "home=hebei", "alias=a@a.example"))),
       "the tag counts");
    ok(!same(d, one(uuid_a, RECORD(KIND_ACCOUNT, STATE_ACTIVE, "home=hebe", "mail=ia@a.example"))),
       "where a value ends counts");
    ok(!same(d, one(uuid_a, RECORD(KIND_ACCOUNT, STATE_ACTIVE, "mail=a@a.example"))),
       "a missing item counts");
}

static void
test_sum(void)
{
    struct digest d = {0}, e = {0};
    struct record r = RECORD(KIND_ACCOUNT, STATE_ACTIVE, "mail=a@a.example");

    digest_update(&d, uuid_a, &r, +1);
    digest_update(&d, uuid_b, &r, +1);
    digest_update(&e, uuid_b, &r, +1);
    digest_update(&e, uuid_a, &r, +1);
    ok(same(d, e), "order of entries does not count");
    is_int((long long)d.count, 2, "entries are counted");
    digest_update(&d, uuid_a, &r, -1);
    ok(same(d, one(uuid_b, r)), "an entry can be taken out again");
    digest_update(&d, uuid_b, &r, -1);
    is_str(hex(&d), "0000000000000000000000000000000000000000000000000000000000000000",
           "and what is left of nothing is nothing");
    is_int((long long)d.count, 0, "no entry left");
}

/* n members, each step-th of them first; step and n have no common divisor. */
static struct record
many(unsigned n, unsigned step)
{
    struct record_builder b;
    struct record r = {0};
    char text[32];

    record_begin(&b, large, sizeof large, KIND_LIST, STATE_UNSET, 0);
    for (unsigned i = 0; i < n; i++) {
        unsigned k = (unsigned)((uint64_t)i * step % n);

        snprintf(text, sizeof text, "member%u@a.example", k);
        record_add(&b, TAG_MEMBER, span_of(text));
    }
    if (record_end(&b, &r) < 0)
        abort();
    return r;
}

static void
test_many(void)
{
    static const unsigned counts[] = {2, 15, 16, 17, 100, 1000, 4095, 4096};
    struct digest d;

    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        unsigned n = counts[i];

        d = one(uuid_a, many(n, 1));
        ok(same(d, one(uuid_a, many(n, n - 1))), "%u items forwards and backwards", n);
    }
    d = one(uuid_a, many(4096, 1));
    ok(same(d, one(uuid_a, many(4096, 1237))), "4,096 items, stirred");
    d = one(uuid_a, many(4097, 1));
    ok(same(d, one(uuid_a, many(4097, 4096))), "4,097 items forwards and backwards");
    d = one(uuid_a, many(50000, 1));
    ok(same(d, one(uuid_a, many(50000, 1237))), "50,000 items, stirred");
    ok(!same(d, one(uuid_a, many(49999, 1))), "each of them counts");
}

/* Values that begin alike, in every order: what follows a value must not be compared. */
static void
test_prefixes(void)
{
    static const char *const v[3] = {"deny=a", "deny=ab", "deny=abc"};
    static const int order[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                    {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    struct digest d = {0}, e;

    for (int i = 0; i < 6; i++) {
        const int *o = order[i];

        e = one(uuid_a, RECORD(KIND_ACCOUNT, STATE_ACTIVE, v[o[0]], "mail=x", v[o[1]], v[o[2]]));
        if (i == 0)
            d = e;
        ok(same(d, e), "values that begin alike, order %d", i);
    }
}

int
main(void)
{
    test_what_counts();
    test_sum();
    test_many();
    test_prefixes();
    return tap_done();
}
