/* SPDX-License-Identifier: BSD-2-Clause */
/* mirror: a first fill is written at its end, whole, or begun anew. */
#include "mirror_rig.h"

static int
count_dup(void *ctx, struct span address, unsigned claims)
{
    unsigned *n = ctx;

    (void)address;
    *n += claims;
    return 0;
}

/* n accounts, each with an alias; every tenth claims one address that all of those claim. */
static void
fill(struct mirror *m, int n)
{
    char dn[128], mail[64], alias[64];

    for (int i = 0; i < n; i++) {
        snprintf(dn, sizeof dn, "uid=u%d,dc=a.example,ou=domains,o=corp", i);
        snprintf(mail, sizeof mail, "u%d@a.example", i);
        snprintf(alias, sizeof alias, "x%d@a.example", i % 10 ? i : 0);
        put(m, 1000 + (unsigned)i, KIND_ACCOUNT, (uint64_t)(n - i), dn,
            ITEMS({TAG_MAIL, mail}, {TAG_ALIAS, alias}), "");
    }
}

static int
count_found(struct mirror *m, int n)
{
    struct mirror_claim c;
    char mail[64];
    int found = 0;

    for (int i = 0; i < n; i++) {
        snprintf(mail, sizeof mail, "u%d@a.example", i);
        found += mirror_claim(m, span_of(mail), &c) == 1;
    }
    return found;
}

/* A first fill is written in one go at its end, in whatever transactions it comes. */
static void
test_first_fill(void)
{
    enum { N = 20000 };
    struct mirror *m = fresh("fill");
    struct mirror_info info;
    struct mirror_claim c;
    char dir[128], error[256];
    unsigned dups = 0;

    mirror_write_commit(m); /* the base alone */
    mirror_write_begin(m);
    fill(m, N / 2);
    mirror_write_commit(m);
    mirror_write_begin(m);
    fill(m, N); /* the first half once more */
    mirror_set_complete(m, 1);
    mirror_write_commit(m);
    mirror_begin(m);
    is_int(count_found(m, N), N, "every address is found after a first fill");
    mirror_claim(m, span_of("x0@a.example"), &c);
    ok(memcmp(c.uuid, id(1000 + N - 10), UUID_LEN) == 0, "the oldest of many claims wins");
    mirror_each_dup(m, count_dup, &dups);
    is_int(dups, N / 10, "and they are counted");
    mirror_info(m, &info);
    is_int((long long)info.addresses, 2 * N, "as are the addresses");
    mirror_end(m);
    mirror_close(&m);

    m = fresh("killed");
    fill(m, N);
    mirror_write_commit(m);
    mirror_close(&m); /* killed before the claims were written */
    snprintf(dir, sizeof dir, "%s/killed", top);
    m = mirror_open_writer(dir, MIB, error, sizeof error);
    mirror_write_begin(m);
    mirror_info(m, &info);
    is_int((long long)info.entries, 0, "a fill that was not ended is begun anew");
    mirror_set_base(m, span_of("o=corp"));
    fill(m, N);
    mirror_set_complete(m, 1);
    is_int(count_found(m, N), N, "and then is whole");
    mirror_close(&m);
}

int
main(void)
{
    if (rig_up() < 0)
        return 1;
    test_first_fill();
    rig_down();
    return tap_done();
}
