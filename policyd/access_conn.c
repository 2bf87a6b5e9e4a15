/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * access_conn: the connections of role access.
 *
 * Promises: at most access.max_connections; a client without a session that is silent
 * for IDLE_MS goes, and one that takes no answers for SLOW_MS; one with a session may be
 * silent for as long as it lives, which the kernel tells. Who comes when all are taken
 * is told "unsure". Half a request or untaken answers cost memory, whole ones none; no
 * more is read from a client before it took its answers.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "access.h"
#include "edit_ask.h"

#define ACCEPT_BATCH 64
#define IDLE_MS      60000
#define SLOW_MS      30000

static void on_event(evutil_socket_t fd, short what, void *ctx);

static struct access_conns *
list_of(struct access_conn *c)
{
    return c->session || c->out ? &c->access->busy : &c->access->idle;
}

/* Around whatever may change the list it belongs to. */
static void
unlist(struct access_conn *c)
{
    TAILQ_REMOVE(list_of(c), c, link);
}

static void
relist(struct access_conn *c)
{
    c->alive_ms = (int64_t)board_now_ms();
    TAILQ_INSERT_TAIL(list_of(c), c, link);
}

/* Not in a list any more. */
static void
conn_free(struct access_conn *c)
{
    struct access *a = c->access;
    int fd = event_get_fd(&c->ev);

    event_del(&c->ev);
    edit_ask_forget(a->edit, c->edit_number);
    close(fd);
    access_session_end(a, &c->session);
    free(c->in);
    free(c->out);
    free(c);
    board_set(a->board, BOARD_CONNECTIONS, --a->nconns);
}

static void
conn_close(struct access_conn *c)
{
    unlist(c);
    conn_free(c);
}

static void
log_closed(struct access *a, struct log_limit *limit, int counter, const char *why)
{
    unsigned skipped;

    board_add(a->board, counter, 1);
    if (log_limit(limit, 5, 60, &skipped))
        log_warning("closed an access connection why=\"%s\" skipped=%u", why, skipped);
}

/* Keep n bytes in *buf instead of what it held; p may point into that. 0, or -1: no memory. */
static int
hold(char **buf, size_t *held_n, const char *p, size_t n)
{
    char *copy = NULL;

    if (n > 0 && !(copy = malloc(n)))
        return -1;
    if (n > 0)
        memcpy(copy, p, n);
    free(*buf);
    *buf = copy;
    *held_n = n;
    return 0;
}

static int
watch(struct access_conn *c, short what)
{
    int fd = event_get_fd(&c->ev);

    event_del(&c->ev);
    event_assign(&c->ev, c->access->base, fd, (short)(what | EV_PERSIST), on_event, c);
    return event_add(&c->ev, NULL);
}

/* 1: all is written; 0: the rest is held; -1: the connection is of no use any more. */
static int
send_answers(struct access_conn *c, const char *p, size_t n)
{
    ssize_t sent = n > 0 ? write(event_get_fd(&c->ev), p, n) : 0;

    if (sent == (ssize_t)n)
        return 1;
    if (sent < 0 && errno != EAGAIN && errno != EINTR)
        return -1;
    sent = sent > 0 ? sent : 0;
    c->out_pos = 0;
    return hold(&c->out, &c->out_n, p + sent, n - (size_t)sent) < 0 || watch(c, EV_WRITE) < 0 ? -1
                                                                                              : 0;
}

/* The line is no request: say so, as far as the client takes it. */
static long
bad_line(struct access_conn *c, const char *why, size_t *out_n)
{
    struct access *a = c->access;
    struct tabline_out o;

    tabline_begin(&o, a->out + *out_n, TABLINE_MAX, "error");
    tabline_add(&o, "text", span_of(why));
    *out_n += tabline_end(&o);
    log_closed(a, &a->bad_limit, BOARD_CLOSED_BAD, why);
    return -1;
}

/* Answer whole lines until enough is collected: bytes used; -1: close it when *out_n are written. */
static long
answer_lines(struct access_conn *c, char *in, size_t n, size_t *out_n)
{
    struct access *a = c->access;
    struct tabline request;
    size_t used = 0, one, last = 0;
    long step;

    *out_n = 0;
    maps_begin(a->maps);
    while (used < n && *out_n < ACCESS_OUT_HIGH) {
        step = tabline_parse(in + used, n - used, &request);
        if (step < 0) {
            maps_pause(a->maps);
            return bad_line(c, request.bad, out_n);
        }
        if (step == 0)
            break;
        one = access_answer(c, &request, a->out + *out_n, &last);
        *out_n += one ? one : last;
        used += (size_t)step;
        if (c->edit_number)
            break;
        if (!one) {
            maps_pause(a->maps);
            return -1;
        }
    }
    maps_pause(a->maps);
    return (long)used;
}

/* Answer what stands in a->in. 0, or -1: the connection is to be closed. */
static int
serve(struct access_conn *c, size_t n)
{
    struct access *a = c->access;
    size_t used = 0, out_n;
    int sent = 1;
    long step = 1;

    while (sent == 1 && step > 0 && used < n && !c->edit_number) {
        step = answer_lines(c, a->in + used, n - used, &out_n);
        sent = send_answers(c, a->out, out_n);
        if (sent < 0 || step < 0)
            return -1;
        used += (size_t)step;
    }
    if (c->edit_number && sent == 1)
        event_del(&c->ev); /* nothing is read until the answer is there */
    return n - used > 0 || c->in ? hold(&c->in, &c->in_n, a->in + used, n - used) : 0;
}

static int
on_readable(struct access_conn *c, int fd)
{
    struct access *a = c->access;
    ssize_t n;

    if (c->in_n > 0)
        memcpy(a->in, c->in, c->in_n);
    n = read(fd, a->in + c->in_n, sizeof a->in - c->in_n);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    return n <= 0 ? -1 : serve(c, c->in_n + (size_t)n);
}

static int
on_writable(struct access_conn *c, int fd)
{
    struct access *a = c->access;
    ssize_t n = write(fd, c->out + c->out_pos, c->out_n - c->out_pos);
    size_t have = c->in_n;

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    c->out_pos += (size_t)n;
    if (c->out_pos < c->out_n)
        return 0;
    hold(&c->out, &c->out_n, NULL, 0);
    if (c->edit_number) {
        event_del(&c->ev);
        return 0;
    }
    if (watch(c, EV_READ) < 0)
        return -1;
    if (have > 0)
        memcpy(a->in, c->in, have);
    return have > 0 ? serve(c, have) : 0;
}

/* Behind what the client has not taken yet. */
static int
append(struct access_conn *c, const char *p, size_t n)
{
    char *more = realloc(c->out, c->out_n + n);

    if (!more)
        return -1;
    memcpy(more + c->out_n, p, n);
    c->out = more;
    c->out_n += n;
    return 0;
}

/* 0, or -1: the connection is of no use any more. */
static int
resume(struct access_conn *c, const char *answer, size_t n)
{
    struct access *a = c->access;
    size_t have = c->in_n;
    int sent;

    if (c->out)
        return append(c, answer, n);
    sent = send_answers(c, answer, n);
    if (sent <= 0)
        return sent;
    if (watch(c, EV_READ) < 0)
        return -1;
    if (have > 0)
        memcpy(a->in, c->in, have);
    return have > 0 ? serve(c, have) : 0;
}

void
access_conn_resume(struct access_conn *c, const char *answer, size_t n)
{
    unlist(c);
    c->edit_number = 0;
    if (resume(c, answer, n) < 0)
        conn_free(c);
    else
        relist(c);
}

static void
on_event(evutil_socket_t fd, short what, void *ctx)
{
    struct access_conn *c = ctx;
    int rc;

    unlist(c);
    rc = what & EV_READ ? on_readable(c, fd) : on_writable(c, fd);
    if (rc < 0)
        conn_free(c);
    else
        relist(c);
}

/* No room is left: the client has its answer before it asks. */
static void
turn_away(struct access *a, int fd)
{
    static const char answer[] = "unsure\twhy=too many sessions\n";
    unsigned skipped;

    board_add(a->board, BOARD_CLOSED_IDLE, 1);
    (void)!write(fd, answer, sizeof answer - 1);
    close(fd);
    if (log_limit(&a->full_limit, 1, 60, &skipped))
        log_error("too many access connections, more are told to come again max=%u unlogged=%u",
                  a->max_conns, skipped);
}

/* Its socket is for Dovecot; postroad-milter parses strangers' mail, and has nothing to ask or to record. */
static int
is_milter(struct access *a, int fd)
{
    struct ucred cred;
    socklen_t n = sizeof cred;
    unsigned skipped;

    if (a->milter_uid == (uid_t)-1 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) < 0 ||
        cred.uid != a->milter_uid)
        return 0;
    if (log_limit(&a->accept_limit, 5, 60, &skipped))
        log_warning("access socket: refused, it is the user of postroad-milter pid=%ld skipped=%u",
                    (long)cred.pid, skipped);
    close(fd);
    return 1;
}

static void
conn_open(struct access *a, int fd)
{
    struct access_conn *c = calloc(1, sizeof *c);

    if (!c || event_assign(&c->ev, a->base, fd, EV_READ | EV_PERSIST, on_event, c) < 0 ||
        event_add(&c->ev, NULL) < 0) {
        free(c);
        close(fd);
        return;
    }
    c->access = a;
    relist(c);
    board_set(a->board, BOARD_CONNECTIONS, ++a->nconns);
    board_add(a->board, BOARD_ACCEPTED, 1);
}

static void
accept_paused(struct access *a)
{
    unsigned skipped;

    if (log_limit(&a->accept_limit, 5, 60, &skipped))
        log_error("can't take a client error=\"%s\" connections=%u skipped=%u", strerror(errno),
                  a->nconns, skipped);
    event_del(a->listener);
    a->not_accepting = 1; /* until the next tick */
}

void
access_accept(struct access *a)
{
    int listener = event_get_fd(a->listener);

    for (int i = 0; i < ACCEPT_BATCH; i++) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0) {
            if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
                accept_paused(a);
            return;
        }
        if (is_milter(a, fd))
            continue;
        if (a->nconns >= a->max_conns && !TAILQ_EMPTY(&a->idle))
            conn_close(TAILQ_FIRST(&a->idle));
        if (a->nconns >= a->max_conns)
            turn_away(a, fd);
        else
            conn_open(a, fd);
    }
}

void
access_sweep(struct access *a, int64_t now_ms)
{
    struct access_conn *c, *next;

    while ((c = TAILQ_FIRST(&a->idle)) && now_ms - c->alive_ms > IDLE_MS)
        conn_close(c);
    for (c = TAILQ_FIRST(&a->busy); c && now_ms - c->alive_ms > SLOW_MS; c = next) {
        next = TAILQ_NEXT(c, link);
        if (!c->out)
            continue;
        log_closed(a, &a->slow_limit, BOARD_CLOSED_SLOW, "does not take its answers");
        conn_close(c);
    }
}

void
access_close_all(struct access *a)
{
    while (!TAILQ_EMPTY(&a->idle))
        conn_close(TAILQ_FIRST(&a->idle));
    while (!TAILQ_EMPTY(&a->busy))
        conn_close(TAILQ_FIRST(&a->busy));
}

int
access_conn_is_policyd(const struct access_conn *c)
{
    struct ucred cred;
    socklen_t n = sizeof cred;

    return getsockopt(event_get_fd(&c->ev), SOL_SOCKET, SO_PEERCRED, &cred, &n) == 0 &&
           (cred.uid == 0 || cred.uid == geteuid());
}
