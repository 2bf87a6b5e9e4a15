/* SPDX-License-Identifier: BSD-2-Clause */
/* account: what goes into a record comes out again; what is no record is refused. */
#include "account.h"
#include "t/tap.h"

#include <stdlib.h>

static unsigned char buf[RECORD_MAX + 16];

static struct record
sample(void)
{
    struct record_builder b;
    struct record r;

    record_begin(&b, buf, sizeof buf, KIND_ACCOUNT, STATE_SUSPENDED, 0x0102030405060708);
    record_add(&b, TAG_RDN, span_of("uid=alice"));
    record_add(&b, TAG_MAIL, span_of("alice@a.example"));
    record_add(&b, TAG_ALIAS, span_of("al@a.example"));
    record_add(&b, TAG_ALIAS, span_of(""));
    record_add(&b, (enum record_tag)200, span_of("of a newer version"));
    record_add(&b, TAG_HOME, span_of("hebei"));
    if (record_end(&b, &r) < 0)
        exit(1);
    return r;
}

static void
test_round_trip(void)
{
    struct record r = sample();
    enum record_tag tag;
    struct span v;
    size_t pos = 0, items = 0, aliases = 0;

    is_int(record_check(r.p, r.n), 0, "what the builder made is a record");
    is_int(record_kind(&r), KIND_ACCOUNT, "kind");
    is_int(record_state(&r), STATE_SUSPENDED, "state");
    ok(record_created(&r) == 0x0102030405060708, "created, all eight bytes");
    is_int(record_parent(&r), 0, "no parent yet");
    record_set_state(buf, STATE_MOVING);
    is_int(record_state(&r), STATE_MOVING, "state set in place");
    record_set_state(buf, STATE_SUSPENDED);
    record_set_parent(buf, 0xfedcba98);
    ok(record_parent(&r) == 0xfedcba98, "parent set in place");
    ok(record_created(&r) == 0x0102030405060708 && record_state(&r) == STATE_SUSPENDED,
       "setting the parent touches nothing else");
    while (record_next(&r, &pos, &tag, &v)) {
        items++;
        aliases += tag == TAG_ALIAS;
    }
    is_int((long long)items, 6, "all items walked, an unknown tag included");
    is_int((long long)aliases, 2, "a repeated tag comes as often as it was added");
    is_int(record_next(&r, &pos, &tag, &v), 0, "the end stays the end");
    ok(record_find(&r, TAG_ALIAS, &v) == 1 && span_same(v, span_of("al@a.example")),
       "find gives the first");
    ok(record_find(&r, TAG_HOME, &v) == 1 && span_same(v, span_of("hebei")), "find the last item");
    ok(record_find(&r, TAG_STANDBY, &v) == 0 && v.n == 0, "find what is not there");
}

static void
test_bytes(void)
{
    static const unsigned char want[] = {1, 1, 2, 0, 0, 0, 0, 0, 8, 7,
                                         6, 5, 4, 3, 2, 1, 1, 9, 0, 'u'};
    struct record r = sample();

    ok(memcmp(r.p, want, sizeof want) == 0, "layout as the header says, little-endian");
}

/* Every shortened copy is refused, unless it ends exactly between two items. */
static void
test_truncated(void)
{
    struct record r = sample();
    int good = 0, bad = 0;

    for (size_t n = 0; n < r.n; n++) {
        unsigned char *copy = malloc(n ? n : 1); /* exact, so that a sanitizer sees a read beyond */

        if (copy == NULL)
            exit(1);
        memcpy(copy, r.p, n);
        if (record_check(copy, n) == 0)
            good++;
        else
            bad++;
        free(copy);
    }
    is_int(good, 6, "cut between items: a shorter record");
    is_int(bad, (long long)r.n - 6, "cut anywhere else: refused");
}

static void
refused(size_t at, int value, const char *what)
{
    struct record r = sample();

    buf[at] = (unsigned char)value;
    is_int(record_check(r.p, r.n), -1, what);
}

static void
test_refused(void)
{
    struct record r;

    refused(0, RECORD_VERSION + 1, "another version is refused");
    refused(0, 0, "version 0 is refused");
    refused(1, KIND_NONE, "no kind is refused");
    r = sample();
    buf[1] = KIND_LAST;
    buf[2] = STATE_LAST;
    is_int(record_check(r.p, r.n), 0, "the last kind and state are good");
    refused(1, KIND_LAST + 1, "an unknown kind is refused");
    refused(2, STATE_LAST + 1, "an unknown state is refused");
    refused(3, 1, "a set spare byte is refused");
    refused(16, 0, "tag 0 is refused");
    refused(18, 0xff, "a length beyond the end is refused");
    r = sample();
    is_int(record_check(r.p, RECORD_MAX + 1u), -1, "longer than any record is refused");
    is_int(record_check(NULL, 0), -1, "nothing is no record");
}

static int
fits(size_t cap, size_t value, struct record *r)
{
    static char big[70000];
    unsigned char *exact = malloc(cap ? cap : 1);
    struct record_builder b;
    int rc;

    if (exact == NULL)
        exit(1);
    record_begin(&b, exact, cap, KIND_LIST, STATE_UNSET, 0);
    record_add(&b, TAG_NAME, (struct span){big, value});
    record_add(&b, TAG_NAME, (struct span){NULL, 0});
    rc = record_end(&b, r);
    free(exact);
    return rc;
}

static void
test_full(void)
{
    struct record r = {NULL, 77};
    struct record_builder b;
    static char big[65535];
    int n = 0;

    memset(buf, 0xff, RECORD_HEADER);
    record_begin(&b, buf, RECORD_HEADER, KIND_OTHER, STATE_UNSET, 0);
    ok(record_end(&b, &r) == 0 && record_check(r.p, r.n) == 0, "a header alone, over old bytes");
    is_int(fits(32, 10, &r), 0, "exactly full fits");
    is_int((long long)r.n, 32, "and has that length");
    is_int(fits(31, 10, &r), -1, "one byte too few does not");
    is_int(fits(15, 0, &r), -1, "no room for the header");
    is_int(fits(0, 0, &r), -1, "no room at all");
    is_int(fits(80000, 65535, &r), 0, "a value of 65,535 bytes fits");
    is_int(fits(80000, 65536, &r), -1, "one of 65,536 does not");
    record_begin(&b, buf, sizeof buf, KIND_LIST, STATE_UNSET, 0);
    for (; !b.full; n++)
        record_add(&b, TAG_MEMBER, (struct span){big, sizeof big});
    is_int(record_end(&b, &r), -1, "never longer than RECORD_MAX, however large the buffer");
    is_int(n, RECORD_MAX / (sizeof big + 3) + 1, "and not shorter than need be");
}

static void
test_words(void)
{
    for (int s = STATE_ACTIVE; s <= STATE_LAST; s++)
        is_int(record_state_parse(span_of(record_state_word((enum record_state)s))), s,
               record_state_word((enum record_state)s));
    is_int(record_state_parse(span_of("Moving")), STATE_MOVING, "states are words without case");
    is_int(record_state_parse(span_of("ACTIVE")), STATE_ACTIVE, "all of them");
    is_int(record_state_parse(span_of("bctive")), -1, "another first letter is another word");
    is_int(record_state_parse(span_of("activ")), -1, "a shortened state is unknown");
    is_int(record_state_parse(span_of("activex")), -1, "a longer one too");
    is_int(record_state_parse(span_of("")), -1, "the empty one too");
    is_int(record_state_parse((struct span){NULL, 0}), -1, "and none");
    is_str(record_state_word(STATE_UNSET), "", "unset has no word");
    is_str(record_kind_word(KIND_SERVER), "server", "kind word");
    is_str(record_kind_word(KIND_LAST), "other", "the last kind");
    is_str(record_kind_word((enum record_kind)99), "none", "no such kind");
}

int
main(void)
{
    test_round_trip();
    test_bytes();
    test_truncated();
    test_refused();
    test_full();
    test_words();
    return tap_done();
}
