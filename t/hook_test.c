/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hook_queue: order per account, accounts and targets that don't hold one another back,
 * back-off, doubt of a target that fails, removal, also of what is on its way.
 */
#include "../policyd/hook_queue.h"

#include <stdlib.h>

#include "tap.h"

static const struct hook_limits limits = {2, 1000, 60000};
static uint64_t last;

static struct hook_item *
add(struct hook_queue *q, unsigned target, const char *account)
{
    return hook_queue_add(q, target, span_of(account), ++last, 0, 100);
}

static uint64_t
seq(const struct hook_item *item)
{
    return item ? item->seq : 0;
}

static void
test_order(void)
{
    struct hook_queue *q = hook_queue_new(2, &limits);
    struct hook_item *a, *b;

    last = 0;
    add(q, 0, "anna");  /* 1 */
    add(q, 0, "anna");  /* 2 */
    add(q, 0, "berta"); /* 3 */
    add(q, 1, "anna");  /* 4 */
    a = hook_queue_take(q, 0, 0);
    b = hook_queue_take(q, 0, 0);
    is_int((long)seq(a), 1, "the first one goes first");
    is_int((long)seq(b), 3, "anna's second waits for her first, berta's does not");
    ok(!hook_queue_take(q, 0, 0), "no more than may fly at once");
    is_int(hook_queue_when(q, 0), INT64_MAX, "nor when");
    is_int((long)seq(hook_queue_take(q, 1, 0)), 4, "another target has its own order");
    hook_queue_done(q, a);
    is_int((long)seq(a = hook_queue_take(q, 0, 0)), 2, "then her second");
    hook_queue_failed(q, a, 5000);
    ok(!hook_queue_take(q, 0, 5999), "it failed, and waits");
    is_int(hook_queue_when(q, 0), 6000, "for a second");
    add(q, 0, "anna"); /* 5 */
    is_int((long)seq(a = hook_queue_take(q, 0, 6000)), 2, "and goes before what came later");
    hook_queue_failed(q, a, 6000);
    is_int(hook_queue_when(q, 0), 8000, "two seconds the next time");
    hook_queue_done(q, b);
    is_int((long)hook_queue_count(q), 3, "three are left");
    is_int((long)hook_queue_bytes(q), 300, "with their bytes");
    hook_queue_free(&q);
    ok(!q, "freed, also what flies");
}

static void
test_backoff(void)
{
    is_int(hook_backoff(&limits, 1), 1000, "back-off begins with the least");
    is_int(hook_backoff(&limits, 6), 32000, "doubles");
    is_int(hook_backoff(&limits, 7), 60000, "up to the most");
    is_int(hook_backoff(&limits, 4000000000u), 60000, "and stays there");
}

static void
test_doubt(void)
{
    struct hook_queue *q = hook_queue_new(1, &limits);
    struct hook_item *item = NULL, *more;
    char name[16];
    int64_t now = 0;

    last = 0;
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "u%d", i);
        add(q, 0, name);
    }
    for (int i = 0; i < HOOK_DOUBT; i++)
        hook_queue_failed(q, hook_queue_take(q, 0, now), now);
    ok(hook_queue_doubted(q, 0), "four failures in a row: doubted");
    ok(!hook_queue_take(q, 0, now), "nobody else tries at once");
    now = hook_queue_when(q, 0);
    is_int(now, 1000, "but after a second");
    item = hook_queue_take(q, 0, now);
    ok(item && !hook_queue_take(q, 0, now), "one at a time");
    hook_queue_failed(q, item, now);
    is_int(hook_queue_when(q, 0), now + 2000, "the pause doubles");
    now = 100000;
    hook_queue_done(q, hook_queue_take(q, 0, now));
    ok(!hook_queue_doubted(q, 0), "it takes one: trusted again");
    item = hook_queue_take(q, 0, now);
    more = hook_queue_take(q, 0, now);
    ok(item && more, "and others go on at once");
    hook_queue_free(&q);
}

/* One event that always fails holds back nobody but its account. */
static void
test_poison(void)
{
    struct hook_queue *q = hook_queue_new(1, &limits);
    struct hook_item *item;
    int64_t now = 0;
    int sent = 0;

    last = 0;
    add(q, 0, "bad"); /* 1 */
    add(q, 0, "bad"); /* 2 */
    for (int i = 0; i < 50; i++) {
        add(q, 0, "good");
        while ((item = hook_queue_take(q, 0, now))) {
            if (item->seq == 1) {
                hook_queue_failed(q, item, now);
            } else {
                sent += item->seq != 2;
                hook_queue_done(q, item);
            }
        }
        now += 100;
    }
    is_int(sent, 50, "others' events all go");
    is_int((long)hook_queue_count(q), 2, "the account's own wait");
    hook_queue_free(&q);
}

static void
test_remove(void)
{
    struct hook_queue *q = hook_queue_new(1, &limits);
    struct hook_item *a, *b;

    last = 0;
    a = add(q, 0, "anna");
    b = add(q, 0, "anna");
    add(q, 0, "anna");
    hook_queue_remove(q, b);
    is_int((long)hook_queue_count(q), 2, "one in the middle is removed");
    is_int((long)seq(hook_queue_oldest(q)), 1, "the oldest is the first");
    is_int((long)seq(hook_queue_after(hook_queue_oldest(q))), 3, "then the third");
    ok(hook_queue_find(q, 3) && !hook_queue_find(q, 2), "found by number, or not");
    is_int((long)seq(hook_queue_take(q, 0, 0)), 1, "the first flies");
    hook_queue_remove(q, a);
    is_int((long)hook_queue_count(q), 1, "and is removed meanwhile");
    ok(!hook_queue_take(q, 0, 0), "the next one waits until it has landed");
    hook_queue_failed(q, a, 0);
    is_int((long)seq(hook_queue_take(q, 0, 0)), 3, "then goes");
    hook_queue_free(&q);
}

/* Many lanes, taken in the order of their numbers; random ends. */
static void
test_many(void)
{
    struct hook_queue *q = hook_queue_new(1, &(struct hook_limits){1000, 1, 50});
    struct hook_item *item;
    static uint64_t seen[100];
    char name[16];
    int wrong = 0, left = 5000;
    int64_t now = 0;

    last = 0;
    srand(7);
    for (int i = 0; i < left; i++) {
        snprintf(name, sizeof name, "%d", i % 100);
        add(q, 0, name);
    }
    for (; left > 0 && now < 1000000; now++)
        while ((item = hook_queue_take(q, 0, now))) {
            if (rand() % 3 == 0) {
                hook_queue_failed(q, item, now);
                continue;
            }
            wrong += item->seq <= seen[(item->seq - 1) % 100];
            seen[(item->seq - 1) % 100] = item->seq;
            hook_queue_done(q, item);
            left--;
        }
    is_int(left, 0, "5000 events of 100 accounts all go");
    is_int(wrong, 0, "each account's in order");
    hook_queue_free(&q);
}

int
main(void)
{
    test_order();
    test_backoff();
    test_doubt();
    test_poison();
    test_remove();
    test_many();
    return tap_done();
}
