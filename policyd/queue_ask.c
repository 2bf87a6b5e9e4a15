/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * queue_ask: requests to role queue, and their answers.
 *
 * Promises: each request is answered once, at the latest when its time is over; an answer that comes
 * later, or to a process before this one, is nobody's. Must not take silence for either answer.
 */
#include "queue_ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "board.h"

#define TICK_MS 250

struct asked {
    uint64_t number; /* 0: free */
    int64_t until_ms;
    queue_ask_fn *fn;
    void *ctx;
};

struct queue_ask {
    int fd;
    int64_t limit_ms;
    uint64_t next;
    struct event *readable, *tick;
    struct asked asked[QUEUE_ASKED_MAX];
};

static void
settle(struct asked *q, const struct queue_answer *a)
{
    struct asked was = *q;

    q->number = 0; /* first: fn may ask again */
    was.fn(was.ctx, a);
}

static struct asked *
find(struct queue_ask *a, uint64_t number)
{
    for (size_t i = 0; i < QUEUE_ASKED_MAX; i++)
        if (a->asked[i].number == number)
            return &a->asked[i];
    return NULL;
}

static void
on_answer(evutil_socket_t fd, short what, void *ctx)
{
    struct queue_ask *a = ctx;
    struct queue_answer answer;
    struct asked *q;

    (void)what;
    if (recv(fd, &answer, sizeof answer, MSG_DONTWAIT | MSG_TRUNC) != (ssize_t)sizeof answer)
        return;
    answer.text[QUEUE_TEXT - 1] = '\0';
    q = answer.id ? find(a, answer.id) : NULL;
    if (q)
        settle(q, &answer);
}

static void
on_tick(evutil_socket_t fd, short what, void *ctx)
{
    struct queue_answer late = {.verdict = QUEUE_UNSURE, .why = QUEUE_TROUBLE};
    struct queue_ask *a = ctx;
    int64_t now = (int64_t)board_now_ms();

    (void)fd;
    (void)what;
    snprintf(late.text, sizeof late.text, "Postfix's queue could not be asked in time");
    for (size_t i = 0; i < QUEUE_ASKED_MAX; i++)
        if (a->asked[i].number && now >= a->asked[i].until_ms)
            settle(&a->asked[i], &late);
}

static int
listen_to(struct queue_ask *a, struct event_base *base)
{
    struct timeval every = {0, TICK_MS * 1000};

    a->readable = event_new(base, a->fd, EV_READ | EV_PERSIST, on_answer, a);
    a->tick = event_new(base, -1, EV_PERSIST, on_tick, a);
    return a->readable && a->tick && event_add(a->readable, NULL) == 0 &&
                   event_add(a->tick, &every) == 0
               ? 0
               : -1;
}

/* One list that is under way, two of its own, what is done, and what others have done before it. */
static int64_t
limit_of(const struct conf *conf)
{
    return 6000LL * conf->queue.timeout;
}

struct queue_ask *
queue_ask_new(struct event_base *base, int fd, const struct conf *conf)
{
    struct queue_ask *a = calloc(1, sizeof *a);

    if (!a)
        return NULL;
    a->fd = fd;
    a->limit_ms = limit_of(conf);
    /* Answers to who was here before us must not be taken for ours. */
    if (getrandom(&a->next, sizeof a->next, 0) != sizeof a->next)
        a->next = board_now_ms() << 20;
    if (fd >= 0 && listen_to(a, base) < 0)
        queue_ask_free(&a);
    return a;
}

void
queue_ask_free(struct queue_ask **ap)
{
    struct queue_ask *a = *ap;

    if (!a)
        return;
    if (a->readable)
        event_free(a->readable);
    if (a->tick)
        event_free(a->tick);
    free(a);
    *ap = NULL;
}

int
queue_ask_works(const struct queue_ask *a)
{
    return a->fd >= 0;
}

static uint64_t
ask(struct queue_ask *a, enum queue_word word, const char *queue_id, int64_t not_after_s,
    queue_ask_fn *fn, void *ctx)
{
    struct queue_request r;
    struct asked *q = a->fd < 0 ? NULL : find(a, 0);

    if (!q || !queue_id_is(queue_id, strlen(queue_id)))
        return 0;
    a->next += a->next + 1 == 0 ? 2 : 1;
    memset(&r, 0, sizeof r);
    r.id = a->next;
    r.until_ms = (int64_t)board_now_ms() + a->limit_ms;
    r.not_after_s = not_after_s;
    r.word = word;
    snprintf(r.queue_id, sizeof r.queue_id, "%s", queue_id);
    if (send(a->fd, &r, sizeof r, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)sizeof r)
        return 0;
    *q = (struct asked){r.id, r.until_ms, fn, ctx};
    return r.id;
}

uint64_t
queue_ask_look(struct queue_ask *a, const char *queue_id, queue_ask_fn *fn, void *ctx)
{
    return ask(a, QUEUE_LOOK, queue_id, 0, fn, ctx);
}

uint64_t
queue_ask_release(struct queue_ask *a, const char *queue_id, int64_t not_after_s, queue_ask_fn *fn,
                  void *ctx)
{
    return ask(a, QUEUE_RELEASE, queue_id, not_after_s, fn, ctx);
}

uint64_t
queue_ask_delete(struct queue_ask *a, const char *queue_id, int64_t not_after_s, queue_ask_fn *fn,
                 void *ctx)
{
    return ask(a, QUEUE_DELETE, queue_id, not_after_s, fn, ctx);
}

static void
nobody(void *ctx, const struct queue_answer *a)
{
    (void)ctx;
    (void)a;
}

void
queue_ask_forget(struct queue_ask *a, uint64_t number)
{
    struct asked *q = number ? find(a, number) : NULL;

    if (q)
        q->fn = nobody;
}
