/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * access_client: questions to the access socket, one connection for each.
 *
 * Promises: each is answered or given up within ACCESS_CLIENT_MS; one that loses its
 * connection before the answer, as at a reload, is asked once more. Must not block the
 * loop, whatever the other end does.
 */
#include "access_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>

#include "board.h"

struct access_asked {
    TAILQ_ENTRY(access_asked) link;
    struct access_client *client;
    struct event *ev;
    int fd, again; /* again: it may be asked once more */
    int64_t until_ms;
    access_client_fn *fn;
    void *ctx;
    size_t request_n, got;
    char request[TABLINE_MAX], answer[TABLINE_MAX];
};

struct access_client {
    struct event_base *base;
    struct sockaddr_un address;
    TAILQ_HEAD(, access_asked) asked;
    unsigned n;
};

static void on_answer(evutil_socket_t fd, short what, void *ctx);

struct access_client *
access_client_new(struct event_base *base, const char *address)
{
    struct access_client *c = calloc(1, sizeof *c);
    const char *path = strncmp(address, "unix:", 5) == 0 ? address + 5 : address;

    if (!c)
        return NULL;
    c->base = base;
    c->address.sun_family = AF_UNIX;
    if (strlen(path) < sizeof c->address.sun_path)
        memcpy(c->address.sun_path, path, strlen(path));
    TAILQ_INIT(&c->asked);
    return c;
}

static void
hang_up(struct access_asked *q)
{
    if (q->ev)
        event_free(q->ev);
    q->ev = NULL;
    if (q->fd >= 0)
        close(q->fd);
    q->fd = -1;
}

void
access_client_forget(struct access_asked **qp)
{
    struct access_asked *q = *qp;

    if (!q)
        return;
    hang_up(q);
    TAILQ_REMOVE(&q->client->asked, q, link);
    q->client->n--;
    free(q);
    *qp = NULL;
}

/* Wait for more of the answer, until its time is over. */
static int
wait_more(struct access_asked *q)
{
    int64_t left = q->until_ms - (int64_t)board_now_ms();
    struct timeval tv = {left > 0 ? left / 1000 : 0, left > 0 ? left % 1000 * 1000 : 0};

    return event_add(q->ev, &tv);
}

/* A line that is far smaller than what the kernel keeps for a fresh connection is taken at once. */
static int
send_request(struct access_asked *q)
{
    struct access_client *c = q->client;

    q->got = 0;
    q->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (q->fd < 0)
        return -1;
    if (connect(q->fd, (struct sockaddr *)&c->address, sizeof c->address) < 0 ||
        send(q->fd, q->request, q->request_n, MSG_NOSIGNAL) != (ssize_t)q->request_n)
        return -1;
    q->ev = event_new(c->base, q->fd, EV_READ, on_answer, q);
    return q->ev ? wait_more(q) : -1;
}

static void
settle(struct access_asked *q, const struct tabline *answer)
{
    access_client_fn *fn = q->fn;
    void *ctx = q->ctx;

    if (answer) { /* it points into q */
        hang_up(q);
        fn(ctx, answer);
        access_client_forget(&q);
        return;
    }
    access_client_forget(&q);
    fn(ctx, NULL);
}

void
access_client_free(struct access_client **cp)
{
    struct access_client *c = *cp;
    struct access_asked *q;

    while (c && (q = TAILQ_FIRST(&c->asked)))
        settle(q, NULL);
    free(c);
    *cp = NULL;
}

/* Once more, if it may be: the process that was asked is going, another one comes. 0, or -1. */
static int
ask_again(struct access_asked *q)
{
    hang_up(q);
    if (!q->again)
        return -1;
    q->again = 0;
    return send_request(q);
}

static void
lost(struct access_asked *q)
{
    if (ask_again(q) < 0)
        settle(q, NULL);
}

static void
on_answer(evutil_socket_t fd, short what, void *ctx)
{
    struct access_asked *q = ctx;
    struct tabline answer;
    ssize_t n;
    long used;

    /* Also when the time is over: who stood still himself is told of that first, of the answer later. */
    n = read(fd, q->answer + q->got, sizeof q->answer - q->got);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        if (what & EV_TIMEOUT || wait_more(q) < 0)
            settle(q, NULL);
        return;
    }
    if (n <= 0) {
        if (what & EV_TIMEOUT)
            settle(q, NULL);
        else
            lost(q);
        return;
    }
    q->got += (size_t)n;
    used = tabline_parse(q->answer, q->got, &answer);
    if (used > 0)
        settle(q, &answer);
    else if (used < 0 || wait_more(q) < 0)
        settle(q, NULL);
}

struct access_asked *
access_client_ask(struct access_client *c, const char *line, size_t n, access_client_fn *fn,
                  void *ctx)
{
    struct access_asked *q;

    if (c->n >= ACCESS_CLIENT_MAX || n == 0 || n > sizeof q->request || !*c->address.sun_path)
        return NULL;
    q = malloc(sizeof *q);
    if (!q)
        return NULL;
    *q = (struct access_asked){.client = c, .fd = -1, .again = 1, .fn = fn, .ctx = ctx};
    q->until_ms = (int64_t)board_now_ms() + ACCESS_CLIENT_MS;
    memcpy(q->request, line, n);
    q->request_n = n;
    TAILQ_INSERT_TAIL(&c->asked, q, link);
    c->n++;
    if (send_request(q) < 0 && ask_again(q) < 0)
        access_client_forget(&q);
    return q;
}
