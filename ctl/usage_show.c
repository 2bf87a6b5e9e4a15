/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usage_show: the sums as a table, as CSV or as JSON, and then what keeps them from being
 * the whole truth, on standard error where the output is for programs.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csv.h"
#include "text.h"
#include "usage.h"

static uint64_t
part_of(json_t *ways, const char *direction, size_t which)
{
    return (uint64_t)json_integer_value(json_array_get(json_object_get(ways, direction), which));
}

static uint64_t
all_ways(json_t *ways, size_t which)
{
    const char *direction;
    json_t *sums;
    uint64_t n = 0;

    json_object_foreach(ways, direction, sums) n +=
        (uint64_t)json_integer_value(json_array_get(sums, which));
    return n;
}

static const char *
decimal(uint64_t n, char out[24])
{
    snprintf(out, 24, "%" PRIu64, n);
    return out;
}

/* --- table --- */

static void
table_row(struct text_table *t, const char *key, json_t *ways)
{
    char n[5][24], bytes[32];

    text_row(t, (const char *const[]){
                    *key ? key : "-",
                    decimal(part_of(ways, "local", 0) + part_of(ways, "handoff", 0), n[0]),
                    decimal(part_of(ways, "outbound", 0), n[1]),
                    decimal(part_of(ways, "inbound", 0), n[2]),
                    decimal(part_of(ways, "unknown", 0), n[3]), decimal(all_ways(ways, 1), n[4]),
                    text_bytes((double)all_ways(ways, 2), bytes)});
}

static json_t *
sorted(json_t *rows)
{
    /* Printed with its keys in order, and read again. */
    char *dump = json_dumps(rows, JSON_SORT_KEYS | JSON_COMPACT);
    json_t *o = dump ? json_loads(dump, 0, NULL) : NULL;

    free(dump);
    return o;
}

static void
show_table(struct usage *u, json_t *rows)
{
    struct text_table t = {.columns = 7, .right = "lrrrrrr"};
    const char *key;
    json_t *ways;

    text_row(&t, (const char *const[]){u->by, "inside", "outbound", "inbound", "unknown",
                                       "recipients", "bytes"});
    json_object_foreach(rows, key, ways) table_row(&t, key, ways);
    text_table_end(&t, 0);
}

/* --- CSV --- */

static void
show_csv(struct usage *u, json_t *rows)
{
    const char *key, *direction;
    json_t *ways, *sums;
    char field[4200];

    printf("%s,direction,messages,recipients,bytes\r\n", u->by);
    json_object_foreach(rows, key, ways)
    {
        long n = csv_field(span_of(key), ',', field, sizeof field);

        if (n < 0)
            continue;
        json_object_foreach(ways, direction, sums) printf(
            "%.*s,%s,%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\r\n", (int)n, field, direction,
            part_of(ways, direction, 0), part_of(ways, direction, 1), part_of(ways, direction, 2));
    }
}

/* --- JSON --- */

static json_t *
as_json(const struct usage_sum *s)
{
    return json_pack("{s:I, s:I, s:I}", "messages", (json_int_t)s->messages, "recipients",
                     (json_int_t)s->recipients, "bytes", (json_int_t)s->bytes);
}

static json_t *
rows_as_json(struct usage *u, json_t *rows)
{
    json_t *list = json_array(), *ways, *sums;
    const char *key, *direction;

    json_object_foreach(rows, key, ways) json_object_foreach(ways, direction, sums)
        json_array_append_new(list, json_pack("{s:s, s:s, s:O, s:O, s:O}", u->by, key, "direction",
                                              direction, "messages", json_array_get(sums, 0),
                                              "recipients", json_array_get(sums, 1), "bytes",
                                              json_array_get(sums, 2)));
    return list;
}

static void
show_json(struct usage *u, json_t *rows, json_t *gaps)
{
    ctl_print_json(json_pack("{s:b, s:s, s:o, s:I, s:O, s:I, s:I, s:o, s:o, s:o, s:o, s:I}", "ok",
                             1, "by", u->by, "rows", rows_as_json(u, rows), "records",
                             (json_int_t)u->records, "gaps", gaps, "repeated",
                             (json_int_t)u->repeated, "unreadable", (json_int_t)u->unreadable,
                             "uncertain", as_json(&u->uncertain), "refused", as_json(&u->refused),
                             "uncounted", as_json(&u->uncounted), "transit", as_json(&u->transit),
                             "without_record", (json_int_t)u->without_record));
}

/* --- what is wrong --- */

static void
say_sum(const char *what, const struct usage_sum *s)
{
    char bytes[32];

    if (s->messages + s->recipients > 0)
        fprintf(stderr, "postroad: %s: %" PRIu64 " messages, %" PRIu64 " recipients, %s\n", what,
                s->messages, s->recipients, text_bytes((double)s->bytes, bytes));
}

static void
say_all(struct usage *u, json_t *gaps)
{
    size_t i;
    json_t *gap;

    json_array_foreach(gaps, i, gap)
        fprintf(stderr, "postroad: records %lld to %lld of log %s are missing\n",
                (long long)json_integer_value(json_object_get(gap, "first")),
                (long long)json_integer_value(json_object_get(gap, "last")),
                json_string_value(json_object_get(gap, "log")));
    if (u->repeated)
        fprintf(stderr, "postroad: %" PRIu64 " records were read more than once and count once\n",
                u->repeated);
    if (u->unreadable)
        fprintf(stderr, "postroad: %" PRIu64 " lines are no records\n", u->unreadable);
    if (u->without_record)
        fprintf(stderr,
                "postroad: %" PRIu64 " messages that the log of Postfix has are in no record\n",
                u->without_record);
    say_sum("let through uncounted", &u->uncounted);
    say_sum(u->queues ? "uncertain, and not in the logs that were given, so not added up"
                      : "uncertain, not added up; --maillog tells",
            &u->uncertain);
    say_sum("counted, but not taken by Postfix, so not added up", &u->refused);
}

int
usage_show(struct usage *u, const char *format)
{
    json_t *gaps = usage_seen_gaps(&u->seen), *rows = sorted(u->rows);
    int whole = json_array_size(gaps) == 0 && u->unreadable == 0 && u->without_record == 0 &&
                u->uncertain.recipients == 0 && u->uncounted.messages == 0;

    if (strcmp(format, "json") == 0)
        show_json(u, rows, gaps);
    else if (strcmp(format, "csv") == 0)
        show_csv(u, rows);
    else
        show_table(u, rows);
    if (strcmp(format, "json") != 0)
        say_all(u, gaps);
    json_decref(gaps);
    json_decref(rows);
    return whole ? CTL_DONE : CTL_NO;
}
