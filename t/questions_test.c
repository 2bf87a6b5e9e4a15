/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of questions from one role to another: each gets one answer, its own, or none in time; what
 * is late, forged, too long or asked by a process before this one is nobody's.
 */
#include <event2/event.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "policyd/questions.h"
#include "t/tap.h"

#define ROOM 3

struct asker {
    struct questions *t;
    unsigned told, late, heard; /* heard: answers that reached the asker, whoever's they are */
    uint64_t last;              /* whose answer it was */
    int ask_again;
    uint64_t again;
};

static struct event_base *base;
static int pair[2];

static void
nothing(void)
{
}

static uint64_t
ask(struct asker *a, uint64_t caller)
{
    struct question *q = questions_begin(a->t, nothing, a, caller);

    return q ? questions_post(a->t, q, &q->number, sizeof q->number) : 0;
}

static void
answered(void *ctx, const void *answer, size_t n)
{
    struct asker *a = ctx;
    struct question q;
    uint64_t number;

    a->heard++;
    if (n != sizeof number)
        return;
    memcpy(&number, answer, n);
    if (questions_take(a->t, number, &q)) {
        a->told += q.fn == nothing && q.ctx == a;
        a->last = q.caller;
    }
}

static void
late(void *ctx, const struct question *q)
{
    struct asker *a = ctx;

    a->late++;
    a->last = q->caller;
    if (a->ask_again)
        a->again = ask(a, 7);
    a->ask_again = 0;
}

static const struct questions_kind kind = {ROOM, 64, answered, late};

static void
begin(struct asker *a, int64_t limit_ms)
{
    *a = (struct asker){0};
    if (!base)
        base = event_base_new();
    if (!base || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        exit(1);
    a->t = questions_new(base, pair[0], &kind, limit_ms, a);
    if (!a->t)
        exit(1);
}

static void
end(struct asker *a)
{
    questions_free(&a->t);
    close(pair[0]);
    if (pair[1] >= 0)
        close(pair[1]);
}

static void
answer(uint64_t number)
{
    (void)!send(pair[1], &number, sizeof number, 0);
}

static void
look(void)
{
    event_base_loop(base, EVLOOP_NONBLOCK);
}

static void
try_answers(void)
{
    struct asker a;
    uint64_t one, two, got = 0;
    char much[65] = "";

    begin(&a, 60000);
    one = ask(&a, 11);
    two = ask(&a, 12);
    ok(one && two && one != two, "each has a number of its own");
    ok(recv(pair[1], &got, sizeof got, MSG_DONTWAIT) == sizeof got && got == one, "it is sent");
    answer(two);
    look();
    ok(a.told == 1 && a.last == 12, "an answer goes to who asked");
    answer(two);
    look();
    ok(a.heard == 2 && a.told == 1, "and once");
    answer(0);
    look();
    answer(one + 1000);
    look();
    ok(a.heard == 4 && a.told == 1, "number 0, and one that was not asked, are nobody's");
    (void)!send(pair[1], much, sizeof much, 0);
    look();
    is_int(a.heard, 4, "an answer that is too long is not looked at");
    answer(one);
    look();
    ok(a.told == 2 && a.last == 11, "the other still waits for its own");
    end(&a);
}

static void
try_room(void)
{
    struct question *q, gone;
    struct asker a;
    uint64_t first;

    begin(&a, 60000);
    first = ask(&a, 1);
    ask(&a, 2);
    q = questions_begin(a.t, nothing, &a, 3);
    ok(q && !questions_begin(a.t, nothing, &a, 4), "there is room for so many");
    questions_drop(q);
    ok(ask(&a, 3) != 0, "one that was not sent leaves its place");
    questions_forget(a.t, first);
    questions_forget(a.t, 0);
    is_int((long long)ask(&a, 4), 0,
           "one that nobody waits for keeps it: the other role has it to do");
    answer(first);
    look();
    ok(a.heard == 1 && a.told == 0, "until it is answered, to nobody");
    ok(ask(&a, 4) != 0, "then it is free");
    is_int(questions_take(a.t, first, &gone), 0, "and its number is nobody's");
    end(&a);
}

static void
try_late(void)
{
    struct asker a;
    uint64_t one, two;

    begin(&a, 1);
    one = ask(&a, 5);
    two = ask(&a, 6);
    ask(&a, 8);
    questions_forget(a.t, two);
    a.ask_again = 1;
    while (a.late < 3)
        event_base_loop(base, EVLOOP_ONCE);
    ok(a.late == 3 && a.last == 7, "who waits is told once that none came, who is gone is not");
    ok(a.again > two, "who is told may ask again at once, there is room");
    answer(one);
    look();
    ok(a.heard == 1 && a.told == 0, "an answer that comes later is nobody's");
    end(&a);
}

/* We stood still for longer than anybody waits, and what came meanwhile came in time. */
static void
try_stood_still(void)
{
    struct asker a;
    uint64_t one, two;

    begin(&a, 1);
    one = ask(&a, 5);
    two = ask(&a, 6);
    answer(one);
    answer(two);
    usleep(400 * 1000); /* more than their time, and than it takes us to look at it */
    look();
    look();
    ok(a.told == 2 && a.late == 0,
       "answers that are there are heard before anybody is told that none came");
    end(&a);
}

static void
try_gone(void)
{
    struct asker a, b;
    uint64_t first;
    int before;

    begin(&a, 60000);
    before = event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED);
    first = ask(&a, 1);
    ok(first > 0 && first <= INT64_MAX, "a number fits into JSON");
    close(pair[1]);
    pair[1] = -1;
    for (int i = 0; i < 3; i++)
        look(); /* the reset, then the end */
    is_int(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED), before - 1,
           "the end of the pair is taken note of once, then only time counts");
    is_int((long long)ask(&a, 2), 0, "what can't be sent is not asked");
    ok(questions_begin(a.t, nothing, &a, 2) && questions_begin(a.t, nothing, &a, 3),
       "and leaves its place");
    end(&a);
    begin(&b, 60000);
    ok(ask(&b, 1) - first > 1000, "another process counts from elsewhere");
    end(&b);
    b = (struct asker){.t = questions_new(base, -1, &kind, 60000, &b)};
    ok(b.t && !questions_work(b.t) && ask(&b, 1) == 0, "without the other role nothing is asked");
    questions_free(&b.t);
    ok(!b.t, "free");
}

int
main(void)
{
    alarm(60);
    try_answers();
    try_room();
    try_late();
    try_stood_still();
    try_gone();
    event_base_free(base);
    return tap_done();
}
