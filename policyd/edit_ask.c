/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * edit_ask: requests to role edit, and their answers.
 *
 * Promises: each request is answered once, at the latest when its time is over; an
 * answer that comes later, or to a process before this one, is nobody's.
 */
#include "edit_ask.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "board.h"
#include "span.h"

#define TICK_MS 250

struct asked {
    uint64_t number; /* 0: free */
    int64_t until_ms;
    edit_ask_fn *fn;
    void *ctx;
};

struct edit_ask {
    int fd;
    int64_t limit_ms;
    uint64_t next;
    struct event *readable, *tick;
    struct asked asked[EDIT_ASKED_MAX];
};

static void
settle(struct asked *q, enum edit_verdict verdict, const char *text)
{
    struct asked was = *q;

    q->number = 0; /* first: fn may ask again */
    was.fn(was.ctx, verdict, text);
}

static struct asked *
find(struct edit_ask *a, uint64_t number)
{
    for (size_t i = 0; i < EDIT_ASKED_MAX; i++)
        if (a->asked[i].number == number)
            return &a->asked[i];
    return NULL;
}

static void
on_answer(evutil_socket_t fd, short what, void *ctx)
{
    struct edit_ask *a = ctx;
    struct edit_answer answer;
    struct asked *q;

    (void)what;
    if (recv(fd, &answer, sizeof answer, MSG_DONTWAIT | MSG_TRUNC) != (ssize_t)sizeof answer)
        return;
    answer.text[EDIT_TEXT - 1] = '\0';
    q = answer.id ? find(a, answer.id) : NULL;
    if (q)
        settle(q, answer.verdict, answer.text);
}

static void
on_tick(evutil_socket_t fd, short what, void *ctx)
{
    struct edit_ask *a = ctx;
    int64_t now = (int64_t)board_now_ms();

    (void)fd;
    (void)what;
    for (size_t i = 0; i < EDIT_ASKED_MAX; i++)
        if (a->asked[i].number && now >= a->asked[i].until_ms)
            settle(&a->asked[i], EDIT_UNSURE, "The directory did not answer in time");
}

/* Each step of a change may take edit.timeout: connect, bind, change, at each server. */
static int64_t
limit_of(const struct conf *conf)
{
    return 3000LL * conf->edit.timeout;
}

static int
listen_to(struct edit_ask *a, struct event_base *base)
{
    struct timeval every = {0, TICK_MS * 1000};

    a->readable = event_new(base, a->fd, EV_READ | EV_PERSIST, on_answer, a);
    a->tick = event_new(base, -1, EV_PERSIST, on_tick, a);
    return a->readable && a->tick && event_add(a->readable, NULL) == 0 &&
                   event_add(a->tick, &every) == 0
               ? 0
               : -1;
}

struct edit_ask *
edit_ask_new(struct event_base *base, int fd, const struct conf *conf)
{
    struct edit_ask *a = calloc(1, sizeof *a);

    if (!a)
        return NULL;
    a->fd = fd;
    a->limit_ms = limit_of(conf);
    /* Answers to who was here before us must not be taken for ours. */
    if (getrandom(&a->next, sizeof a->next, 0) != sizeof a->next)
        a->next = board_now_ms() << 20;
    if (fd >= 0 && listen_to(a, base) < 0)
        edit_ask_free(&a);
    return a;
}

void
edit_ask_free(struct edit_ask **ap)
{
    struct edit_ask *a = *ap;

    if (!a)
        return;
    if (a->readable)
        event_free(a->readable);
    if (a->tick)
        event_free(a->tick);
    free(a);
    *ap = NULL;
}

static int
take_dn(struct span s, char out[EDIT_DN])
{
    if (s.n == 0 || s.n >= EDIT_DN || memchr(s.p, '\0', s.n))
        return -1;
    memcpy(out, s.p, s.n);
    return 0;
}

/* Sent to the role: 0, or -1. */
static int
post(struct edit_ask *a, const struct asked *q, struct span actor, struct span target,
     uint64_t bytes)
{
    struct edit_request r;

    memset(&r, 0, sizeof r);
    r.id = q->number;
    r.until_ms = q->until_ms;
    r.bytes = bytes;
    if (take_dn(actor, r.actor) < 0 || take_dn(target, r.target) < 0)
        return -1;
    return send(a->fd, &r, sizeof r, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof r ? 0 : -1;
}

uint64_t
edit_ask_quota(struct edit_ask *a, struct span actor, struct span target, uint64_t bytes,
               edit_ask_fn *fn, void *ctx)
{
    struct asked *q = a->fd < 0 ? NULL : find(a, 0);

    if (!q)
        return 0;
    a->next += a->next + 1 == 0 ? 2 : 1;
    *q = (struct asked){a->next, (int64_t)board_now_ms() + a->limit_ms, fn, ctx};
    if (post(a, q, actor, target, bytes) == 0)
        return q->number;
    q->number = 0;
    return 0;
}

int
edit_ask_works(const struct edit_ask *a)
{
    return a->fd >= 0;
}

static void
nobody(void *ctx, enum edit_verdict verdict, const char *text)
{
    (void)ctx;
    (void)verdict;
    (void)text;
}

void
edit_ask_forget(struct edit_ask *a, uint64_t number)
{
    struct asked *q = number ? find(a, number) : NULL;

    if (q)
        q->fn = nobody;
}
