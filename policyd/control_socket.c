/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control_socket: the connections of `postroad` and other local tools: who may
 * ask, one JSON line in, one JSON line out.
 *
 * Promises: at most DOOR_CONNECTIONS at once, and when they are all taken the
 * oldest one that is idle makes room, so an administrator always gets in; no
 * request over CONTROL_REQUEST_MAX; no further request is read before the reply
 * to the last one was taken; postroad-milter's user gets no answer. Must not believe anything the caller says about
 * himself: the kernel says who he is (SO_PEERCRED, SO_PEERGROUPS).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>

#include "control.h"
#include "log.h"

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59 /* Linux 4.13 */
#endif

#define DOOR_CONNECTIONS 64
#define DOOR_DROP_MAX    (16u << 20)
#define DOOR_TIMEOUT_S   10 /* for a request to arrive, for a reply to be taken */

struct caller_conn {
    TAILQ_ENTRY(caller_conn) link;
    struct door *door;
    struct bufferevent *bev;
    struct caller who;
    int may_ask;
    size_t dropped; /* bytes of a request that is too long */
    int last;       /* close when the reply is taken */
    int owed;       /* a reply comes later */
};

struct door {
    struct control *control;
    struct evconnlistener *listener;
    TAILQ_HEAD(, caller_conn) conns; /* oldest activity first */
    unsigned n;
    uint64_t number; /* of the last connection */
    int paused;      /* out of descriptors; tried again at the next tick */
    struct log_limit refused;
};

static void
conn_close(struct caller_conn *k)
{
    TAILQ_REMOVE(&k->door->conns, k, link);
    k->door->n--;
    bufferevent_free(k->bev);
    free(k);
}

static void
conn_send(struct caller_conn *k, json_t *reply)
{
    char *text = reply ? json_dumps(reply, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;
    struct evbuffer *out = bufferevent_get_output(k->bev);

    json_decref(reply);
    if (!text) {
        evbuffer_add_printf(out, "{\"ok\":false,\"error\":\"out of memory\",\"code\":75}\n");
        return;
    }
    evbuffer_add(out, text, strlen(text));
    evbuffer_add(out, "\n", 1);
    free(text);
}

/* Said in answer to his request: who closes before that makes the caller's write fail instead. */
static json_t *
refusal(struct caller_conn *k)
{
    unsigned skipped;

    if (log_limit(&k->door->refused, 10, 60, &skipped))
        log_warning("control socket: refused, neither root nor in our group uid=%ld pid=%ld "
                    "skipped=%u",
                    (long)k->who.uid, (long)k->who.pid, skipped);
    k->last = 1;
    return control_error(CONTROL_USAGE,
                         "you may not use the control socket: only root, the daemon's user and "
                         "members of its group (\"group\" in postroad.conf) may");
}

static json_t *
reply_to(struct caller_conn *k, const char *line, size_t n)
{
    if (!k->may_ask)
        return refusal(k);
    if (k->dropped == 0)
        return control_reply(k->door->control, &k->who, line, n);
    k->last = 1;
    return control_error(CONTROL_USAGE, "a request is one line of at most %d bytes",
                         CONTROL_REQUEST_MAX);
}

/*
 * Answer one whole line if there is one; reading rests until the reply is taken. What is too long
 * is dropped until its line ends, so that the caller gets to hear the error.
 */
static void
conn_advance(struct caller_conn *k)
{
    struct evbuffer *in = bufferevent_get_input(k->bev);
    json_t *reply;
    size_t n;
    char *line = evbuffer_readln(in, &n, EVBUFFER_EOL_LF);

    if (line) {
        TAILQ_REMOVE(&k->door->conns, k, link);
        TAILQ_INSERT_TAIL(&k->door->conns, k, link);
        bufferevent_disable(k->bev, EV_READ);
        reply = reply_to(k, line, n);
        k->owed = json_is_null(reply);
        if (!k->owed)
            conn_send(k, reply);
        free(line);
        return;
    }
    n = evbuffer_get_length(in);
    if (n < CONTROL_REQUEST_MAX)
        return;
    evbuffer_drain(in, n);
    k->dropped += n;
    if (k->dropped > DOOR_DROP_MAX)
        conn_close(k);
}

void
door_reply(struct door *d, uint64_t caller, json_t *reply)
{
    struct caller_conn *k;

    TAILQ_FOREACH(k, &d->conns, link)
    {
        if (!k->owed || k->who.number != caller)
            continue;
        k->owed = 0;
        conn_send(k, reply);
        return;
    }
    json_decref(reply);
}

static void
on_read(struct bufferevent *bev, void *ctx)
{
    (void)bev;
    conn_advance(ctx);
}

static void
on_written(struct bufferevent *bev, void *ctx)
{
    struct caller_conn *k = ctx;

    if (k->last) {
        conn_close(k);
        return;
    }
    if (bufferevent_enable(bev, EV_READ) < 0)
        conn_close(k);
    else
        conn_advance(k);
}

static void
on_event(struct bufferevent *bev, short what, void *ctx)
{
    struct caller_conn *k = ctx;

    if ((what & BEV_EVENT_EOF) && evbuffer_get_length(bufferevent_get_output(bev)) > 0)
        k->last = 1;
    else
        conn_close(k);
}

static int
in_group(int fd, gid_t primary, gid_t group)
{
    gid_t list[1024];
    socklen_t n = sizeof list;

    if (primary == group)
        return 1;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, list, &n) == -1)
        return 0;
    for (size_t i = 0; i < n / sizeof *list; i++)
        if (list[i] == group)
            return 1;
    return 0;
}

/* Who is calling, and whether he may ask at all: 1 or 0; whom we can't tell may not. */
static int
caller_check(const struct control *c, int fd, struct caller *who)
{
    struct ucred cred;
    socklen_t n = sizeof cred;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) == -1)
        return 0;
    who->pid = cred.pid;
    who->uid = cred.uid;
    if (cred.uid == c->milter_uid)
        return 0;
    who->may_change = cred.uid == 0 || cred.uid == c->own_uid;
    return who->may_change || (c->has_group && in_group(fd, cred.gid, c->group));
}

/* The one idle for longest makes room; one whose reply is under way is younger. */
static void
make_room(struct door *d)
{
    while (d->n >= DOOR_CONNECTIONS)
        conn_close(TAILQ_FIRST(&d->conns));
}

static struct caller_conn *
conn_new(struct door *d, int fd)
{
    struct timeval limit = {DOOR_TIMEOUT_S, 0};
    struct caller_conn *k = calloc(1, sizeof *k);

    if (!k)
        return NULL;
    k->door = d;
    k->who.number = ++d->number;
    k->bev = bufferevent_socket_new(d->control->base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (!k->bev) {
        free(k);
        return NULL;
    }
    bufferevent_setcb(k->bev, on_read, on_written, on_event, k);
    bufferevent_set_timeouts(k->bev, &limit, &limit);
    bufferevent_setwatermark(k->bev, EV_READ, 0, CONTROL_REQUEST_MAX);
    TAILQ_INSERT_TAIL(&d->conns, k, link);
    d->n++;
    return k;
}

static void
on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int len, void *ctx)
{
    struct door *d = ctx;
    struct caller_conn *k;

    (void)l;
    (void)sa;
    (void)len;
    make_room(d);
    k = conn_new(d, fd);
    if (!k) {
        close(fd);
        return;
    }
    k->may_ask = caller_check(d->control, fd, &k->who);
    if (bufferevent_enable(k->bev, EV_READ | EV_WRITE) < 0)
        conn_close(k);
}

static void
on_accept_error(struct evconnlistener *l, void *ctx)
{
    struct door *d = ctx;

    evconnlistener_disable(l);
    d->paused = 1;
    log_warning("control socket: can't accept for now error=\"%s\"", strerror(errno));
}

struct door *
door_open(struct control *c, int fd)
{
    struct door *d = calloc(1, sizeof *d);

    if (!d)
        return NULL;
    d->control = c;
    TAILQ_INIT(&d->conns);
    evutil_make_socket_nonblocking(fd);
    /* Enabled by itself, libevent would not say that it could not be. */
    d->listener =
        evconnlistener_new(c->base, on_accept, d, LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_DISABLED, 0, fd);
    if (!d->listener || evconnlistener_enable(d->listener) < 0) {
        door_close(&d);
        return NULL;
    }
    evconnlistener_set_error_cb(d->listener, on_accept_error);
    return d;
}

void
door_tick(struct door *d)
{
    if (d->paused && evconnlistener_enable(d->listener) == 0)
        d->paused = 0;
}

void
door_close(struct door **door)
{
    struct door *d = *door;

    if (!d)
        return;
    while (!TAILQ_EMPTY(&d->conns))
        conn_close(TAILQ_FIRST(&d->conns));
    if (d->listener)
        evconnlistener_free(d->listener);
    free(d);
    *door = NULL;
}
