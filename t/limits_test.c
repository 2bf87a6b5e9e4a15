/* SPDX-License-Identifier: BSD-2-Clause */
/* limits: what is read as a limit, and what is none. */
#include "limits.h"
#include "t/tap.h"

static const struct {
    const char *text;
    int good, total;
    const char *word;
    uint64_t n;
} rows[] = {
    {"messages/hour 100", 1, 0, "messages/hour", 100},
    {"Recipients/Day 4294967295", 1, 0, "recipients/day", UINT32_MAX},
    {"recipients/day 4294967296", 0, 0, "", 0},
    {"recipients/hour  7", 1, 0, "recipients/hour", 7},
    {"size 26214400", 1, 0, "size", 26214400},
    {"size 9223372036854775807", 1, 0, "size", INT64_MAX},
    {"size 9223372036854775808", 0, 0, "", 0},
    {"size 99999999999999999999999", 0, 0, "", 0},
    {"recipients/message 0", 1, 0, "recipients/message", 0},
    {"total messages/day 5000", 1, 1, "messages/day", 5000},
    {"TOTAL recipients/hour 1", 1, 1, "recipients/hour", 1},
    {"total size 5", 0, 0, "", 0},
    {"total recipients/message 5", 0, 0, "", 0},
    {"total", 0, 0, "", 0},
    {"total ", 0, 0, "", 0},
    {"messages/hour", 0, 0, "", 0},
    {"messages/hour ", 0, 0, "", 0},
    {"messages/hour -1", 0, 0, "", 0},
    {"messages/hour 1 ", 0, 0, "", 0},
    {"messages/hour 1k", 0, 0, "", 0},
    {"messages/minute 1", 0, 0, "", 0},
    {"messages/hourly 1", 0, 0, "", 0},
    {" size 1", 0, 0, "", 0},
    {"", 0, 0, "", 0},
};

int
main(void)
{
    struct limits l = {0};
    enum limit_kind kind;
    uint64_t n;
    int total;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int good = limit_parse(span_of(rows[i].text), &kind, &n, &total);

        is_int(good, rows[i].good, rows[i].text);
        if (!good || !rows[i].good)
            continue;
        is_str(limit_word(kind), rows[i].word, "its kind");
        ok(n == rows[i].n && total == rows[i].total, "its number, and for whom");
    }
    limits_take(&l, (enum limit_kind)WINDOW_MESSAGES_HOUR, 0);
    limits_take(&l, (enum limit_kind)WINDOW_MESSAGES_HOUR, 50);
    limits_take(&l, (enum limit_kind)WINDOW_MESSAGES_DAY, 70);
    is_int((int)limits_window(&l).most[WINDOW_MESSAGES_HOUR], 0, "the nearest one counts, 0 too");
    is_int((int)limits_window(&l).most[WINDOW_MESSAGES_DAY], 70, "the others are not in its way");
    return tap_done();
}
