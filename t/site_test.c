/* SPDX-License-Identifier: BSD-2-Clause */
/* site: next hops read, ordered and rendered; sites found by name, host, fingerprint and hop. */
#include "site.h"
#include "t/build.h"
#include "t/tap.h"

static unsigned char buf[65536];
static struct site_table t;

#define SITE(...)   record_of(buf, KIND_SITE, STATE_UNSET, __VA_ARGS__, NULL)
#define SERVER(...) record_of(buf, KIND_SERVER, STATE_UNSET, __VA_ARGS__, NULL)

static struct site *
add(const char *name, struct record r)
{
    return site_table_add(&t, span_of(name), &r);
}

static void
add_server(struct site *s, const char *name, struct record r)
{
    site_add_server(&t, s, span_of(name), &r);
}

static void
test_hop_parse(void)
{
    static const struct {
        const char *text;
        int good;
        uint32_t priority;
        const char *transport, *hop;
    } rows[] = {
        {"10 relay:[192.0.2.1]:25", 1, 10, "relay", "[192.0.2.1]:25"},
        {"  10   relay:[192.0.2.1]:25  ", 1, 10, "relay", "[192.0.2.1]:25"},
        {"0 smtp:mx.a.example", 1, 0, "smtp", "mx.a.example"},
        {"4294967295 smtp:[mx.a.example]", 1, 4294967295u, "smtp", "[mx.a.example]"},
        {"1 relay:[2001:db8::1]:2525", 1, 1, "relay", "[2001:db8::1]:2525"},
        {"1 relay-x_1.b:mx.a.example:smtp", 1, 1, "relay-x_1.b", "mx.a.example:smtp"},
        {"1 lmtp:unix:private/dovecot-lmtp", 1, 1, "lmtp", "unix:private/dovecot-lmtp"},
        {"", 0, 0, "", ""},
        {"10", 0, 0, "", ""},
        {"10 ", 0, 0, "", ""},
        {"relay:[192.0.2.1]:25", 0, 0, "", ""},
        {"x relay:[192.0.2.1]:25", 0, 0, "", ""},
        {"-1 relay:[192.0.2.1]:25", 0, 0, "", ""},
        {"4294967296 relay:[192.0.2.1]:25", 0, 0, "", ""},
        {"99999999999999999999999 relay:[192.0.2.1]:25", 0, 0, "", ""},
        {"10relay:[192.0.2.1]:25", 0, 0, "", ""},
        {"10 [192.0.2.1]", 0, 0, "", ""},
        {"10 :[192.0.2.1]:25", 0, 0, "", ""},
        {"10 relay:", 0, 0, "", ""},
        {"10 relay: [192.0.2.1]", 0, 0, "", ""},
        {"10 re lay:[192.0.2.1]", 0, 0, "", ""},
        {"10 relay:a, relay:b", 0, 0, "", ""},
        {"10 relay:a,b", 0, 0, "", ""},
        {"10 relay:[192.0.2.1", 0, 0, "", ""},
        {"10 relay:192.0.2.1]", 0, 0, "", ""},
        {"10 relay:[[192.0.2.1]]", 0, 0, "", ""},
        {"10 relay:[192.0.2.1]25", 0, 0, "", ""},
        {"10 relay:[192.0.2.1]:", 0, 0, "", ""},
        {"10 relay:[]:25", 0, 0, "", ""},
        {"10 relay:a\nb", 0, 0, "", ""},
        {"10 relay:a\x7f", 0, 0, "", ""},
        {"10 relay:\xe4\xb8\xad", 0, 0, "", ""},
        {"10\trelay:a", 0, 0, "", ""},
        {"10 relay:,a", 0, 0, "", ""},
        {"10 relay:\"a\"", 0, 0, "", ""},
        {"10 relay:a[b]", 0, 0, "", ""},
        {"10 relay:a]", 0, 0, "", ""},
        {"10 relay:[b]]", 0, 0, "", ""},
        {"10 relay:[a]:[b]", 0, 0, "", ""},
        {"10 /relay:a", 0, 0, "", ""},
        {"10 relay:[", 0, 0, "", ""},
        {"1 zZ:[a]", 1, 1, "zZ", "[a]"},
        {"1 r:h", 1, 1, "r", "h"},
    };
    struct site_hop h;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int rc = site_hop_parse(span_of(rows[i].text), &h);

        ok(rc == (rows[i].good ? 1 : -1) &&
               (rc < 0 || (h.priority == rows[i].priority && h.state == HOP_UP &&
                           !strcmp(h.transport, rows[i].transport) && !strcmp(h.hop, rows[i].hop))),
           "hop %u: %s", (unsigned)i, rows[i].good ? rows[i].text : "refused");
    }
}

static void
test_hop_length(void)
{
    char text[400], *p;
    struct site_hop h;

    p = text + sprintf(text, "1 relay:");
    memset(p, 'x', 300);
    is_int(site_hop_parse((struct span){text, (size_t)(p - text) + SITE_HOP_MAX}, &h), 1,
           "a hop of 255 bytes");
    is_int((long long)strlen(h.hop), SITE_HOP_MAX, "is kept whole");
    is_int(site_hop_parse((struct span){text, (size_t)(p - text) + SITE_HOP_MAX + 1}, &h), -1,
           "one of 256 is refused");
    memcpy(text, "1 ", 2);
    memset(text + 2, 'r', SITE_TRANSPORT_MAX - 1);
    memcpy(text + 1 + SITE_TRANSPORT_MAX, ":a", 3);
    is_int(site_hop_parse(span_of(text), &h), 1, "a transport of 63 bytes");
    memset(text + 2, 'r', SITE_TRANSPORT_MAX);
    memcpy(text + 2 + SITE_TRANSPORT_MAX, ":a", 3);
    is_int(site_hop_parse(span_of(text), &h), -1, "one of 64 is refused");
    is_int(site_hop_parse((struct span){NULL, 0}, &h), -1, "nothing is refused");
}

static void
is_answer(struct record r, const char *want, const char *what)
{
    struct site *s;

    site_table_init(&t);
    s = add("hebei", r);
    site_table_seal(&t);
    is_str(s->answer, want, what);
    is_int(s->answer_len, (long long)strlen(want), "and its length");
}

static void
test_order(void)
{
    is_answer(SITE("name=x"), "", "no next hop: no answer");
    is_answer(SITE("hop=10 relay:[192.0.2.1]:25"), "relay:[192.0.2.1]:25", "one");
    is_answer(SITE("hop=20 relay:b", "hop=10 relay:a", "hop=100 relay:c"), "relay:a, b, c",
              "by priority as a number, not as text");
    is_answer(SITE("hop=10 relay:b", "hop=10 relay:a"), "relay:a, b", "equal ones by text");
    is_answer(SITE("hop=10 relay:a", "hop=10 relay:b"), "relay:a, b", "whichever stood first");
    is_answer(SITE("hop=10 relay:a", "hop=20 smtp:b", "hop=30 relay:c"), "relay:a, c",
              "only those of the best one's transport");
    is_answer(SITE("hop=10 smtp:a", "hop=10 relay:z"), "relay:z", "equal ones by transport first");
    is_answer(SITE("hop=30 relay:a", "hop=10 relay:A"), "relay:A", "the same twice counts once");
    is_answer(SITE("hop=10 relay:A", "hop=30 relay:a"), "relay:A", "whichever stood first");
    is_int(t.sites[0].hops[0].priority, 10, "with the better priority");
    is_answer(SITE("hop=30 relay:a", "hop=20 relay:b", "hop=10 relay:a"), "relay:a, b",
              "whichever had it");
    is_answer(SITE("hop=10 relay:a", "hop=20 relay:b", "hop=30 relay:a"), "relay:a, b", "again");
    site_table_seal(&t);
    is_str(t.sites[0].answer, "relay:a, b", "sealed twice is the same");
    is_int(t.bad, 0, "nothing of that is bad");
    is_answer(SITE("hop=relay:a", "hop=10 relay:b"), "relay:b", "what can't be read is left out");
    is_int(t.bad, 1, "and counted");
}

/* hebei with mx1 (192.0.2.1), mx2 and mx3 in the given states. */
static const char *
with_servers(const char *one, const char *two, const char *three)
{
    struct site *s;

    site_table_init(&t);
    s = add("hebei", SITE("hop=10 relay:[192.0.2.1]:25"));
    add_server(s, "mx3", SERVER("hop=30 relay:[192.0.2.3]:25", three));
    add_server(s, "mx1", SERVER("hop=10 relay:[192.0.2.1]:25", one));
    add_server(s, "mx2", SERVER("hop=20 relay:[192.0.2.2]:25", two));
    site_table_seal(&t);
    return s->answer;
}

static void
test_states(void)
{
    is_str(with_servers("name=-", "name=-", "name=-"),
           "relay:[192.0.2.1]:25, [192.0.2.2]:25, [192.0.2.3]:25", "nothing declared: all up");
    is_str(with_servers("desired=Drain", "desired=up", "desired=up"),
           "relay:[192.0.2.2]:25, [192.0.2.3]:25, [192.0.2.1]:25", "drained ones come last");
    is_str(with_servers("desired=down", "desired=up", "desired=up"),
           "relay:[192.0.2.2]:25, [192.0.2.3]:25",
           "down is left out, though the site names the same hop");
    is_str(with_servers("desired=down", "desired=drain", "desired=up"),
           "relay:[192.0.2.3]:25, [192.0.2.2]:25", "up, drain, down");
    is_str(with_servers("desired=down", "desired=down", "desired=down"),
           "relay:[192.0.2.1]:25, [192.0.2.2]:25, [192.0.2.3]:25", "all are down: all are tried");
    is_int(t.bad, 0, "all words were known");
    is_str(with_servers("desired=broken", "desired=up", "desired=up"),
           "relay:[192.0.2.1]:25, [192.0.2.2]:25, [192.0.2.3]:25", "an unknown word: up");
    is_int(t.bad, 1, "and counted");
}

static void
test_site_fields(void)
{
    struct site *s;
    char name[80];

    site_table_init(&t);
    s = add("Hebei", SITE("standby=ShanDong", "desired=Failed-Over"));
    is_str(s->name, "hebei", "names in lower case");
    is_str(s->standby, "shandong", "the standby's too");
    is_int(s->failed_over, 1, "declared failed over");
    is_int(add("henan", SITE("desired=up"))->failed_over, 0, "declared up");
    is_int(t.bad, 0, "all good so far");
    is_int(add("gansu", SITE("desired=drain"))->failed_over, 0, "an unknown word: up");
    is_int(t.bad, 1, "and counted");
    is_str(add("tibet", SITE("standby=not a name"))->standby, "", "a standby that is no name");
    is_int(t.bad, 2, "is counted");
    ok(add("HEBEI", SITE("name=-")) == NULL, "a second site of that name is left out");
    ok(add("", SITE("name=-")) == NULL, "and one without a name");
    ok(add(".", SITE("name=-")) == NULL, "and one that is a dot");
    ok(add("!hebei", SITE("name=-")) == NULL, "and one with a mark in front");
    is_str(add("zZ", SITE("standby=y", "standby=x"))->standby, "y",
           "short names; the first counts");
    ok(add("he bei", SITE("name=-")) == NULL, "and one with a blank in it");
    memset(name, 'n', sizeof name);
    name[SITE_NAME_MAX] = '\0';
    ok(add(name, SITE("name=-")) != NULL, "64 bytes of name fit");
    name[SITE_NAME_MAX] = 'n';
    name[SITE_NAME_MAX + 1] = '\0';
    ok(add(name, SITE("name=-")) == NULL, "65 do not");
    is_int(t.bad, 8, "and each is counted");
}

static const char *
found(const struct site *s)
{
    return s != NULL ? s->name : "none";
}

static void
test_find(void)
{
    struct site *a, *b;

    site_table_init(&t);
    a = add("hebei", SITE("hop=10 relay:[192.0.2.1]:25", "hop=20 smtp:shared", "print=aa:BB:0c"));
    b = add("shandong", SITE("hop=10 relay:[MX.B.Example]:25", "hop=20 smtp:shared"));
    add_server(a, "mx1", SERVER("host=MX1.Hebei.example.", "host=2001:db8::1"));
    add_server(b, "mx1", SERVER("host=mx1.shandong.example", "print=11:22"));
    add_server(b, "For people only", SERVER("host=[192.0.2.9]", "hop=30 relay:[192.0.2.9]"));
    add_server(b, "hebei", SERVER("name=-"));
    site_table_seal(&t);
    add_server(a, "mx1", SERVER("host=zz.hebei.example", "host=zz.hebei.example", "print=99:ff"));
    is_int(a->nhosts, 4, "a host counts once");
    is_int(t.bad, 0, "all of it readable");
    is_str(found(site_find(&t, span_of("ZZ.Hebei.Example"))), "hebei", "by a second server's host");
    is_str(found(site_by_print(&t, span_of("99:FF"))), "hebei", "by its fingerprint");
    is_str(found(site_find(&t, span_of("HeBei"))), "hebei", "by name, before any server's");
    is_str(found(site_find(&t, span_of("mx1.hebei.EXAMPLE"))), "hebei", "by host");
    is_str(found(site_find(&t, span_of("mx1.shandong.example."))), "shandong", "with a dot");
    is_str(found(site_find(&t, span_of("2001:DB8::1"))), "hebei", "by address");
    is_str(found(site_find(&t, span_of("[192.0.2.9]"))), "shandong", "by bracketed address");
    is_str(found(site_find(&t, span_of("mx1"))), "none", "a server's name two sites use: neither");
    is_str(found(site_find(&t, span_of("mx"))), "none", "a shortened name");
    is_str(found(site_find(&t, span_of("hebei2"))), "none", "a longer one");
    is_str(found(site_find(&t, span_of(""))), "none", "no name");
    is_str(found(site_find(&t, span_of("."))), "none", "a dot");
    is_str(found(site_find(&t, (struct span){NULL, 0})), "none", "nothing");
    is_str(found(site_find(NULL, span_of("hebei"))), "none", "no table");
    is_str(found(site_by_print(&t, span_of("AA:bb:0C"))), "hebei", "by fingerprint");
    is_str(found(site_by_print(&t, span_of("11:22"))), "shandong", "by a server's fingerprint");
    is_str(found(site_by_print(&t, span_of("11:23"))), "none", "by a stranger's");
    is_str(found(site_by_print(&t, span_of(""))), "none", "by none");
    is_str(found(site_by_hop(&t, span_of("[192.0.2.1]:25"))), "hebei", "by hop");
    is_str(found(site_by_hop(&t, span_of("relay:[192.0.2.1]:25"))), "hebei", "with its transport");
    is_str(found(site_by_hop(&t, span_of("smtp:[192.0.2.1]:25"))), "none", "with another");
    is_str(found(site_by_hop(&t, span_of("[mx.b.example]:25"))), "shandong", "without case");
    is_str(found(site_by_hop(&t, span_of("[192.0.2.9]"))), "shandong", "a server's hop");
    is_str(found(site_by_hop(&t, span_of("shared"))), "hebei", "two sites' hop: the first");
    is_str(found(site_by_hop(&t, span_of("[192.0.2.1]"))), "none", "without the port: another hop");
    is_str(found(site_by_hop(&t, span_of("relay:"))), "none", "a transport only");
    is_str(found(site_by_hop(&t, span_of("relay;[192.0.2.1]:25"))), "none", "no colon");
    is_str(found(site_by_hop(&t, span_of("delay:[192.0.2.1]:25"))), "none", "another letter");
    is_str(found(site_by_hop(&t, span_of("relay"))), "none", "its name only");
    is_str(found(site_by_hop(&t, (struct span){NULL, 0})), "none", "nothing");
}

static void
test_prints(void)
{
    static const char *const bad[] = {"print=",     "print=A",     "print=AA:",   "print=AA:B",
                                      "print=AABB", "print=AG:00", "print=AA-BB", ":AA"};
    char sha256[6 + 95 + 4] = "print=";
    struct site *s;

    for (int i = 0; i < 32; i++)
        strcat(sha256, i ? ":fe" : "fe");
    site_table_init(&t);
    s = add("hebei", SITE(sha256));
    is_int(s->nprints, 1, "SHA-256 fits");
    ok(site_by_print(&t, span_of(sha256 + 6)) == s, "and is found");
    strcat(sha256, ":fe");
    is_int(add("henan", SITE(sha256))->nprints, 0, "33 bytes do not");
    for (int i = 0; i < 7; i++)
        is_int(add((char[]){'x', (char)('a' + i), 0}, SITE(bad[i]))->nprints, 0, bad[i]);
    is_int(t.bad, 8, "each counted");
}

/* Two tables filled with the same 20 hops in opposite orders. */
static void
test_full(void)
{
    static char first[SITE_ANSWER_MAX];
    static char hops[20][300];
    struct record_builder b;
    struct record r;
    struct site *s = NULL;

    for (int i = 0; i < 20; i++)
        sprintf(hops[i], "%d relay:[192.0.2.%d]:25", 1 + i * 7 % 20, i);
    for (int back = 0; back < 2; back++) {
        site_table_init(&t);
        record_begin(&b, buf, sizeof buf, KIND_SITE, STATE_UNSET, 0);
        for (int i = 0; i < 20; i++)
            record_add(&b, TAG_NEXTHOP, span_of(hops[back ? 19 - i : i]));
        record_end(&b, &r);
        s = add("hebei", r);
        site_table_seal(&t);
        if (!back)
            strcpy(first, s->answer);
    }
    is_str(s->answer, first, "too many hops: the best stay, whatever the order");
    is_int(t.bad, 20 - SITE_HOPS_MAX, "the others are counted");
    is_int(s->hops[15].priority, 16, "the 16th best is the last");
    for (int i = 0; i < 16; i++) {
        int n = sprintf(hops[i], "1 relay:%c", 'a' + i);

        memset(hops[i] + n, 'x', 254);
        hops[i][n + 254] = '\0';
    }
    record_begin(&b, buf, sizeof buf, KIND_SITE, STATE_UNSET, 0);
    for (int i = 0; i < 16; i++)
        record_add(&b, TAG_NEXTHOP, span_of(hops[i]));
    record_end(&b, &r);
    site_table_init(&t);
    s = add("hebei", r);
    site_table_seal(&t);
    is_int(s->answer_len, 6 + 15 * 255 + 14 * 2, "an answer ends with a whole hop");
    is_int(t.bad, 1, "the one that did not fit is counted");
}

static void
test_full_tables(void)
{
    char word[64];
    struct site *s = NULL;

    site_table_init(&t);
    for (int i = 0; i < SITE_MAX + 3; i++) {
        sprintf(word, "site%d", i);
        s = add(word, SITE("name=-"));
    }
    ok(s == NULL && t.n == SITE_MAX && t.bad == 3, "a full table of sites counts the rest");
    site_table_init(&t);
    s = add("hebei", SITE("name=-"));
    for (int i = 0; i < 20; i++) {
        sprintf(word, "host=mx%d", i);
        add_server(s, "For people", SERVER(word));
        sprintf(word, "print=%02d:%02d", i, i);
        add_server(s, "For people", SERVER(word));
    }
    ok(s->nhosts == SITE_HOSTS_MAX && s->nprints == SITE_PRINTS_MAX && t.bad == 8,
       "a site's hosts and fingerprints too");
    ok(site_by_print(&t, span_of("00:00")) == s && site_by_print(&t, span_of("15:15")) == s,
       "those that fit stay as they were");
}

int
main(void)
{
    test_hop_parse();
    test_hop_length();
    test_order();
    test_states();
    test_site_fields();
    test_find();
    test_prints();
    test_full();
    test_full_tables();
    return tap_done();
}
