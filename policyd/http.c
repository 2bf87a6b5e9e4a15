/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * http: the loopback endpoints for monitoring, /metrics, /healthz and /readyz; the one
 * for Dovecot's auth policy, see http_auth.c; and /events, which takes news of delivered mail.
 *
 * Promises: small headers, small bodies, at most WEB_CONNECTIONS connections: for one
 * more the oldest is cut off, so that idle or slow ones can't keep monitoring out.
 * Must not answer anything that needs authority: whoever may connect to the port
 * may read this.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>

#include "http.h"
#include "http_auth.h"
#include "http_events.h"

#define WEB_CONNECTIONS 128
#define WEB_TIMEOUT_S   5 /* between two bytes */
#define WEB_HEADERS_MAX 8192

struct web {
    struct control *control;
    struct evhttp *http;
    struct http_auth *auth;
    struct evhttp_bound_socket *bound[ROLE_LISTEN_MAX];
    int nbound;
    struct bufferevent *conn[WEB_CONNECTIONS]; /* a reference to each, oldest first */
    unsigned n;
};

static void
answer(struct evhttp_request *req, int code, const char *reason, const char *line)
{
    struct evbuffer *body = evbuffer_new();
    struct evkeyvalq *headers = evhttp_request_get_output_headers(req);

    evhttp_add_header(headers, "Content-Type", "text/plain; charset=utf-8");
    evhttp_add_header(headers, "Cache-Control", "no-store");
    evhttp_add_header(headers, "Connection", "close");
    if (body)
        evbuffer_add_printf(body, "%s\n", line);
    evhttp_send_reply(req, code, reason, body);
    if (body)
        evbuffer_free(body);
}

static void
on_other(struct evhttp_request *req, void *ctx)
{
    (void)ctx;
    answer(req, HTTP_NOTFOUND, "Not Found", "there are /metrics, /healthz, /readyz and /events");
}

static void
on_auth(struct evhttp_request *req, void *ctx)
{
    struct web *w = ctx;

    if (!http_auth_request(w->auth, req))
        on_other(req, NULL);
}

/* What is only read takes no body. 1: that was said. */
static int
refuse_post(struct evhttp_request *req)
{
    if (evhttp_request_get_command(req) != EVHTTP_REQ_POST)
        return 0;
    answer(req, HTTP_BADMETHOD, "Method Not Allowed", "nothing can be posted here");
    return 1;
}

static void
on_healthz(struct evhttp_request *req, void *ctx)
{
    struct control *c = ctx;
    struct moment now = control_now();
    char why[256];

    if (refuse_post(req))
        return;
    if (vitals_alive(&c->env->board, c->env->conf->answer.workers, *c->env->conf->sockets.policy,
                     *c->env->conf->sockets.access, &now, why, sizeof why))
        answer(req, HTTP_OK, "OK", "ok");
    else
        answer(req, HTTP_SERVUNAVAIL, "Service Unavailable", why);
}

static int
mirror_complete(struct control *c)
{
    const char *why;
    struct mirror *m = control_mirror(c, &why);
    struct mirror_info info;
    int complete;

    if (!m)
        return 0;
    complete = mirror_info(m, &info) != -1 && info.complete;
    control_mirror_end(c);
    return complete;
}

static void
on_readyz(struct evhttp_request *req, void *ctx)
{
    struct control *c = ctx;
    struct moment now = control_now();
    char why[256];

    if (refuse_post(req))
        return;
    if (vitals_ready(&c->env->board, mirror_complete(c), &now, why, sizeof why))
        answer(req, HTTP_OK, "OK", "ok");
    else
        answer(req, HTTP_SERVUNAVAIL, "Service Unavailable", why);
}

static void
on_metrics(struct evhttp_request *req, void *ctx)
{
    struct moment now = control_now();
    struct evbuffer *body = evbuffer_new();
    struct evkeyvalq *headers = evhttp_request_get_output_headers(req);

    if (refuse_post(req)) {
        if (body)
            evbuffer_free(body);
        return;
    }
    if (!body) {
        answer(req, HTTP_SERVUNAVAIL, "Service Unavailable", "out of memory");
        return;
    }
    metrics_write(ctx, &now, body);
    evhttp_add_header(headers, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    evhttp_add_header(headers, "Connection", "close");
    evhttp_send_reply(req, HTTP_OK, "OK", body);
    evbuffer_free(body);
}

/*
 * evhttp doesn't say when it is done with a connection, but then it frees the bufferevent, which
 * takes its callbacks off; ours is the last reference, and gives the descriptor back.
 */
static void
forget_closed(struct web *w)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < w->n; i++) {
        bufferevent_event_cb in_use;

        bufferevent_getcb(w->conn[i], NULL, NULL, &in_use, NULL);
        if (in_use)
            w->conn[kept++] = w->conn[i];
        else
            bufferevent_decref(w->conn[i]);
    }
    w->n = kept;
}

/* evhttp sees the end of the connection, and frees it. */
static void
cut_off_oldest(struct web *w)
{
    shutdown(bufferevent_getfd(w->conn[0]), SHUT_RDWR);
    bufferevent_decref(w->conn[0]);
    memmove(w->conn, w->conn + 1, --w->n * sizeof *w->conn);
}

static struct bufferevent *
on_connection(struct event_base *base, void *ctx)
{
    struct web *w = ctx;
    struct bufferevent *bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);

    forget_closed(w);
    if (!bev)
        return NULL;
    if (w->n == WEB_CONNECTIONS)
        cut_off_oldest(w);
    bufferevent_incref(bev);
    bufferevent_setwatermark(bev, EV_READ, 0, 2 * WEB_HEADERS_MAX);
    w->conn[w->n++] = bev;
    return bev;
}

/* Stands in until evhttp takes over: libevent doesn't watch a socket of nobody, nor say so. */
static void
on_nothing(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int len, void *ctx)
{
    (void)l;
    (void)sa;
    (void)len;
    (void)ctx;
    evutil_closesocket(fd);
}

static int
listen_on(struct web *w, int fd)
{
    struct evconnlistener *l;

    evutil_make_socket_nonblocking(fd);
    l = evconnlistener_new(w->control->base, on_nothing, NULL,
                           LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_DISABLED, 0, fd);
    if (!l)
        return -1;
    w->bound[w->nbound] = evhttp_bind_listener(w->http, l);
    if (w->bound[w->nbound]) {
        w->nbound++;
        return evconnlistener_enable(l); /* evhttp frees it */
    }
    evconnlistener_free(l);
    return -1;
}

struct web *
web_open(struct control *c)
{
    struct web *w = calloc(1, sizeof *w);

    if (!w)
        return NULL;
    w->control = c;
    w->http = evhttp_new(c->base);
    w->auth = http_auth_open(c);
    if (!w->http || !w->auth) {
        web_close(&w);
        return NULL;
    }
    evhttp_set_timeout(w->http, WEB_TIMEOUT_S);
    evhttp_set_max_headers_size(w->http, WEB_HEADERS_MAX);
    evhttp_set_max_body_size(w->http, EVENTS_BODY_MAX); /* others look for themselves */
    evhttp_set_allowed_methods(w->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST);
    evhttp_set_bevcb(w->http, on_connection, w);
    evhttp_set_gencb(w->http, on_other, c);
    if (evhttp_set_cb(w->http, "/", on_auth, w) < 0 ||
        evhttp_set_cb(w->http, "/metrics", on_metrics, c) < 0 ||
        evhttp_set_cb(w->http, "/healthz", on_healthz, c) < 0 ||
        evhttp_set_cb(w->http, "/readyz", on_readyz, c) < 0 ||
        evhttp_set_cb(w->http, "/events", http_events, c) < 0)
        web_close(&w);
    for (int i = 1; w && *c->env->conf->sockets.http && i < 2 && i < c->env->nlisten; i++)
        if (listen_on(w, c->env->listen_fd[i]) == -1)
            web_close(&w);
    return w;
}

void
web_tick(struct web *w)
{
    forget_closed(w);
}

int
web_end(struct web *w)
{
    while (w->nbound > 0)
        evhttp_del_accept_socket(w->http, w->bound[--w->nbound]);
    return http_auth_owes(w->auth);
}

void
web_close(struct web **web)
{
    struct web *w = *web;

    if (!w)
        return;
    http_auth_close(&w->auth);
    if (w->http)
        evhttp_free(w->http);
    forget_closed(w);
    free(w);
    *web = NULL;
}
