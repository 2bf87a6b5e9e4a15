/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * queue_line: lines of postqueue -j whole, in pieces and broken, and what is a queue id.
 */
#include "queue_line.h"
#include "tap.h"

static const char line[] =
    "{\"queue_name\": \"hold\", \"queue_id\": \"4C0ffee\", \"arrival_time\": 1795330012, "
    "\"message_size\": 268, \"forced_expire\": false, \"sender\": "
    "\"a\\u00e9\\\"b\\ud83d\\ude00@x.example\", "
    "\"recipients\": [{\"address\": \"]}\\\"{[@y.example\", \"delay_reason\": \"x, y\"}, "
    "{\"address\": \"z\"}]}\n";

/* How many messages are in it, -1 when it is refused; the last one in *last_r. In pieces of n bytes. */
static int
count(const char *text, size_t n, struct queue_entry *last_r)
{
    size_t len = strlen(text), at = 0;
    struct queue_line l;
    int messages = 0;

    queue_line_begin(&l);
    while (at < len) {
        size_t piece = len - at < n ? len - at : n;
        int whole;
        long took = queue_line_take(&l, text + at, piece, &whole);

        if (took <= 0)
            return -1;
        at += (size_t)took;
        messages += whole;
        if (whole && last_r)
            *last_r = l.entry;
    }
    return queue_line_between(&l) ? messages : -2;
}

static void
whole_lines(void)
{
    struct queue_entry e;
    static char twice[2048];
    int same = 1;

    is_int(count(line, sizeof line, &e), 1, "a line is one message");
    is_str(e.queue, "hold", "its queue");
    is_str(e.id, "4C0ffee", "its id");
    is_str(e.sender, "a\xc3\xa9\"b\xf0\x9f\x98\x80@x.example", "its sender, unescaped");
    is_int((long long)e.bytes, 268, "its size");
    is_int(e.arrival_s, 1795330012, "its time");
    for (size_t n = 1; n < sizeof line; n++)
        same &= count(line, n, &e) == 1 && strcmp(e.id, "4C0ffee") == 0;
    ok(same, "in pieces of any size");
    snprintf(twice, sizeof twice, "%s%s", line, line);
    is_int(count(twice, 7, &e), 2, "two lines are two messages");
    is_int(count("", 1, NULL), 0, "nothing is no message");
    is_int(count("\n \n", 1, NULL), 0, "nor are empty lines");
}

#define ALL4 "\"queue_name\":\"hold\",\"queue_id\":\"A1\",\"arrival_time\":1,\"message_size\":2"

static void
odd_lines(void)
{
    static const struct {
        const char *text;
        int want;
    } row[] = {
        {"{" ALL4 "}", 1},
        {"{" ALL4 ",\"new\":{\"a\":[1,2,{\"b\":null}]},\"x\":-1.5e3}", 1},
        {"{" ALL4 ",\"sender\":\"\\ud83d\"}", 1},
        {"{" ALL4, -2},
        {"{" ALL4 ",\"sender\":\"x", -2},
        {"{" ALL4 ",}", -1},
        {"{}", -1},
        {"{\"queue_name\":\"hold\",\"queue_id\":\"A1\",\"arrival_time\":1}", -1},
        {"{\"queue_name\":\"hold\",\"queue_id\":\"ALL\",\"arrival_time\":1,\"message_size\":2}",
         -1},
        {"{\"queue_name\":\"hold\",\"queue_id\":\"A/1\",\"arrival_time\":1,\"message_size\":2}",
         -1},
        {"{\"queue_name\":\"hold\",\"queue_id\":\"A1\",\"arrival_time\":x,\"message_size\":2}", -1},
        {"{\"queue_name\":\"hold\",\"queue_id\":\"A1\",\"arrival_time\":1,\"message_size\":-2}",
         -1},
        {"{\"queue_name\":\"a name that is too "
         "long\",\"queue_id\":\"A1\",\"arrival_time\":1,\"message_size\":2}",
         -1},
        {"{\"queue_name\":\"hold\",\"queue_id\":\"A1\",\"arrival_time\":1,\"message_size\":"
         "99999999999999999999}",
         -1},
        {"{" ALL4 ",\"sender\":\"\\x\"}", -1},
        {"{" ALL4 ",\"sender\":\"\\u12g4\"}", -1},
        {"{" ALL4 ",\"sender\":\"\n\"}", -1},
        {"{" ALL4 ",\"a\":[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]}", -1},
        {"postqueue: fatal: no", -1},
        {"[]", -1},
    };

    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        ok(count(row[i].text, 5, NULL) == row[i].want, "odd line %zu", i);
}

static void
long_lines(void)
{
    static char text[400000];
    struct queue_entry e;
    char *p = text;

    p += sprintf(p, "{" ALL4 ",\"sender\":\"");
    memset(p, 'x', 1000);
    p += 1000;
    p += sprintf(p, "\",\"recipients\":[{\"address\":\"a\"}");
    for (int i = 0; i < 10000; i++)
        p += sprintf(p, ",{\"address\":\"u%d@y.example\"}", i);
    strcpy(p, "]}");
    is_int(count(text, 4096, &e), 1, "10,000 recipients and a sender without end");
    is_int((long long)strlen(e.sender), QUEUE_SENDER_MAX, "the sender is cut");
}

static void
ids(void)
{
    static const struct {
        const char *id;
        int want;
    } row[] = {{"4C0ffee", 1},
               {"3yTKkq1Q4zz", 1},
               {"A", 1},
               {"123456789012345678901234567890", 1},
               {"1234567890123456789012345678901", 0},
               {"", 0},
               {"ALL", 0},
               {"all", 0},
               {"aLl", 0},
               {"ALLA", 1},
               {"-", 0},
               {"A-", 0},
               {"../x", 0},
               {"A B", 0},
               {"A\n", 0},
               {"\xc3\xa9", 0}};

    for (size_t i = 0; i < sizeof row / sizeof *row; i++)
        ok(queue_id_is(row[i].id, strlen(row[i].id)) == row[i].want, "id %zu", i);
    ok(!queue_id_is("A\0B", 3), "no id has a NUL in it");
}

int
main(void)
{
    whole_lines();
    odd_lines();
    long_lines();
    ids();
    return tap_done();
}
