/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cookies against t/tables/cookie.tbl, and what a table can't say: too many
 * servers, cookies too long, no room to write.
 */
#include <stdlib.h>

#include "policyd/cookie.h"
#include "tap.h"

#define TABLE "t/tables/cookie.tbl"

/* "t1@001" of the table becomes a whole CSN; everything else is copied. */
static void
expand(const char *s, char *out)
{
    static const char *const times[] = {"20261121195500.000000Z", "20261121195500.000001Z",
                                        "20261122000000.000000Z"};

    for (; *s; s++) {
        if (s[0] == 't' && s[1] >= '1' && s[1] <= '3' && (s[2] == '@' || s[2] == '#')) {
            out += sprintf(out, "%s", times[s[1] - '1']);
            s++;
        } else if (*s == '@') {
            out += sprintf(out, "#000000#%.3s#000000", s + 1);
            s += 3;
        } else {
            *out++ = *s;
        }
    }
    *out = '\0';
}

static int
word_result(const char *word)
{
    return strcmp(word, "new") == 0 ? 1 : strcmp(word, "known") == 0 ? 0 : -1;
}

static void
row(const char *have, const char *comes, const char *keeps, const char *verdict)
{
    struct cookie c;
    char text[1024], want[1024], got[COOKIE_TEXT_MAX];

    cookie_init(&c);
    expand(have, text);
    if (strcmp(have, "-") != 0)
        cookie_merge(&c, span_of(text));
    expand(comes, text);
    is_int(cookie_merge(&c, span_of(text)), word_result(verdict), comes);
    expand(strcmp(keeps, "-") == 0 ? "" : keeps, want);
    cookie_write(&c, got, sizeof got);
    is_str(got, want, have);
}

static int
table(void)
{
    char line[1024], *field[4];
    FILE *f = fopen(TABLE, "r");
    int rows = 0;

    if (!f)
        return 0;
    while (fgets(line, sizeof line, f)) {
        char *p = line;
        int n = 0;

        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '#' || line[0] == '\0')
            continue;
        for (; n < 4 && p; n++) {
            char *bar = strstr(p, " | ");

            field[n] = p;
            if (bar)
                *bar = '\0';
            p = bar ? bar + 3 : NULL;
        }
        if (ok(n == 4 && !p, "a row has four fields"))
            row(field[0], field[1], field[2], field[3]);
        rows++;
    }
    fclose(f);
    return rows;
}

static void
limits(void)
{
    struct cookie c;
    char text[COOKIE_OPAQUE_MAX + 2], out[COOKIE_TEXT_MAX];
    unsigned sid;

    cookie_init(&c);
    for (sid = 1; sid <= COOKIE_SIDS_MAX; sid++) {
        snprintf(text, sizeof text, "csn=20261121195500.000000Z#000000#%03x#000000", sid);
        if (cookie_merge(&c, span_of(text)) != 1)
            ok(0, "SID %u is taken", sid);
    }
    is_int(cookie_merge(&c, span_of("csn=20261121195500.000000Z#000000#fff#000000")), -1,
           "no room for one more server");
    is_int((long long)c.n, COOKIE_SIDS_MAX, "the others are kept");
    ok(cookie_write(&c, out, sizeof out) > 0, "the largest cookie fits into COOKIE_TEXT_MAX");
    is_int(cookie_write(&c, out, 100), -1, "too little room is said");
    memset(text, 'x', sizeof text);
    is_int(cookie_merge(&c, (struct span){text, COOKIE_OPAQUE_MAX + 1}), -1, "too long");
    is_int(cookie_merge(&c, (struct span){text, COOKIE_OPAQUE_MAX}), 1, "as long as may be");
    is_int(cookie_write(&c, out, sizeof out), COOKIE_OPAQUE_MAX, "and written whole");
    is_int(cookie_merge(&c, (struct span){"", 0}), 0, "an empty one says nothing");
}

static void
covers(void)
{
    struct cookie a, b;

    cookie_init(&a);
    cookie_init(&b);
    is_int(cookie_covers(&a, &b), 1, "nothing is known by everybody");
    is_int(cookie_merge_csn(&b, span_of("20261121195500.000000Z#000000#002#000000")), 1, "a CSN");
    is_int(cookie_merge_csn(&b, span_of("20261121195500.000000Z#000000#002")), -1, "half a CSN");
    is_int(cookie_covers(&a, &b), 0, "a server that is not known");
    cookie_merge(&a, span_of("csn=20261121195500.000000Z#000000#001#000000;20261121195459."
                             "999999Z#000000#002#000000"));
    is_int(cookie_covers(&a, &b), 0, "known, but an older change");
    cookie_merge(&a, span_of("csn=20261121195500.000000Z#000000#002#000000"));
    is_int(cookie_covers(&a, &b), 1, "the same change");
    is_int(cookie_covers(&b, &a), 0, "not the other way round");
    cookie_merge(&a, span_of("what another server's cookie looks like"));
    is_int(cookie_covers(&a, &b), 0, "an opaque one says nothing");
}

int
main(void)
{
    ok(table() > 20, "%s was read", TABLE);
    limits();
    covers();
    return tap_done();
}
