/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_limit: a sender is told of the first messages singly, of the others in one; nobody is told twice, or not
 * at all; and what a process before this one has sent counts.
 */
#include <stdio.h>

#include "policyd/held_limit.h"
#include "tap.h"

#define MINUTE INT64_C(60000)
#define HOUR   (60 * MINUTE)
#define BEGIN  INT64_C(1795330000000)

static unsigned more;
static int64_t due;

static enum held_say
ask(struct held_limit *l, const char *sender, int end, unsigned char *gathered, int64_t at)
{
    return held_limit_ask(l, span_of(sender), end, gathered, BEGIN + at, &more, &due);
}

static void
test_flood(void)
{
    struct held_limit *l = held_limit_new(3);
    unsigned char g[1000] = {0}, other = 0;
    unsigned one = 0, later = 0, said = 0;

    for (int i = 0; i < 1000; i++) {
        enum held_say say = ask(l, i % 2 ? "a@x.example" : "A@X.example", 0, &g[i], i);

        one += say == HELD_SAY_ONE;
        later += say == HELD_SAY_LATER;
    }
    ok(one == 3 && later == 997, "of 1000 messages 3 are told of singly: %u, %u later", one, later);
    ok(ask(l, "b@x.example", 0, &other, 0) == HELD_SAY_ONE,
       "another sender has nothing to do with it");
    other = 0;
    ok(ask(l, "a@x.example", 1, &other, 0) == HELD_SAY_ONE, "nor have notices of the other kind");
    ok(ask(l, "a@x.example", 0, &g[5], 4 * MINUTE) == HELD_SAY_LATER &&
           due == BEGIN + 3 + 5 * MINUTE,
       "the others are told of five minutes after the first of them");
    ok(ask(l, "a@x.example", 0, &g[5], 5 * MINUTE + 3) == HELD_SAY_SUM && more == 997, "in one: %u",
       more);
    for (int i = 3; i < 1000; i++)
        said += i != 5 && ask(l, "a@x.example", 0, &g[i], 6 * MINUTE) == HELD_SAY_SAID;
    ok(said == 996, "and nobody is told again: %u", said);
    other = 0;
    ok(ask(l, "a@x.example", 0, &other, 7 * MINUTE) == HELD_SAY_LATER && due == BEGIN + HOUR,
       "what comes then is told of when the hour is over");
    ok(ask(l, "a@x.example", 0, &other, HOUR) == HELD_SAY_SUM && more == 1, "in one, of one");
    other = 0;
    ok(ask(l, "a@x.example", 0, &other, HOUR + 1) == HELD_SAY_ONE, "and then singly again");
    held_limit_free(&l);
    ok(!l, "freed");
}

static void
test_again(void)
{
    struct held_limit *l = held_limit_new(1);
    unsigned char a = 0, b = 0, c = 0;

    ok(ask(l, "a@x.example", 0, &a, 0) == HELD_SAY_ONE, "one is told of");
    held_limit_unsaid(l, span_of("a@x.example"), 0, 0, &a, BEGIN);
    ok(ask(l, "a@x.example", 0, &a, 1) == HELD_SAY_ONE, "and again, as the notice was not taken");
    ok(ask(l, "a@x.example", 0, &b, 2) == HELD_SAY_LATER &&
           ask(l, "a@x.example", 0, &c, 2) == HELD_SAY_LATER,
       "two are gathered");
    ok(ask(l, "a@x.example", 0, &c, 6 * MINUTE) == HELD_SAY_SUM && more == 2, "and told of");
    held_limit_unsaid(l, span_of("a@x.example"), 0, more, &c, BEGIN + 6 * MINUTE);
    ok(ask(l, "a@x.example", 0, &c, 7 * MINUTE) == HELD_SAY_SUM && more == 2, "again, both");
    ok(ask(l, "a@x.example", 0, &b, 8 * MINUTE) == HELD_SAY_SAID, "the other one with it");
    held_limit_free(&l);
}

static void
test_before(void)
{
    struct held_limit *l = held_limit_new(2);
    unsigned char g = 0;

    held_limit_seen(l, span_of("a@x.example"), 0, BEGIN - 10 * MINUTE, BEGIN);
    held_limit_seen(l, span_of("a@x.example"), 0, BEGIN - 50 * MINUTE, BEGIN);
    held_limit_seen(l, span_of("b@x.example"), 0, BEGIN - 70 * MINUTE, BEGIN);
    held_limit_seen(l, span_of("b@x.example"), 0, BEGIN + 70 * MINUTE, BEGIN);
    ok(ask(l, "a@x.example", 0, &g, 0) == HELD_SAY_LATER, "what was sent before counts");
    ok(due == BEGIN + 5 * MINUTE, "for the hour it was sent in");
    g = 0;
    ok(ask(l, "b@x.example", 0, &g, 0) == HELD_SAY_ONE, "what is longer ago does not");
    held_limit_free(&l);
}

/* The clock: set back, or far ahead. */
static void
test_clock(void)
{
    struct held_limit *l = held_limit_new(1);
    unsigned char a = 0, b = 0;

    ask(l, "a@x.example", 0, &a, 0);
    ask(l, "a@x.example", 0, &b, 1);
    ok(ask(l, "a@x.example", 0, &b, -48 * HOUR) == HELD_SAY_SUM && more == 1,
       "set back by days: nobody waits for days");
    held_limit_free(&l);
}

static void
test_many(void)
{
    struct held_limit *l = held_limit_new(1);
    unsigned char first = 0, last = 0, none = 0, g;
    char name[64];
    unsigned one = 0;

    ask(l, "first@x.example", 0, &none, 0);
    ask(l, "first@x.example", 0, &first, 0);
    for (int i = 0; i < 3 * HELD_LIMIT_SENDERS; i++) {
        snprintf(name, sizeof name, "u%d@x.example", i);
        g = 0;
        one += ask(l, name, 0, &g, i) == HELD_SAY_ONE;
    }
    ok(one == 3 * HELD_LIMIT_SENDERS, "any number of senders: %u", one);
    ok(ask(l, "first@x.example", 0, &first, 6 * MINUTE) == HELD_SAY_SUM, "what is gathered stays");
    for (int i = 0; i < HELD_LIMIT_SENDERS; i++) {
        snprintf(name, sizeof name, "v%d@x.example", i);
        for (int k = 0; k < 2; k++) {
            g = 0;
            ask(l, name, 0, &g, 7 * MINUTE);
        }
    }
    ok(ask(l, "last@x.example", 0, &last, 7 * MINUTE) == HELD_SAY_LATER, "no place: told later");
    g = 1;
    held_limit_unsaid(l, span_of("last@x.example"), 0, 4, &g, BEGIN + 7 * MINUTE);
    ok(g == 0, "and what is not taken is asked for anew");
    held_limit_free(&l);
}

int
main(void)
{
    test_flood();
    test_again();
    test_before();
    test_clock();
    test_many();
    return tap_done();
}
