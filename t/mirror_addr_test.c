/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Claims on addresses, many at a time, against a model: buckets split and empty,
 * hundreds claim one address, the best claim wins, and an aborted change leaves
 * nothing behind. Smaller rules are in mirror_test.c.
 */
#include "mirror.h"
#include "tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB     256
#define PEOPLE  3000
#define CROWD   400 /* who claim one address, more than a page holds */
#define ADDRESS 6000

static char top[64];
static unsigned char buf[4096];

static void
id(unsigned n, unsigned char uuid[UUID_LEN])
{
    memset(uuid, 0, UUID_LEN);
    for (int i = 0; i < 4; i++)
        uuid[15 - i] = (unsigned char)(n >> (8 * i));
}

/* Person n has the primary address a, and claims shared as well when that is not NULL. */
static int
put(struct mirror *m, unsigned n, uint64_t created, unsigned a, const char *shared)
{
    unsigned char uuid[UUID_LEN];
    struct record_builder b;
    struct record r;
    char dn[64], mail[64];

    id(n, uuid);
    snprintf(dn, sizeof dn, "uid=%u,o=t", n);
    snprintf(mail, sizeof mail, "person.number.%u@a.example", a);
    record_begin(&b, buf, sizeof buf, KIND_ACCOUNT, STATE_ACTIVE, created);
    record_add(&b, TAG_MAIL, span_of(mail));
    if (shared)
        record_add(&b, TAG_ALIAS, span_of(shared));
    return record_end(&b, &r) < 0 ? -1 : mirror_put(m, uuid, span_of(dn), buf, r.n, "");
}

static int
drop(struct mirror *m, unsigned n)
{
    unsigned char uuid[UUID_LEN];

    id(n, uuid);
    return mirror_delete(m, uuid);
}

/* Who has address a, by the mirror: -1 nobody. */
static long
owner(struct mirror *m, const char *address)
{
    struct mirror_claim c;

    if (mirror_claim(m, span_of(address), &c) != 1)
        return -1;
    return (long)c.uuid[12] << 24 | (long)c.uuid[13] << 16 | (long)c.uuid[14] << 8 | c.uuid[15];
}

static int
count(void *ctx, const struct mirror_claim *c)
{
    (void)c;
    ++*(unsigned *)ctx;
    return 0;
}

static unsigned
claims(struct mirror *m, const char *address)
{
    unsigned n = 0;

    mirror_each_claim(m, span_of(address), count, &n);
    return n;
}

static struct mirror *
fresh(const char *name)
{
    char dir[128], error[256];
    struct mirror *m;

    snprintf(dir, sizeof dir, "%s/%s", top, name);
    mkdir(dir, 0700);
    m = mirror_open_writer(dir, MIB, error, sizeof error);
    if (!m || mirror_write_begin(m) || mirror_set_base(m, span_of("o=t"))) {
        printf("Bail out! %s\n", error);
        exit(1);
    }
    return m;
}

/* The model: which address each person has; the created time is the person's number. */
static unsigned has[PEOPLE];

static long
model_owner(unsigned a)
{
    for (unsigned n = 1; n < PEOPLE; n++)
        if (has[n] == a)
            return (long)n;
    return -1;
}

static int
owners_agree(struct mirror *m)
{
    char mail[64];
    int good = 1;

    for (unsigned a = 1; good && a < ADDRESS; a++) {
        snprintf(mail, sizeof mail, "person.number.%u@a.example", a);
        good = owner(m, mail) == model_owner(a);
        if (!good)
            printf("# %s: %ld, model %ld\n", mail, owner(m, mail), model_owner(a));
    }
    return good;
}

/* For readers: the count is written at the commit. */
static int
agrees(struct mirror *m)
{
    struct mirror_info info;
    unsigned people = 0;

    for (unsigned n = 1; n < PEOPLE; n++)
        people += has[n] != 0;
    return mirror_info(m, &info) == 0 && info.addresses == people && owners_agree(m);
}

static void
test_many(unsigned seed)
{
    struct mirror *m = fresh("many");
    int good = 1;

    srand(seed);
    for (unsigned n = 1; n < PEOPLE; n++) {
        has[n] = n % 10 ? n : n / 10 + 1; /* some claim what others have */
        good = good && put(m, n, n, has[n], NULL) == 0;
    }
    mirror_write_commit(m);
    mirror_begin(m);
    ok(good && agrees(m), "%d claims, spread over many buckets", PEOPLE);
    mirror_end(m);
    for (int round = 0; round < 4; round++) {
        mirror_write_begin(m);
        for (int i = 0; i < 1500; i++) {
            unsigned n = 1 + (unsigned)rand() % (PEOPLE - 1);

            has[n] = rand() % 3 ? 1 + (unsigned)rand() % (ADDRESS - 1) : 0;
            good = good && (has[n] ? put(m, n, n, has[n], NULL) : drop(m, n)) == 0;
        }
        mirror_write_commit(m);
        mirror_begin(m);
        ok(good && agrees(m), "1,500 random changes, seed %u", seed);
        mirror_end(m);
    }
    mirror_write_begin(m);
    for (unsigned n = 1; n < PEOPLE; n++)
        drop(m, n);
    mirror_write_abort(m);
    mirror_begin(m);
    ok(agrees(m), "an aborted change leaves nothing behind");
    mirror_end(m);
    mirror_write_begin(m);
    for (unsigned n = 1; n < PEOPLE; n++) {
        drop(m, n);
        has[n] = 0;
    }
    ok(owners_agree(m), "all deleted, seen by the writer");
    mirror_write_commit(m);
    mirror_begin(m);
    ok(agrees(m), "and by readers");
    mirror_end(m);
    mirror_close(&m);
}

/* More claims on one address than fit in a page: they can't be split. */
static void
test_crowd(void)
{
    struct mirror *m = fresh("crowd");
    struct mirror_info info;
    int good = 1;

    for (unsigned n = CROWD; n >= 1; n--)
        good = good && put(m, n, 1000 + n, n, "wanted@a.example") == 0;
    mirror_write_commit(m);
    mirror_begin(m);
    mirror_info(m, &info);
    ok(good, "%d claim one address", CROWD);
    is_int(owner(m, "wanted@a.example"), 1, "the oldest has it, though it came last");
    is_int(claims(m, "wanted@a.example"), CROWD, "all claims are there");
    is_int((long long)info.dups, 1, "one duplicate address is counted");
    is_int(owner(m, "person.number.77@a.example"), 77, "others are found beside the crowd");
    mirror_end(m);
    mirror_write_begin(m);
    for (unsigned n = 1; n < CROWD; n++)
        drop(m, n);
    is_int(owner(m, "wanted@a.example"), CROWD, "the last one left has it");
    mirror_info(m, &info);
    is_int((long long)info.dups, 0, "and it is no duplicate any more");
    mirror_write_commit(m);
    mirror_close(&m);
}

/* A snapshot that is kept shows nothing newer, and the next one does. */
static void
test_pause(void)
{
    struct mirror *m = fresh("pause"), *reader;
    char dir[128], error[256];

    put(m, 1, 1, 1, NULL);
    mirror_write_commit(m);
    snprintf(dir, sizeof dir, "%s/pause", top);
    reader = mirror_open(dir, MIB, error, sizeof error);
    if (!ok(reader != NULL, "a reader opens"))
        return;
    for (unsigned n = 2; n < 50; n++) {
        char mail[64];

        mirror_begin(reader);
        snprintf(mail, sizeof mail, "person.number.%u@a.example", n);
        if (owner(reader, mail) != -1 || owner(reader, "person.number.1@a.example") != 1)
            break;
        mirror_pause(reader);
        mirror_write_begin(m);
        put(m, n, n, n, NULL);
        mirror_write_commit(m);
        mirror_begin(reader);
        if (owner(reader, mail) != (long)n)
            break;
        mirror_pause(reader);
        if (n == 49)
            ok(1, "what was committed during a pause is seen after it");
        if (n % 3 == 0)
            mirror_end(reader);
    }
    mirror_close(&reader);
    mirror_close(&m);
}

int
main(void)
{
    const char *seed = getenv("POSTROAD_SEED");
    char command[128];

    snprintf(top, sizeof top, "/tmp/postroad-mirror.XXXXXX");
    if (!mkdtemp(top))
        return 1;
    test_many(seed ? (unsigned)atoi(seed) : 20261121);
    test_crowd();
    test_pause();
    snprintf(command, sizeof command, "rm -rf %s", top);
    if (system(command) != 0)
        printf("# %s is left behind\n", top);
    return tap_done();
}
