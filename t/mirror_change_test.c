/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the mirror notes of changed addresses: everything since a number, or that it does not know
 * any more; never less than was changed.
 */
#include "mirror.h"
#include "tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB 64

static char dir[64];
static struct mirror *m;

static void
put(unsigned n, const char *address, const char *alias)
{
    unsigned char uuid[UUID_LEN] = {0xAA}, buf[1024];
    struct record_builder b;
    struct record r;
    char dn[64], rdn[32];

    uuid[14] = (unsigned char)(n >> 8);
    uuid[15] = (unsigned char)n;
    snprintf(rdn, sizeof rdn, "uid=u%u", n);
    snprintf(dn, sizeof dn, "%s,o=corp", rdn);
    record_begin(&b, buf, sizeof buf, KIND_ACCOUNT, STATE_UNSET, 1);
    record_add(&b, TAG_RDN, span_of(rdn));
    record_add(&b, TAG_MAIL, span_of(address));
    if (*alias)
        record_add(&b, TAG_ALIAS, span_of(alias));
    if (record_end(&b, &r) < 0 || mirror_put(m, uuid, span_of(dn), buf, r.n, "") < 0)
        printf("Bail out! %s\n", mirror_error(m));
}

static void
put_many(unsigned from, unsigned n)
{
    char address[64];

    for (unsigned i = from; i < from + n; i++) {
        snprintf(address, sizeof address, "u%u@a.example", i);
        put(i, address, "");
    }
}

struct seen {
    char text[4096];
    unsigned n;
};

static int
see(void *ctx, struct span address)
{
    struct seen *s = ctx;
    size_t used = strlen(s->text);

    s->n++;
    if (used + address.n + 2 < sizeof s->text)
        snprintf(s->text + used, sizeof s->text - used, "%.*s ", (int)address.n, address.p);
    return 0;
}

static uint64_t
next_number(void)
{
    uint64_t next;

    mirror_begin(m);
    next = mirror_change_next(m);
    mirror_end(m);
    return next;
}

/* Changes from a number on: what mirror_each_change says, and which. */
static int
changes(uint64_t from, struct seen *s)
{
    int rc;

    memset(s, 0, sizeof *s);
    mirror_begin(m);
    rc = mirror_each_change(m, from, see, s);
    mirror_end(m);
    return rc;
}

static int
count_entry(void *ctx, const unsigned char uuid[UUID_LEN], const struct record *r)
{
    unsigned *n = ctx;

    (void)uuid;
    (void)r;
    return ++*n % 10 == 0;
}

static void
noted(void)
{
    struct seen s;
    uint64_t first = next_number(), second;

    ok(changes(first, &s) == 1 && s.n == 0, "nothing changed: nothing to be told");
    mirror_write_begin(m);
    put(1, "a@a.example", "b@a.example");
    mirror_write_commit(m);
    ok(changes(first, &s) == 1 && strcmp(s.text, "a@a.example b@a.example ") == 0, "a new entry");
    second = next_number();
    mirror_write_begin(m);
    put(1, "a@a.example", "c@a.example");
    mirror_write_abort(m);
    ok(next_number() == second, "aborted: as if nothing had been");
    mirror_write_begin(m);
    put(1, "a@a.example", "c@a.example");
    mirror_write_commit(m);
    ok(changes(second, &s) == 1 && strstr(s.text, "b@a.example") && strstr(s.text, "c@a.example"),
       "a changed one: old and new addresses");
    ok(changes(first, &s) == 1 && s.n > 4, "from earlier on: all of it");
    mirror_write_begin(m);
    put(1, "a@a.example", "c@a.example");
    mirror_write_commit(m);
    second = next_number();
    ok(changes(second, &s) == 1 && s.n == 0, "the same once more is no change");
    ok(changes(second + 7, &s) == 0, "a number that was never given: look at everything");
}

static void
forgotten(void)
{
    struct seen s;
    uint64_t first = next_number(), second;

    mirror_write_begin(m);
    put_many(100, MIRROR_CHANGES);
    mirror_write_commit(m);
    ok(changes(first, &s) == 1 && s.n == MIRROR_CHANGES, "as many as are kept");
    second = next_number();
    mirror_write_begin(m);
    put_many(10000, 1);
    mirror_write_commit(m);
    ok(changes(first, &s) == 0, "one more: the oldest is not kept");
    ok(changes(first + 1, &s) == 1 && s.n == MIRROR_CHANGES, "but those after it");
    mirror_write_begin(m);
    put_many(20000, MIRROR_CHANGES + 1);
    mirror_write_commit(m);
    ok(changes(second, &s) == 0, "too many at once: look at everything");
    ok(changes(next_number(), &s) == 1, "and from there on");
    first = next_number();
    mirror_note_changes(m, 0);
    mirror_write_begin(m);
    put_many(30000, 1);
    mirror_write_commit(m);
    mirror_note_changes(m, 1);
    ok(changes(first, &s) == 0, "not noted: look at everything");
    first = next_number();
    mirror_write_begin(m);
    mirror_set_base(m, span_of("o=other"));
    mirror_write_commit(m);
    ok(changes(first, &s) == 0 && next_number() > first, "another base: look at everything");
}

static int
see_domain(void *ctx, struct span name)
{
    return see(ctx, name);
}

static void
walked(void)
{
    struct seen s = {"", 0};
    unsigned char after[UUID_LEN];
    uint64_t at = 0;
    unsigned n = 0;

    mirror_begin(m);
    ok(mirror_each_entry(m, NULL, count_entry, &n) == 0 && n == 10,
       "entries: stopped when asked to");
    memset(after, 0xFF, sizeof after);
    ok(mirror_each_entry(m, after, count_entry, &n) == 1 && n == 10, "none above the last");
    while (mirror_next_addresses(m, &at, see, &s) == 1)
        ;
    ok(s.n == MIRROR_CHANGES + 2, "addresses: each of them");
    ok(mirror_each_domain(m, span_of(""), see_domain, &s) == 1, "no domains");
    mirror_end(m);
}

int
main(void)
{
    char error[256], command[128];

    snprintf(dir, sizeof dir, "/tmp/postroad-mirror.XXXXXX");
    if (!mkdtemp(dir) || !(m = mirror_open_writer(dir, MIB, error, sizeof error))) {
        printf("Bail out! no store\n");
        return 1;
    }
    mirror_note_changes(m, 1);
    mirror_write_begin(m);
    mirror_set_base(m, span_of("o=corp"));
    mirror_write_commit(m);
    noted();
    mirror_write_begin(m);
    put_many(40000, MIRROR_CHANGES);
    mirror_write_commit(m);
    walked();
    forgotten();
    mirror_close(&m);
    snprintf(command, sizeof command, "rm -r %s", dir);
    if (system(command) != 0)
        printf("# %s is left over\n", dir);
    return tap_done();
}
