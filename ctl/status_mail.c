/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * status, mail: which way how much of it went, and what is in Postfix's queues. Only formats. What is not
 * known is said to be, and old figures show their age.
 */
#include <stdio.h>
#include <string.h>

#include "show.h"
#include "text.h"

#define BEAT_LATE_S  30 /* a milter that was silent for so long */
#define QUEUE_LATE_S 60 /* figures of the queue: three intervals, and that */

/* "2 hold, 1 deferred": the queues that have something in them. */
static void
print_lengths(json_t *queues)
{
    double all = 0, bytes = 0, oldest = 0;
    char size[32], age[32];
    const char *name;
    json_t *q;

    json_object_foreach(queues, name, q)
    {
        double n = show_number(q, "messages");

        if (n == 0)
            continue;
        printf("%s%.0f %s", all > 0 ? ", " : "", n, name);
        all += n;
        bytes += show_number(q, "bytes");
        if (show_number(q, "oldest_s") > oldest)
            oldest = show_number(q, "oldest_s");
    }
    if (all == 0)
        fputs("empty", stdout);
    else
        printf("; %s, the oldest for %s", text_bytes(bytes, size), text_age(oldest, age));
}

void
show_queue(json_t *queue)
{
    char text[32];

    if (!queue)
        return;
    printf("%-9s ", "Queue");
    if (show_true(queue, "known")) {
        print_lengths(json_object_get(queue, "queues"));
        printf("; looked %s ago\n", text_age(show_number(queue, "age_s"), text));
    } else {
        puts("not known");
    }
    if (*show_text(queue, "error")) {
        printf("%-9s ", "");
        text_put(stdout, show_text(queue, "error"));
        putchar('\n');
    }
}

static void
row(struct text_table *t, const char *name, double hour, double today, const char *bytes)
{
    char n[2][32];

    snprintf(n[0], sizeof n[0], "%.0f", hour);
    snprintf(n[1], sizeof n[1], "%.0f", today);
    text_row(t, (const char *[]){name, n[0], n[1], bytes});
}

static void
event_row(struct text_table *t, json_t *flow, const char *key, const char *name)
{
    row(t, name, show_number(json_object_get(flow, "hour"), key),
        show_number(json_object_get(flow, "today"), key), "");
}

void
show_flow(json_t *flow)
{
    struct text_table t = {.columns = 4, .right = "lrrr"};
    json_t *hour = json_object_get(json_object_get(flow, "hour"), "directions");
    json_t *today = json_object_get(json_object_get(flow, "today"), "directions"), *way;
    const char *name;
    char bytes[32];

    if (!flow || !show_true(flow, "known"))
        return;
    text_row(&t, (const char *[]){"mail", "last hour", "today", "bytes today"});
    json_object_foreach(today, name, way)
    {
        row(&t, name, show_number(json_object_get(hour, name), "messages"),
            show_number(way, "messages"), text_bytes(show_number(way, "bytes"), bytes));
    }
    event_row(&t, flow, "held", "held");
    event_row(&t, flow, "refused", "refused as forged");
    event_row(&t, flow, "tempfailed", "told to come again");
    putchar('\n');
    text_table_end(&t, 2);
}

int
show_mail_late(json_t *flow, json_t *queue)
{
    return (flow && (!show_true(flow, "known") || show_number(flow, "age_s") > BEAT_LATE_S)) ||
           (queue &&
            (*show_text(queue, "error") ||
             show_number(queue, "age_s") > 3 * show_number(queue, "interval_s") + QUEUE_LATE_S));
}

void
show_mail_attention(json_t *flow, json_t *queue)
{
    char text[32];

    if (flow && !show_true(flow, "known")) {
        fputs("  * The figures of mail can't be read: ", stdout);
        text_put(stdout, show_text(flow, "error"));
        putchar('\n');
    } else if (flow && show_mail_late(flow, NULL)) {
        printf(
            "  * postroad-milter has given no sign of life for %s: what it counted ends there.\n",
            text_age(show_number(flow, "age_s"), text));
    }
    if (show_mail_late(NULL, queue))
        puts(show_true(queue, "known")
                 ? "  * Postfix's queue can't be listed, its lengths are old: see the log."
                 : "  * Postfix's queue can't be listed: see the log.");
}
