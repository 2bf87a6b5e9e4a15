/* SPDX-License-Identifier: BSD-2-Clause */
/* Netstrings byte by byte: every prefix of a good one asks for more, every bad one is refused. */
#include "netstring.h"
#include "tap.h"

static void
rows(void)
{
    static const struct {
        const char *in;
        size_t max;
        long want;
        const char *payload;
    } row[] = {
        {"5:hello,", 10, 8, "hello"},
        {"0:,", 10, 3, ""},
        {"0:,", 0, 3, ""},
        {"5:hello,rest", 10, 8, "hello"},
        {"10:0123456789,", 10, 14, "0123456789"},
        {"3:a,b,", 10, 6, "a,b"},
        {"", 10, 0, NULL},
        {"1", 10, 0, NULL},
        {"10", 10, 0, NULL},
        {"5:hello", 10, 0, NULL},
        {"0:", 10, 0, NULL},
        {"11", 10, -1, NULL},
        {"11:01234567890,", 10, -1, NULL},
        {"2", 1, -1, NULL},
        {"99999999999999999999999999", 10, -1, NULL},
        {"1:a,", 0, -1, NULL},
        {"05:hello,", 10, -1, NULL},
        {"00:,", 10, -1, NULL},
        {":,", 10, -1, NULL},
        {"x", 10, -1, NULL},
        {"-1:a,", 10, -1, NULL},
        {" 1:a,", 10, -1, NULL},
        {"1 :a,", 10, -1, NULL},
        {"1,a,", 10, -1, NULL},
        {"5:hello;", 10, -1, NULL},
        {"5:hello!,", 10, -1, NULL},
        {"GET / HTTP/1.0\r\n", 10, -1, NULL},
        {"\xff\xff", 10, -1, NULL},
    };

    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct span got = {NULL, 0};

        is_int(netstring_parse(row[i].in, strlen(row[i].in), row[i].max, &got), row[i].want,
               row[i].in);
        if (row[i].payload)
            ok(span_same(got, span_of(row[i].payload)), "  payload '%s'", row[i].payload);
    }
}

static void
fragments(void)
{
    static const char whole[] = "13:map a@example,";
    struct span got;
    int more = 1;

    for (size_t n = 0; n < sizeof whole - 1; n++)
        more &= netstring_parse(whole, n, 13, &got) == 0;
    ok(more, "every prefix needs more");
    is_int(netstring_parse(whole, sizeof whole - 1, 13, &got), sizeof whole - 1, "the whole");
    is_int(netstring_parse("3:a\0b,", 6, 3, &got), 6, "NUL inside");
    ok(got.n == 3 && memcmp(got.p, "a\0b", 3) == 0, "  is kept");
    is_int(netstring_parse("18446744073709551616", 20, (size_t)-1, &got), -1,
           "a length no size_t holds");
}

static void
heads(void)
{
    char out[NETSTRING_HEAD_MAX + 1];

    out[netstring_head(0, out)] = '\0';
    is_str(out, "0:", "head of 0");
    out[netstring_head(7, out)] = '\0';
    is_str(out, "7:", "head of 7");
    out[netstring_head(100000, out)] = '\0';
    is_str(out, "100000:", "head of 100000");
    is_int((long long)netstring_head(99999999999, out), 12, "the longest head");
    is_int((long long)netstring_head(100000000000, out), 0, "one that does not fit");
}

int
main(void)
{
    rows();
    fragments();
    heads();
    return tap_done();
}
