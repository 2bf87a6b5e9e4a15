/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_ask: see held_ask.h.
 *
 * Promises: each question is answered once, at the latest when its time is over; an answer that comes
 * later, or to a process before this one, is nobody's.
 */
#include "held_ask.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "board.h"

#define TICK_MS 250

struct asked {
    int64_t number, until_ms; /* number 0: free */
    uint64_t caller;
};

struct held_ask {
    int fd;
    int64_t next;
    held_ask_fn *fn;
    void *ctx;
    struct event *readable, *tick;
    struct asked asked[HELD_ASKED_MAX];
    char buf[HELD_ASK_MAX];
};

static struct asked *
find(struct held_ask *a, int64_t number)
{
    for (size_t i = 0; i < HELD_ASKED_MAX; i++)
        if (a->asked[i].number == number)
            return &a->asked[i];
    return NULL;
}

static void
settle(struct held_ask *a, struct asked *q, json_t *reply)
{
    q->number = 0;
    a->fn(a->ctx, q->caller, reply);
}

static void
on_answer(evutil_socket_t fd, short what, void *ctx)
{
    struct held_ask *a = ctx;
    ssize_t n = recv(fd, a->buf, sizeof a->buf, MSG_DONTWAIT | MSG_TRUNC);
    json_t *message =
        n > 0 && (size_t)n <= sizeof a->buf ? json_loadb(a->buf, (size_t)n, 0, NULL) : NULL;
    int64_t number = json_integer_value(json_object_get(message, "number"));
    json_t *reply = json_object_get(message, "reply");
    struct asked *q = number ? find(a, number) : NULL;

    (void)what;
    if (q)
        settle(a, q, json_incref(reply));
    json_decref(message);
}

static void
on_tick(evutil_socket_t fd, short what, void *ctx)
{
    struct held_ask *a = ctx;
    int64_t now = (int64_t)board_now_ms();

    (void)fd;
    (void)what;
    for (size_t i = 0; i < HELD_ASKED_MAX; i++)
        if (a->asked[i].number && now >= a->asked[i].until_ms)
            settle(a, &a->asked[i], NULL);
}

static int
listen_to(struct held_ask *a, struct event_base *base)
{
    struct timeval every = {0, TICK_MS * 1000};

    a->readable = event_new(base, a->fd, EV_READ | EV_PERSIST, on_answer, a);
    a->tick = event_new(base, -1, EV_PERSIST, on_tick, a);
    return a->readable && a->tick && event_add(a->readable, NULL) == 0 &&
                   event_add(a->tick, &every) == 0
               ? 0
               : -1;
}

struct held_ask *
held_ask_new(struct event_base *base, int fd, held_ask_fn *fn, void *ctx)
{
    struct held_ask *a = calloc(1, sizeof *a);
    uint32_t random = 0;

    if (!a)
        return NULL;
    a->fd = fd;
    a->fn = fn;
    a->ctx = ctx;
    /* Answers to who was here before us must not be taken for ours. */
    if (getrandom(&random, sizeof random, 0) != sizeof random)
        random = (uint32_t)board_now_ms();
    a->next = (int64_t)random << 24;
    if (fd >= 0 && listen_to(a, base) < 0)
        held_ask_free(&a);
    return a;
}

void
held_ask_free(struct held_ask **ap)
{
    struct held_ask *a = *ap;

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
held_ask_works(const struct held_ask *a)
{
    return a->fd >= 0;
}

int
held_ask(struct held_ask *a, uint64_t caller, json_t *request)
{
    struct asked *q = a->fd < 0 ? NULL : find(a, 0);
    char *text;
    int rc = -1;

    if (!q)
        return -1;
    *q = (struct asked){++a->next, (int64_t)board_now_ms() + HELD_ASK_MS, caller};
    json_object_set_new(request, "number", json_integer(q->number));
    json_object_set_new(request, "until_ms", json_integer(q->until_ms));
    text = json_dumps(request, JSON_COMPACT);
    if (text && send(a->fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
        rc = 0;
    else
        q->number = 0;
    free(text);
    return rc;
}
