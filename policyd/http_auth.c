/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * http_auth: Dovecot's auth policy, so that who is not to be let in hears so at the login,
 * and each login is in the audit log.
 *
 * Promises: asks role access and never decides itself; never blocks; while nobody can
 * say, administrators are refused with a text that says it passes, and owners are treated
 * as access.owner_on_doubt says. Must not let a body be longer than HTTP_AUTH_BODY_MAX,
 * or look at the password's hash, which Dovecot sends along.
 */
#include "http_auth.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include "log.h"

#define KEY_MAX  256
#define TEXT_MAX 1024
#define DOUBT \
    "It can't be decided at the moment whether you may log in; please try again in a minute"

/* A request whose answer is not there yet. */
struct pending {
    LIST_ENTRY(pending) link;
    struct http_auth *auth;
    struct evhttp_request *req;
    struct access_asked *asked;
    int administrator, is_report;
    char who[ADDR_MAX + 1]; /* for the log */
};

struct http_auth {
    struct control *control;
    LIST_HEAD(, pending) pending;
    struct log_limit doubt_limit, key_limit;
};

static char key[KEY_MAX + 1]; /* "": none is asked for */

/* --- the key --- */

int
http_auth_setup(const struct conf *conf, char *error, size_t n)
{
    const char *path = conf->access.http_key_file;
    int fd = *path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t got;

    if (!*path)
        return 0;
    got = fd >= 0 ? read(fd, key, KEY_MAX) : -1;
    if (got < 0)
        snprintf(error, n, "%s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    if (got < 0)
        return -1;
    key[got] = '\0';
    key[strcspn(key, "\r\n")] = '\0';
    if (*key)
        return 0;
    snprintf(error, n, "%s: holds no key", path);
    return -1;
}

/* Takes as long wherever they differ. */
static int
is_key(const char *given)
{
    size_t n = strlen(key), given_n = given ? strlen(given) : 0;
    unsigned char differ = given_n != n;

    for (size_t i = 0; i < n && given_n > 0; i++)
        differ |= (unsigned char)(key[i] ^ given[i % given_n]);
    return differ == 0;
}

/* --- answers --- */

/* {"status":0} lets in, -1 refuses. */
static void
reply(struct evhttp_request *req, int status, const char *text)
{
    json_t *j = json_pack("{s:i, s:o}", "status", status, "msg", control_text(span_of(text)));
    char *line = j ? json_dumps(j, JSON_COMPACT) : NULL;
    struct evbuffer *body = evbuffer_new();

    json_decref(j);
    evhttp_add_header(evhttp_request_get_output_headers(req), "Content-Type", "application/json");
    if (line && body)
        evbuffer_add(body, line, strlen(line));
    if (line && body)
        evhttp_send_reply(req, HTTP_OK, "OK", body);
    else
        evhttp_send_error(req, HTTP_SERVUNAVAIL, "out of memory");
    if (body)
        evbuffer_free(body);
    free(line);
}

static void
doubt(struct http_auth *a, struct evhttp_request *req, int administrator, const char *who,
      const char *why)
{
    int allow =
        !administrator && strcmp(a->control->env->conf->access.owner_on_doubt, "allow") == 0;
    unsigned skipped;

    if (log_limit(&a->doubt_limit, 5, 60, &skipped))
        log_warning("a login can't be decided outcome=\"%s\" who=%s why=\"%s\" unlogged=%u",
                    administrator ? "an administrator is refused"
                    : allow       ? "let in, as access.owner_on_doubt says"
                                  : "refused, as access.owner_on_doubt says",
                    who, why, skipped);
    reply(req, allow ? 0 : -1, allow ? "" : DOUBT);
}

static void
text_of(const struct tabline *answer, const char *field, char *out, size_t cap)
{
    struct span s;

    tabline_get(answer, field, &s);
    snprintf(out, cap, "%.*s", (int)(s.n < cap ? s.n : cap), s.p);
}

static void
decide(struct pending *p, const struct tabline *answer)
{
    char text[TEXT_MAX];

    if (p->is_report) {
        reply(p->req, 0, "");
    } else if (answer && span_same(answer->word, span_of("yes"))) {
        reply(p->req, 0, "");
    } else if (answer && span_same(answer->word, span_of("no"))) {
        text_of(answer, "text", text, sizeof text);
        reply(p->req, -1, text);
    } else {
        if (answer)
            text_of(answer, "why", text, sizeof text);
        doubt(p->auth, p->req, p->administrator, p->who,
              answer ? text : "no answer of role access");
    }
}

/* --- requests --- */

static void
pending_free(struct pending *p)
{
    struct evhttp_connection *conn = evhttp_request_get_connection(p->req);

    if (conn)
        evhttp_connection_set_closecb(conn, NULL, NULL);
    access_client_forget(&p->asked);
    LIST_REMOVE(p, link);
    free(p);
}

static void
on_decided(void *ctx, const struct tabline *answer)
{
    static const struct timeval flush = {0, 50000}; /* what was answered is still to be sent */
    struct pending *p = ctx;
    struct pending copy = *p;

    p->asked = NULL;
    pending_free(p);
    decide(&copy, answer);
    if (copy.auth->control->ending && !http_auth_owes(copy.auth))
        event_base_loopexit(copy.auth->control->base, &flush);
}

/* Dovecot went away before the answer; the request goes with the connection. */
static void
on_closed(struct evhttp_connection *conn, void *ctx)
{
    (void)conn;
    pending_free(ctx);
}

static struct span
member(json_t *body, const char *name)
{
    json_t *v = json_object_get(body, name);
    struct span s = {json_string_value(v), json_string_length(v)};

    return s;
}

static const char *
yes_or_no(json_t *body, const char *name)
{
    return json_is_true(json_object_get(body, name)) ? "yes" : "no";
}

/* Someone logs in for somebody else, and not for himself. */
static int
is_administrator(struct span login, struct span master)
{
    return master.n > 0 && (master.n != login.n || strncasecmp(master.p, login.p, login.n) != 0);
}

static size_t
write_allow(json_t *body, char *line, size_t cap)
{
    struct span login = member(body, "login"), master = member(body, "master");
    struct tabline_out o;

    tabline_begin(&o, line, cap, "allow");
    tabline_add_some(&o, "actor", master.n > 0 ? master : login);
    tabline_add_some(&o, "target", login);
    tabline_add_some(&o, "service", member(body, "protocol"));
    tabline_add_some(&o, "remote", member(body, "remote"));
    tabline_add_some(&o, "session", member(body, "session"));
    tabline_add(&o, "master", span_of(master.n > 0 ? "yes" : "no"));
    return tabline_end(&o);
}

static size_t
write_report(json_t *body, char *line, size_t cap)
{
    static const char *const same[] = {"login", "master", "protocol", "remote", "session"};
    struct tabline_out o;

    tabline_begin(&o, line, cap, "report");
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        tabline_add_some(&o, same[i], member(body, same[i]));
    tabline_add(&o, "success", span_of(yes_or_no(body, "success")));
    tabline_add(&o, "refused", span_of(yes_or_no(body, "policy_reject")));
    return tabline_end(&o);
}

static void
ask(struct http_auth *a, struct evhttp_request *req, json_t *body, int is_report)
{
    char line[TABLINE_MAX];
    size_t n =
        is_report ? write_report(body, line, sizeof line) : write_allow(body, line, sizeof line);
    struct span login = member(body, "login"), master = member(body, "master");
    struct pending *p = calloc(1, sizeof *p);

    if (!p) {
        doubt(a, req, 1, "", "out of memory");
        return;
    }
    p->auth = a;
    p->req = req;
    p->is_report = is_report;
    p->administrator = is_administrator(login, master);
    login = master.n > 0 ? master : login;
    snprintf(p->who, sizeof p->who, "%.*s", (int)(login.n < ADDR_MAX ? login.n : ADDR_MAX),
             login.p ? login.p : "");
    LIST_INSERT_HEAD(&a->pending, p, link);
    p->asked = access_client_ask(a->control->access, line, n, on_decided, p);
    if (p->asked)
        evhttp_connection_set_closecb(evhttp_request_get_connection(req), on_closed, p);
    else
        on_decided(p, NULL);
}

static void
bad(struct evhttp_request *req, int code, const char *why)
{
    struct evbuffer *body = evbuffer_new();

    if (body)
        evbuffer_add_printf(body, "%s\n", why);
    evhttp_send_reply(req, code, code == 403 ? "Forbidden" : "Bad Request", body);
    if (body)
        evbuffer_free(body);
}

static void
serve(struct http_auth *a, struct evhttp_request *req, int is_report)
{
    struct evbuffer *in = evhttp_request_get_input_buffer(req);
    size_t n = evbuffer_get_length(in);
    const char *text = (const char *)evbuffer_pullup(in, -1);
    json_t *body = text && n <= HTTP_AUTH_BODY_MAX ? json_loadb(text, n, 0, NULL) : NULL;
    unsigned skipped;

    if (*key && !is_key(evhttp_find_header(evhttp_request_get_input_headers(req), "X-API-Key"))) {
        if (log_limit(&a->key_limit, 5, 60, &skipped))
            log_warning("auth policy asked without the key of access.http_key_file skipped=%u",
                        skipped);
        bad(req, 403, "X-API-Key is not that of access.http_key_file");
    } else if (!json_is_object(body) || member(body, "login").n == 0) {
        bad(req, HTTP_BADREQUEST, "the body is no JSON object with a login");
    } else {
        ask(a, req, body, is_report);
    }
    json_decref(body);
}

int
http_auth_request(struct http_auth *a, struct evhttp_request *req)
{
    const char *query = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(req));
    int is_report = query && strcmp(query, "command=report") == 0;

    if (evhttp_request_get_command(req) != EVHTTP_REQ_POST || !query ||
        (!is_report && strcmp(query, "command=allow") != 0))
        return 0;
    serve(a, req, is_report);
    return 1;
}

int
http_auth_owes(const struct http_auth *a)
{
    return !LIST_EMPTY(&a->pending);
}

struct http_auth *
http_auth_open(struct control *c)
{
    struct http_auth *a = calloc(1, sizeof *a);

    if (!a)
        return NULL;
    a->control = c;
    LIST_INIT(&a->pending);
    return a;
}

void
http_auth_close(struct http_auth **ap)
{
    struct http_auth *a = *ap;

    if (!a)
        return;
    while (!LIST_EMPTY(&a->pending))
        pending_free(LIST_FIRST(&a->pending));
    free(a);
    *ap = NULL;
}
