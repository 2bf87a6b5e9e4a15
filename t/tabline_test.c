/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines of the access protocol: each prefix of a good one asks for more, each bad one is refused
 * with a reason, and what is written is read back whatever it holds.
 */
#include <stdlib.h>

#include "tabline.h"
#include "tap.h"

static void
rows(void)
{
    static const struct {
        const char *in;
        long want;
        const char *word, *key, *value;
    } row[] = {
        {"session\tactor=a@x\ttarget=b@x\n", 29, "session", "target", "b@x"},
        {"ok\n", 3, "ok", NULL, NULL},
        {"ok\nok\n", 3, "ok", NULL, NULL},
        {"a\tk=\n", 5, "a", "k", ""},
        {"a\tk==b=\n", 8, "a", "k", "=b="},
        {"a\tk=\001t\001r\001n\0011\n", 13, "a", "k", "\t\r\n\001"},
        {"a\tk=x\001ty\001nz\n", 12, "a", "k", "x\ty\nz"},
        {"a\tk=caf\xc3\xa9 \xff\n", 12, "a", "k", "caf\xc3\xa9 \xff"},
        {"", 0, NULL, NULL, NULL},
        {"session\tactor=a@x", 0, NULL, NULL, NULL},
        {"\n", -1, NULL, NULL, NULL},
        {"\tk=v\n", -1, NULL, NULL, NULL},
        {"a\tk\n", -1, NULL, NULL, NULL},
        {"a\t\n", -1, NULL, NULL, NULL},
        {"a\t\tk=v\n", -1, NULL, NULL, NULL},
        {"a\tk=v\t\n", -1, NULL, NULL, NULL},
        {"a\t=v\n", -1, NULL, NULL, NULL},
        {"a\tk=1\tk=1\n", -1, NULL, NULL, NULL},
        {"a\tk=\001x\n", -1, NULL, NULL, NULL},
        {"a\tk=\001\n", -1, NULL, NULL, NULL},
        {"a\tk\0011=v\n", -1, NULL, NULL, NULL},
        {"a\001t\n", -1, NULL, NULL, NULL},
        {"a\tk=v\r\n", -1, NULL, NULL, NULL},
    };

    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        char in[64];
        struct tabline l;
        struct span value;

        strcpy(in, row[i].in);
        is_int(tabline_parse(in, strlen(in), &l), row[i].want,
               row[i].want < 0 ? "no line" : "a line");
        if (row[i].want < 0)
            ok(l.bad != NULL, "  and says why: %s", l.bad ? l.bad : "-");
        if (row[i].word)
            ok(span_same(l.word, span_of(row[i].word)), "  word '%s'", row[i].word);
        if (row[i].key)
            ok(tabline_get(&l, row[i].key, &value) && span_same(value, span_of(row[i].value)),
               "  value of %s", row[i].key);
    }
}

static void
prefixes(void)
{
    static const char whole[] = "record\taction=read\tmailbox=INBOX\001tx\tuid=1-3\n";
    struct tabline l;
    int more = 1;
    char copy[sizeof whole];

    for (size_t n = 0; n < sizeof whole - 1; n++) {
        memcpy(copy, whole, sizeof whole);
        more &= tabline_parse(copy, n, &l) == 0;
    }
    ok(more, "each beginning of a line asks for more");
    memcpy(copy, whole, sizeof whole);
    copy[3] = '\0';
    is_int(tabline_parse(copy, sizeof whole - 1, &l), -1, "a NUL byte is refused");
}

static void
limits(void)
{
    char *buf = malloc(TABLINE_MAX + 2);
    struct tabline l;
    struct tabline_out o;
    size_t n = 1;

    if (!buf)
        return;
    memset(buf, 'a', TABLINE_MAX + 1);
    is_int(tabline_parse(buf, TABLINE_MAX - 1, &l), 0, "a line of 8191 bytes may go on");
    is_int(tabline_parse(buf, TABLINE_MAX, &l), -1, "one of 8192 bytes without LF may not");
    buf[TABLINE_MAX - 1] = '\n';
    is_int(tabline_parse(buf, TABLINE_MAX + 1, &l), TABLINE_MAX, "with LF it is a line");
    buf[TABLINE_MAX - 1] = 'a';
    buf[TABLINE_MAX] = '\n';
    is_int(tabline_parse(buf, TABLINE_MAX + 1, &l), -1, "one byte more is none");
    buf[0] = 'w';
    for (int i = 0; i < TABLINE_FIELDS + 1; i++)
        n += (size_t)sprintf(buf + n, "\tk%d=v", i);
    buf[n] = '\n';
    is_int(tabline_parse(buf, n + 1, &l), -1, "there is a limit of fields");
    tabline_begin(&o, buf, TABLINE_MAX + 2, "w");
    for (int i = 0; i < 3000; i++)
        tabline_add(&o, "k", span_of("v"));
    is_int((long)tabline_end(&o), 0, "what is longer than a line is not written");
    free(buf);
}

static void
round_trip(void)
{
    char all[256], buf[1024];
    struct span value = {all, sizeof all}, got;
    struct tabline_out o;
    struct tabline l;
    size_t n;

    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    tabline_begin(&o, buf, sizeof buf, "yes");
    tabline_add(&o, "all", value);
    tabline_add_some(&o, "none", span_of(""));
    tabline_add(&o, "empty", span_of(""));
    n = tabline_end(&o);
    ok(n > 0 && tabline_parse(buf, n, &l) == (long)n, "a line with every byte there is");
    ok(tabline_get(&l, "all", &got) && span_same(got, value), "is read back as it was");
    ok(!tabline_get(&l, "none", &got) && got.n == 0, "an empty value can be left out");
    ok(tabline_get(&l, "empty", &got) && got.n == 0, "or written");
    for (size_t cap = 0; cap < n; cap++) {
        tabline_begin(&o, buf, cap, "yes");
        tabline_add(&o, "all", value);
        tabline_add(&o, "empty", span_of(""));
        if (tabline_end(&o) != 0)
            break;
        if (cap == n - 1)
            ok(1, "with less room it is not written at all");
    }
}

int
main(void)
{
    rows();
    prefixes();
    limits();
    round_trip();
    return tap_done();
}
