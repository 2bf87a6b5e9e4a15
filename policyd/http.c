/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * http: the loopback endpoints for monitoring: /metrics, /healthz, /readyz.
 *
 * Promises: small headers, no bodies, bounded connections: with WEB_CONNECTIONS
 * open it accepts no more, and when that lasts WEB_STUCK_S it drops them all, so
 * that slow writers can't keep monitoring out. Must not answer anything that
 * needs authority: whoever may connect to the port may read this.
 */
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>

#include "control.h"
#include "log.h"

#define WEB_CONNECTIONS 256 /* events of the loop, nearly all of them connections here */
#define WEB_TIMEOUT_S   5   /* between two bytes */
#define WEB_STUCK_S     10
#define WEB_HEADERS_MAX 8192

struct web {
    struct control *control;
    struct evhttp *http;
    struct evconnlistener *listener[ROLE_LISTEN_MAX];
    int n;
    int64_t full_ms; /* since when nobody is accepted; 0: accepting */
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
    answer(req, HTTP_NOTFOUND, "Not Found", "there are /metrics, /healthz and /readyz");
}

static void
on_healthz(struct evhttp_request *req, void *ctx)
{
    struct control *c = ctx;
    struct moment now = control_now();
    char why[256];

    if (vitals_alive(&c->env->board, c->env->conf->answer.workers, &now, why, sizeof why))
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

static int
too_many(const struct web *w)
{
    return event_base_get_num_events(w->control->base, EVENT_BASE_COUNT_ADDED) > WEB_CONNECTIONS;
}

/* For each new connection: the default bufferevent, and no further ones when we are full. */
static struct bufferevent *
on_connection(struct event_base *base, void *ctx)
{
    struct web *w = ctx;

    (void)base;
    if (w->full_ms == 0 && too_many(w)) {
        w->full_ms = control_now().mono_ms;
        for (int i = 0; i < w->n; i++)
            evconnlistener_disable(w->listener[i]);
    }
    return NULL;
}

static int
web_start(struct web *w)
{
    struct evhttp *http = evhttp_new(w->control->base);
    struct role_env *env = w->control->env;

    if (!http)
        return -1;
    w->http = http;
    w->n = 0;
    w->full_ms = 0;
    evhttp_set_timeout(http, WEB_TIMEOUT_S);
    evhttp_set_max_headers_size(http, WEB_HEADERS_MAX);
    evhttp_set_max_body_size(http, 0);
    evhttp_set_allowed_methods(http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
    evhttp_set_bevcb(http, on_connection, w);
    evhttp_set_gencb(http, on_other, w->control);
    evhttp_set_cb(http, "/metrics", on_metrics, w->control);
    evhttp_set_cb(http, "/healthz", on_healthz, w->control);
    evhttp_set_cb(http, "/readyz", on_readyz, w->control);
    for (int i = 1; i < env->nlisten; i++) {
        struct evconnlistener *l = evconnlistener_new(w->control->base, NULL, NULL,
                                                      LEV_OPT_CLOSE_ON_EXEC, 0, env->listen_fd[i]);

        if (!l || !evhttp_bind_listener(http, l))
            return -1;
        w->listener[w->n++] = l;
    }
    return 0;
}

/* Called at every beat. */
void
web_tick(struct web *w)
{
    int64_t now = control_now().mono_ms;

    if (w->full_ms == 0)
        return;
    if (!too_many(w)) {
        w->full_ms = 0;
        for (int i = 0; i < w->n; i++)
            evconnlistener_enable(w->listener[i]);
    } else if (now - w->full_ms > WEB_STUCK_S * 1000) {
        log_warning("HTTP: all connections were taken for %d s, dropping them", WEB_STUCK_S);
        evhttp_free(w->http);
        w->http = NULL;
        if (web_start(w) == -1)
            log_error("HTTP: can't start again, /metrics is off until the next reload");
    }
}

struct web *
web_open(struct control *c)
{
    struct web *w = calloc(1, sizeof *w);

    if (!w)
        return NULL;
    w->control = c;
    for (int i = 1; i < c->env->nlisten; i++)
        evutil_make_socket_nonblocking(c->env->listen_fd[i]);
    if (web_start(w) == -1)
        web_close(&w);
    return w;
}

void
web_close(struct web **web)
{
    struct web *w = *web;

    if (!w)
        return;
    if (w->http)
        evhttp_free(w->http);
    free(w);
    *web = NULL;
}
