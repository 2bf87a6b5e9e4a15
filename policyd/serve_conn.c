/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * serve_conn: the connections of one process that serves.
 *
 * The usual case, one whole request in one read, is answered by one write out of
 * the worker's own buffers and leaves nothing behind. Only an incomplete request
 * or a client that doesn't read costs memory, of which there is a limit; such a
 * client is not read from until it took its answers, and closed when it takes too
 * long. Time-outs cost nothing per request: connections stand in order of their
 * last sign of life, in ticks. One whose question waits for a proof is not watched at
 * all until it is settled; when the client went away, writing the answer tells.
 *
 * Clients are read from on edges (EV_ET), which spares the kernel one look at each of
 * them per request: that there is more is told once only. So whoever leaves something
 * unread, or can't know that he doesn't, has to call look_again().
 */
#include "serve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What an idle client is watched for. */
#define WATCHED (EV_READ | EV_CLOSED | EV_ET | EV_PERSIST)

static void on_event(evutil_socket_t fd, short what, void *ctx);

static void
list_remove(struct conn *c)
{
    TAILQ_REMOVE(&c->worker->list[c->state], c, link);
}

/* It gave a sign of life: to the end of its list. */
static void
list_append(struct conn *c)
{
    c->tick = c->worker->tick;
    TAILQ_INSERT_TAIL(&c->worker->list[c->state], c, link);
}

static void
count_conns(struct worker *w)
{
    board_set(w->board, BOARD_CONNECTIONS, w->nconns);
}

void
conn_open(struct worker *w, int fd)
{
    struct conn *c = calloc(1, sizeof(*c));

    if (!c || event_assign(&c->ev, w->base, fd, WATCHED, on_event, c) < 0 ||
        event_add(&c->ev, NULL) < 0) {
        free(c);
        close(fd);
        return;
    }
    c->worker = w;
    list_append(c);
    w->nconns++;
    count_conns(w);
    board_add(w->board, BOARD_ACCEPTED, 1);
}

static void
drop(struct worker *w, char **buf, uint32_t *n)
{
    w->held -= *n;
    *n = 0;
    free(*buf);
    *buf = NULL;
}

void
conn_close(struct conn *c)
{
    struct worker *w = c->worker;
    int fd = event_get_fd(&c->ev);

    event_del(&c->ev);
    close(fd);
    list_remove(c);
    drop(w, &c->in, &c->in_n);
    drop(w, &c->out, &c->out_n);
    if (c->state == CONN_PARKED)
        park_leave(c);
    free(c);
    w->nconns--;
    count_conns(w);
}

int
conn_close_oldest(struct worker *w)
{
    struct conn *c = NULL;

    for (int state = 0; !c && state < CONN_STATES; state++)
        c = TAILQ_FIRST(&w->list[state]);
    if (!c)
        return 0;
    board_add(w->board, BOARD_CLOSED_IDLE, 1);
    conn_close(c);
    return 1;
}

static void
close_slow(struct conn *c, const char *why)
{
    struct worker *w = c->worker;
    unsigned skipped;

    board_add(w->board, BOARD_CLOSED_SLOW, 1);
    if (log_limit(&w->slow_limit, 5, 60, &skipped))
        log_warning("closed a connection why=\"%s\" pending=%u skipped=%u", why,
                    (unsigned)(c->out_n - c->out_pos), skipped);
    conn_close(c);
}

static void
close_bad(struct conn *c)
{
    struct worker *w = c->worker;
    unsigned skipped;

    board_add(w->board, BOARD_CLOSED_BAD, 1);
    if (log_limit(&w->bad_limit, 5, 60, &skipped))
        log_warning("closed a connection why=\"%s\" skipped=%u", w->service->bad, skipped);
    conn_close(c);
}

/* Keep n bytes in place of what *buf held. p may point into it. 0, or -1: no memory for that. */
static int
hold(struct worker *w, char **buf, uint32_t *held_n, const char *p, size_t n)
{
    char *copy = NULL;

    if (n > 0) {
        copy = w->held + n <= SERVE_HELD_MAX ? malloc(n) : NULL;
        if (!copy)
            return -1;
        memcpy(copy, p, n);
    }
    drop(w, buf, held_n);
    *buf = copy;
    *held_n = (uint32_t)n;
    w->held += n;
    return 0;
}

/* Wait until it can be read from, or written to; parked, for neither. 0, or -1: it can't, and is gone. */
static int
set_state(struct conn *c, enum conn_state state)
{
    struct worker *w = c->worker;
    int fd = event_get_fd(&c->ev);
    short what = state == CONN_BLOCKED ? EV_WRITE | EV_PERSIST : WATCHED;

    if (c->state != CONN_PARKED)
        event_del(&c->ev);
    event_assign(&c->ev, w->base, fd, what, on_event, c);
    if (state != CONN_PARKED && event_add(&c->ev, NULL) < 0) {
        conn_close(c);
        return -1;
    }
    list_remove(c);
    if (c->state == CONN_PARKED && state != CONN_PARKED)
        park_leave(c);
    else if (c->state != CONN_PARKED && state == CONN_PARKED)
        park_enter(c);
    c->state = state;
    list_append(c);
    return 0;
}

/* Have it told anew what there is to be read, now or later. 0, or -1: the connection is gone. */
static int
look_again(struct conn *c)
{
    event_del(&c->ev);
    if (event_add(&c->ev, NULL) == 0)
        return 0;
    conn_close(c);
    return -1;
}

/* What passes: nothing to read, no room, no memory in the kernel. The connection is as it was. */
static int
passes(int error)
{
    return error == EAGAIN || error == EINTR || error == ENOBUFS || error == ENOMEM;
}

/*
 * Write replies. 1 all are out; 0 the rest is held, and the connection waits for its reader; -1 the
 * connection is gone.
 */
static int
send_replies(struct conn *c, const char *out, size_t n)
{
    ssize_t sent = n > 0 ? send(event_get_fd(&c->ev), out, n, MSG_NOSIGNAL) : 0;

    if (sent == (ssize_t)n)
        return 1;
    if (sent < 0 && !passes(errno)) {
        conn_close(c);
        return -1;
    }
    sent = sent > 0 ? sent : 0;
    if (hold(c->worker, &c->out, &c->out_n, out + sent, n - (size_t)sent) < 0) {
        close_slow(c, "too much is held for clients that don't read");
        return -1;
    }
    c->out_pos = 0;
    return set_state(c, CONN_BLOCKED);
}

/* Keep the unanswered rest; parked, it begins with the question that waits. */
static void
keep_rest(struct conn *c, const char *rest, size_t n)
{
    if ((n > 0 || c->in_n) && hold(c->worker, &c->in, &c->in_n, rest, n) < 0) {
        close_slow(c, "too much is held for clients that write by halves");
        return;
    }
    if (c->asked_ms)
        set_state(c, CONN_PARKED);
    else if (n > 0 && c->state == CONN_IDLE)
        look_again(c); /* the end may have come behind half a request */
}

/* Answer what stands in n bytes of in, as far as the client takes it. in is w->in. */
static void
serve(struct conn *c, const char *in, size_t n)
{
    struct worker *w = c->worker;
    size_t used = 0, out_n;
    long step;
    int sent;

    do {
        step = w->service->requests(w, in + used, n - used, &c->asked_ms, &out_n);
        sent = send_replies(c, w->out, out_n);
        if (sent < 0)
            return;
        if (step < 0) {
            close_bad(c);
            return;
        }
        used += (size_t)step;
    } while (sent && step > 0 && used < n && !c->asked_ms);
    if (!sent)
        c->asked_ms = 0; /* it is asked anew when the client has taken what it got */
    keep_rest(c, in + used, n - used);
}

/* Go on with what is held, whose first request may have waited. */
static void
serve_held(struct conn *c)
{
    size_t have = c->in_n;

    if (have == 0)
        return;
    memcpy(c->worker->in, c->in, have);
    serve(c, c->worker->in, have);
}

void
conn_resume(struct conn *c)
{
    if (set_state(c, CONN_IDLE) == 0)
        serve_held(c);
}

static void
on_readable(struct conn *c, int fd, int ended)
{
    struct worker *w = c->worker;
    size_t have = c->in_n, room = sizeof(w->in) - have;
    ssize_t n;

    if (have > 0)
        memcpy(w->in, c->in, have);
    n = recv(fd, w->in + have, room, 0);
    if (n < 0 && passes(errno)) {
        look_again(c); /* told once: what is there now nobody would tell again */
        return;
    }
    if (n <= 0) {
        conn_close(c);
        return;
    }
    if ((ended || (size_t)n == room) && look_again(c) < 0)
        return;
    if (c->tick != w->tick) {
        list_remove(c);
        list_append(c);
    }
    serve(c, w->in, have + (size_t)n);
}

static void
on_writable(struct conn *c, int fd)
{
    struct worker *w = c->worker;
    ssize_t n = send(fd, c->out + c->out_pos, c->out_n - c->out_pos, MSG_NOSIGNAL);

    if (n < 0 && passes(errno))
        return;
    if (n < 0) {
        conn_close(c);
        return;
    }
    c->out_pos += (uint32_t)n;
    list_remove(c);
    list_append(c);
    if (c->out_pos < c->out_n)
        return;
    drop(w, &c->out, &c->out_n);
    if (set_state(c, CONN_IDLE) == 0)
        serve_held(c);
}

static void
on_event(evutil_socket_t fd, short what, void *ctx)
{
    if (what & EV_WRITE)
        on_writable(ctx, fd);
    else
        on_readable(ctx, fd, what & EV_CLOSED);
}

void
conn_sweep(struct worker *w)
{
    const struct conf *conf = w->env->conf;
    uint32_t idle = (uint32_t)conf->answer.idle_timeout * 1000 / SERVE_TICK_MS;
    uint32_t slow = (uint32_t)conf->answer.write_timeout * 1000 / SERVE_TICK_MS;
    struct conn *c, *next;

    while ((c = TAILQ_FIRST(&w->list[CONN_IDLE])) && w->tick - c->tick > idle)
        conn_close_oldest(w);
    while ((c = TAILQ_FIRST(&w->list[CONN_BLOCKED])) && w->tick - c->tick > slow)
        close_slow(c, "does not read its answers");
    if (!w->draining)
        return;
    park_release(w);
    for (c = TAILQ_FIRST(&w->list[CONN_IDLE]); c; c = next) {
        next = TAILQ_NEXT(c, link);
        if (c->in_n == 0)
            conn_close(c);
    }
}
