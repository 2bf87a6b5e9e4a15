/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * http_events: one event of Dovecot's in JSON becomes one line for role hook. Events
 * other than mail_delivery_finished, and failed deliveries, are none of ours: 200. What
 * can't be stored, or is not answered within ANSWER_S, is 503: the exporter may try again.
 *
 * Nothing here waits: the answer to the request follows when role hook has spoken, unless
 * the client has gone meanwhile.
 */
#include "http_events.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "control.h"
#include "tabline.h"

#define ANSWER_S 5

/* A request that waits for role hook. */
struct asked {
    struct evhttp_request *req;
    struct bufferevent *bev;
};

static void
answer(struct evhttp_request *req, int code, const char *reason)
{
    struct evbuffer *body = evbuffer_new();

    evhttp_add_header(evhttp_request_get_output_headers(req), "Content-Type", "text/plain");
    if (body)
        evbuffer_add_printf(body, "%s\n", reason);
    evhttp_send_reply(req, code, reason, body);
    if (body)
        evbuffer_free(body);
}

/* --- what Dovecot says --- */

static struct span
text_at(json_t *fields, const char *key)
{
    return span_of(json_string_value(json_object_get(fields, key)));
}

/* The address in "<address>" or "address". */
static struct span
bare(struct span s)
{
    if (s.n >= 2 && s.p[0] == '<' && s.p[s.n - 1] == '>')
        return (struct span){s.p + 1, s.n - 2};
    return s;
}

static void
add(struct tabline_out *o, const char *key, struct span value)
{
    value.n = value.n < 1000 ? value.n : 1000;
    tabline_add_some(o, key, value);
}

/* The line for role hook; its length, 0: there is nothing to tell. */
static size_t
line_of(json_t *event, char line[TABLINE_MAX])
{
    json_t *fields = json_object_get(event, "fields"), *size;
    const char *name = json_string_value(json_object_get(event, "event"));
    struct tabline_out o;
    struct span account = bare(text_at(fields, "user"));
    char digits[24];

    if (!name || strcmp(name, "mail_delivery_finished") != 0 || json_object_get(fields, "error"))
        return 0;
    if (account.n == 0)
        account = bare(text_at(fields, "rcpt_to"));
    tabline_begin(&o, line, TABLINE_MAX, "event");
    tabline_add(&o, "account", account);
    add(&o, "from", text_at(fields, "message_from"));
    add(&o, "sender", bare(text_at(fields, "mail_from")));
    add(&o, "subject", text_at(fields, "message_subject"));
    add(&o, "message-id", text_at(fields, "message_id"));
    add(&o, "session", text_at(fields, "session"));
    size = json_object_get(fields, "message_size");
    snprintf(digits, sizeof digits, "%lld", (long long)json_integer_value(size));
    if (json_is_integer(size))
        tabline_add(&o, "size", span_of(digits));
    return account.n > 0 ? tabline_end(&o) : 0;
}

/* --- asking role hook --- */

static void on_client_gone(struct evhttp_connection *conn, void *ctx);

static void
asked_end(struct asked *a, int stored)
{
    if (a->req) {
        evhttp_connection_set_closecb(evhttp_request_get_connection(a->req), NULL, NULL);
        if (stored)
            answer(a->req, HTTP_OK, "stored");
        else
            answer(a->req, HTTP_SERVUNAVAIL, "not stored");
    }
    bufferevent_free(a->bev);
    free(a);
}

static void
on_client_gone(struct evhttp_connection *conn, void *ctx)
{
    struct asked *a = ctx;

    (void)conn;
    a->req = NULL; /* the event may still be stored; nobody wants to know */
}

static void
on_answer(struct bufferevent *bev, void *ctx)
{
    struct evbuffer *in = bufferevent_get_input(bev);
    char *line = evbuffer_readln(in, NULL, EVBUFFER_EOL_LF);

    if (!line)
        return;
    asked_end(ctx, strcmp(line, "ok") == 0);
    free(line);
}

static void
on_trouble(struct bufferevent *bev, short what, void *ctx)
{
    (void)bev;
    if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT))
        asked_end(ctx, 0);
}

static int
connect_hook(struct asked *a, const char *path)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};

    if (strncmp(path, "unix:", 5) == 0)
        path += 5;
    memcpy(sun.sun_path, path, strnlen(path, sizeof sun.sun_path - 1));
    return bufferevent_socket_connect(a->bev, (struct sockaddr *)&sun, sizeof sun);
}

/* 0: the answer follows; -1: it can't be asked. */
static int
ask_hook(struct control *c, struct evhttp_request *req, const char *line, size_t n)
{
    struct asked *a = calloc(1, sizeof *a);
    struct timeval limit = {ANSWER_S, 0};

    if (!a || !(a->bev = bufferevent_socket_new(c->base, -1, BEV_OPT_CLOSE_ON_FREE))) {
        free(a);
        return -1;
    }
    bufferevent_setcb(a->bev, NULL, NULL, NULL, NULL);
    bufferevent_set_timeouts(a->bev, &limit, &limit);
    bufferevent_write(a->bev, line, n);
    if (connect_hook(a, c->env->conf->sockets.hook) < 0) {
        bufferevent_free(a->bev);
        free(a);
        return -1;
    }
    a->req = req;
    bufferevent_setcb(a->bev, on_answer, NULL, on_trouble, a);
    bufferevent_enable(a->bev, EV_READ | EV_WRITE);
    evhttp_connection_set_closecb(evhttp_request_get_connection(req), on_client_gone, a);
    return 0;
}

static json_t *
body_of(struct evhttp_request *req)
{
    struct evbuffer *in = evhttp_request_get_input_buffer(req);
    size_t n = evbuffer_get_length(in);
    const char *p = (const char *)evbuffer_pullup(in, -1);

    return p && n <= EVENTS_BODY_MAX ? json_loadb(p, n, JSON_REJECT_DUPLICATES, NULL) : NULL;
}

void
http_events(struct evhttp_request *req, void *ctx)
{
    struct control *c = ctx;
    char line[TABLINE_MAX];
    json_t *event;
    size_t n;

    if (evhttp_request_get_command(req) != EVHTTP_REQ_POST) {
        answer(req, HTTP_BADMETHOD, "POST events here");
        return;
    }
    event = body_of(req);
    if (!json_is_object(event)) {
        json_decref(event);
        answer(req, HTTP_BADREQUEST, "no JSON object");
        return;
    }
    n = line_of(event, line);
    json_decref(event);
    if (n == 0)
        answer(req, HTTP_OK, "nothing to tell");
    else if (c->env->conf->hook.targets.n == 0 || ask_hook(c, req, line, n) < 0)
        answer(req, HTTP_SERVUNAVAIL, "no hooks here");
}
