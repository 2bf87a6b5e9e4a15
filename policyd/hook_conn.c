/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hook_conn: who tells of new mail, on sockets.hook: lines as of tabline.h, each with one
 * answer, in order: "event ..." is answered "ok" when it is on disk.
 *
 * Promises: at most CONN_MAX connections, the one idle longest gives way; at most a few
 * lines of each are held. Administrators' words are only for root, our own user, and
 * who is in our group.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "beat.h"
#include "hook.h"

#define CONN_MAX 1000
#define IDLE_MS  60000

struct hook_conn {
    TAILQ_ENTRY(hook_conn) link; /* the one idle longest first */
    struct hook *hook;
    struct bufferevent *bev;
    int64_t alive_ms;
    int may_administer;
    unsigned waits; /* answers that wait for the disk */
};

static void
conn_close(struct hook_conn *c)
{
    struct hook *h = c->hook;

    for (unsigned i = 0; i < h->nbatch; i++)
        if (h->batch[i].conn == c)
            h->batch[i].conn = NULL;
    TAILQ_REMOVE(&h->conns, c, link);
    h->nconns--;
    bufferevent_free(c->bev);
    free(c);
}

/* Who can't be given his answer hears the end of the connection, which on_end closes. */
static void
say(struct hook_conn *c, const char *line)
{
    if (bufferevent_write(c->bev, line, strlen(line)) < 0)
        shutdown(bufferevent_getfd(c->bev), SHUT_RDWR);
}

void
hook_conn_answer(struct hook_conn *c, const char *line)
{
    if (c->waits > 0)
        c->waits--;
    say(c, line);
}

/* An answer that need not wait, behind those that do. */
static void
answer_now(struct hook_conn *c, const char *line)
{
    if (c->waits > 0)
        hook_commit(c->hook);
    say(c, line);
}

static void
take_event(struct hook_conn *c, const struct tabline *l)
{
    struct hook_entry e;
    int rc = hook_event_take(c->hook, l, &e);

    if (rc <= 0) {
        answer_now(c, rc == 0 ? "ok\n" : "unsure\twhy=no memory\n");
        return;
    }
    e.conn = c;
    c->waits++;
    hook_enter(c->hook, &e);
}

static void
take_line(struct hook_conn *c, const struct tabline *l)
{
    if (span_same(l->word, span_of("event"))) {
        take_event(c, l);
    } else if (!c->may_administer) {
        answer_now(c, "error\ttext=only administrators may ask that\n");
    } else {
        if (c->waits > 0)
            hook_commit(c->hook);
        hook_words_answer(c->hook, c, l);
    }
}

/* 0, or -1: no line can follow. */
static int
take_lines(struct hook_conn *c)
{
    struct evbuffer *in = bufferevent_get_input(c->bev);
    struct tabline l;
    char line[TABLINE_MAX];
    long used;

    while (evbuffer_get_length(in) > 0) {
        ev_ssize_t n = evbuffer_copyout(in, line, sizeof line);

        used = tabline_parse(line, (size_t)n, &l);
        if (used == 0)
            return 0;
        if (used < 0) {
            answer_now(c, "error\ttext=no line of the protocol\n");
            return -1;
        }
        take_line(c, &l);
        evbuffer_drain(in, (size_t)used);
    }
    return 0;
}

/* The last answer is out. */
static void
on_written(struct bufferevent *bev, void *ctx)
{
    (void)bev;
    conn_close(ctx);
}

static void on_end(struct bufferevent *bev, short what, void *ctx);

static void
on_read(struct bufferevent *bev, void *ctx)
{
    struct hook_conn *c = ctx;
    unsigned skipped;

    (void)bev;
    c->alive_ms = beat_now();
    TAILQ_REMOVE(&c->hook->conns, c, link);
    TAILQ_INSERT_TAIL(&c->hook->conns, c, link);
    if (take_lines(c) == 0)
        return;
    if (log_limit(&c->hook->bad_limit, 5, 60, &skipped))
        log_warning("closed a hook connection, it sent no line of the protocol skipped=%u",
                    skipped);
    bufferevent_disable(c->bev, EV_READ);
    bufferevent_setcb(c->bev, NULL, on_written, on_end, c);
}

static void
on_end(struct bufferevent *bev, short what, void *ctx)
{
    (void)bev;
    if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT))
        conn_close(ctx);
}

/* Who connected, as the kernel says. */
static int
may_administer(int fd)
{
    struct ucred peer;
    socklen_t n = sizeof peer;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid() || peer.gid == getegid());
}

static void
conn_open(struct hook *h, int fd)
{
    struct timeval slow = {30, 0};
    struct hook_conn *c = calloc(1, sizeof *c);

    if (!c || !(c->bev = bufferevent_socket_new(h->base, fd, BEV_OPT_CLOSE_ON_FREE))) {
        free(c);
        close(fd);
        return;
    }
    c->hook = h;
    c->alive_ms = beat_now();
    c->may_administer = may_administer(fd);
    TAILQ_INSERT_TAIL(&h->conns, c, link);
    h->nconns++;
    bufferevent_setcb(c->bev, on_read, NULL, on_end, c);
    bufferevent_setwatermark(c->bev, EV_READ, 0, 2 * TABLINE_MAX);
    bufferevent_set_timeouts(c->bev, NULL, &slow);
    if (bufferevent_enable(c->bev, EV_READ | EV_WRITE) < 0)
        conn_close(c); /* nobody would ever read what it says */
}

void
hook_conn_accept(struct hook *h)
{
    int fd;

    while ((fd = accept4(event_get_fd(h->listener), NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >=
           0) {
        if (h->nconns >= CONN_MAX)
            conn_close(TAILQ_FIRST(&h->conns));
        conn_open(h, fd);
    }
}

void
hook_conns_sweep(struct hook *h, int64_t now)
{
    struct hook_conn *c;

    while ((c = TAILQ_FIRST(&h->conns)) && c->waits == 0 && now - c->alive_ms > IDLE_MS)
        conn_close(c);
}

void
hook_conns_close(struct hook *h)
{
    while (!TAILQ_EMPTY(&h->conns))
        conn_close(TAILQ_FIRST(&h->conns));
}
