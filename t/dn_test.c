/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Distinguished names against t/tables/dn.tbl, each also through the cache of
 * parents, twice; then taking DNs apart, and UUIDs made from them.
 */
#include <stdlib.h>

#include "policyd/dn.h"
#include "tap.h"
#include "uuid.h"

#define TABLE "t/tables/dn.tbl"

static void
expand(const char *s, char *out)
{
    for (; *s; s++) {
        if (*s == '<' && s[1] && s[2] && s[3] == '>') {
            *out++ = (char)strtol((char[]){s[1], s[2], 0}, NULL, 16);
            s += 3;
        } else {
            *out++ = *s;
        }
    }
    *out = '\0';
}

static void
row(struct dn_cache *cache, const char *written, const char *want)
{
    char in[512], expected[512], out[512];
    long n, bad = strcmp(want, "bad") == 0;
    int i;

    expand(written, in);
    expand(want, expected);
    n = dn_normalize(span_of(in), out, sizeof out);
    if (bad)
        is_int(n, -1, written);
    else
        is_str(n < 0 ? "bad" : out, expected, written);
    for (i = 0; i < 2; i++) {
        char again[512] = "";
        long m = dn_cache_normalize(cache, span_of(in), again, sizeof again);

        if (m != n || (n >= 0 && strcmp(out, again) != 0))
            ok(0, "the same through the cache: %s", written);
    }
    if (!bad) {
        ok(n >= 0 && dn_normalize((struct span){out, (size_t)n}, in, sizeof in) == n &&
               strcmp(in, out) == 0,
           "normalising is done once: %s", written);
        is_int(dn_normalize((struct span){out, (size_t)n}, in, (size_t)n), -1, "no room");
    }
}

static int
table(struct dn_cache *cache)
{
    char line[512];
    FILE *f = fopen(TABLE, "r");
    int rows = 0;

    if (!f)
        return 0;
    while (fgets(line, sizeof line, f)) {
        char *arrow = strstr(line, " -> ");

        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '#' || !arrow)
            continue;
        *arrow = '\0';
        row(cache, line, arrow + 4);
        rows++;
    }
    fclose(f);
    return rows;
}

static void
apart(void)
{
    struct span rdn, parent;

    is_int(dn_split(span_of("cn=a\\,b, o=corp"), &rdn, &parent), 1, "split");
    ok(span_same(rdn, span_of("cn=a\\,b")), "an escaped comma is part of the RDN");
    ok(span_same(parent, span_of("o=corp")), "blanks before the parent are not part of it");
    is_int(dn_split(span_of("o=corp"), &rdn, &parent), 0, "one RDN has no parent");
    is_int((long long)parent.n, 0, "which is empty then");
    is_int(dn_split(span_of("cn=a\\"), &rdn, &parent), 0, "a backslash at the end");
    ok(dn_below(span_of("uid=a,o=corp"), span_of("o=corp")), "below");
    ok(dn_below(span_of("o=corp"), span_of("o=corp")), "is itself");
    ok(dn_below(span_of("o=corp"), span_of("")), "all is below the root");
    ok(!dn_below(span_of("o=xo=corp"), span_of("o=corp")), "not by its bytes only");
    ok(!dn_below(span_of("o=corp"), span_of("uid=a,o=corp")), "not above");
    ok(span_same(dn_common(span_of("uid=a,ou=x,o=corp"), span_of("uid=b,ou=y,o=corp")),
                 span_of("o=corp")),
       "in common");
    is_int((long long)dn_common(span_of("o=a"), span_of("o=b")).n, 0, "nothing in common");
}

static void
uuids(void)
{
    unsigned char u[UUID_LEN];
    char text[UUID_TEXT_LEN + 1];

    /* The example of RFC 4122 errata, in the name space of DNS names, and its relative for X.500. */
    uuid_parse(span_of("6BA7B810-9dad-11d1-80b4-00c04fd430c8"), u);
    uuid_v5(u, span_of("www.example.com"), u);
    uuid_text(u, text);
    is_str(text, "2ed6657d-e927-568b-95e1-2665a8aea6a2", "version 5 as others make it");
    is_int(uuid_parse(span_of("6ba7b810-9dad-11d1-80b4-00c04fd430c"), u), -1, "too short");
    is_int(uuid_parse(span_of("6ba7b810x9dad-11d1-80b4-00c04fd430c8"), u), -1, "no dash");
    is_int(uuid_parse(span_of("6ba7b810-9dad-11d1-80b4-00c04fd430cg"), u), -1, "no digit");
    is_int(uuid_parse(span_of("-6ba7b81-9dad-11d1-80b4-00c04fd430c8"), u), -1, "a dash too many");
}

int
main(void)
{
    struct dn_cache *cache = dn_cache_new();
    char out[8];

    ok(cache && table(cache) > 30, "%s was read", TABLE);
    is_int(dn_normalize((struct span){"", 0}, out, sizeof out), 0, "the empty DN is one");
    is_int(dn_normalize((struct span){"o=a\0b", 5}, out, sizeof out), -1, "a NUL byte");
    apart();
    uuids();
    dn_cache_free(&cache);
    return tap_done();
}
