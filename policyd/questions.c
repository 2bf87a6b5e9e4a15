/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * questions: see questions.h.
 *
 * Promises: each question is answered once, at the latest when its time is over; an answer that comes
 * later, or to a process before this one, is nobody's. Must not take silence for an answer, and takes no
 * more memory than it did at first.
 */
#include "questions.h"

#include <event2/event.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "board.h"

#define TICK_MS 250

struct questions {
    const struct questions_kind *kind;
    int fd;
    int64_t limit_ms;
    void *ctx;
    uint64_t next;
    struct event *readable, *tick;
    struct question *all; /* number 0: free */
    void *answer;
};

static struct question *
find(struct questions *t, uint64_t number)
{
    for (size_t i = 0; i < t->kind->max; i++)
        if (t->all[i].number == number)
            return &t->all[i];
    return NULL;
}

/* Its place is free before anybody hears of it, who may ask again. 1: there is somebody. */
static int
take(struct question *q, struct question *q_r)
{
    *q_r = *q;
    q->number = 0;
    return q_r->fn != NULL;
}

/* 1: there was one. */
static int
hear(struct questions *t)
{
    ssize_t n = recv(t->fd, t->answer, t->kind->answer_max, MSG_DONTWAIT | MSG_TRUNC);

    if (n == 0)
        event_del(t->readable); /* nobody is left who could answer */
    else if (n > 0 && (size_t)n <= t->kind->answer_max)
        t->kind->answered(t->ctx, t->answer, (size_t)n);
    return n > 0;
}

static void
on_answer(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    hear(ctx);
}

static void
on_tick(evutil_socket_t fd, short what, void *ctx)
{
    struct questions *t = ctx;
    int64_t now = (int64_t)board_now_ms();
    struct question q;

    (void)fd;
    (void)what;
    /* Who stood still himself may have answers that came in time. */
    for (size_t i = 0; i < t->kind->max && hear(t); i++)
        ;
    for (size_t i = 0; i < t->kind->max; i++)
        if (t->all[i].number && now >= t->all[i].until_ms && take(&t->all[i], &q))
            t->kind->late(t->ctx, &q);
}

static int
listen_to(struct questions *t, struct event_base *base)
{
    struct timeval every = {0, TICK_MS * 1000};

    t->readable = event_new(base, t->fd, EV_READ | EV_PERSIST, on_answer, t);
    t->tick = event_new(base, -1, EV_PERSIST, on_tick, t);
    return t->readable && t->tick && event_add(t->readable, NULL) == 0 &&
                   event_add(t->tick, &every) == 0
               ? 0
               : -1;
}

/* Answers to who was here before us must not be taken for ours. */
static uint64_t
first_number(void)
{
    uint64_t n;

    if (getrandom(&n, sizeof n, 0) != sizeof n)
        n = board_now_ms() << 20;
    return n >> 2; /* it never gets to 2^63 */
}

struct questions *
questions_new(struct event_base *base, int fd, const struct questions_kind *kind, int64_t limit_ms,
              void *ctx)
{
    struct questions *t = calloc(1, sizeof *t);

    if (!t)
        return NULL;
    t->kind = kind;
    t->fd = fd;
    t->limit_ms = limit_ms;
    t->ctx = ctx;
    t->next = first_number();
    t->all = calloc(kind->max, sizeof *t->all);
    t->answer = malloc(kind->answer_max);
    if (!t->all || !t->answer || (fd >= 0 && listen_to(t, base) < 0))
        questions_free(&t);
    return t;
}

void
questions_free(struct questions **tp)
{
    struct questions *t = *tp;

    if (!t)
        return;
    if (t->readable)
        event_free(t->readable);
    if (t->tick)
        event_free(t->tick);
    free(t->all);
    free(t->answer);
    free(t);
    *tp = NULL;
}

int
questions_work(const struct questions *t)
{
    return t->fd >= 0;
}

struct question *
questions_begin(struct questions *t, questions_fn *fn, void *ctx, uint64_t caller)
{
    struct question *q = t->fd < 0 ? NULL : find(t, 0);

    if (q)
        *q = (struct question){++t->next, (int64_t)board_now_ms() + t->limit_ms, fn, ctx, caller};
    return q;
}

uint64_t
questions_post(struct questions *t, struct question *q, const void *message, size_t n)
{
    if (send(t->fd, message, n, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)n)
        questions_drop(q);
    return q->number;
}

void
questions_drop(struct question *q)
{
    q->number = 0;
}

int
questions_take(struct questions *t, uint64_t number, struct question *q_r)
{
    struct question *q = number ? find(t, number) : NULL;

    return q ? take(q, q_r) : 0;
}

void
questions_forget(struct questions *t, uint64_t number)
{
    struct question *q = number ? find(t, number) : NULL;

    if (q)
        q->fn = NULL;
}
