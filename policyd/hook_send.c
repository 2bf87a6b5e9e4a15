/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hook_send: events as HTTP POST by libcurl, in libevent's loop.
 *
 * Promises: certificates are verified; redirects, proxies of the environment and other
 * protocols are not followed; a request ends within hook.timeout; what the other side
 * says is not kept, but for its status. 2xx: taken. 400, 410, 413, 415, 422: it will
 * never take this one. All else may be otherwise the next time, also what looks like a
 * mistake in the configuration (401, 404): that must not cost events.
 */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hook.h"

struct hook_sender {
    struct hook *hook;
    CURLM *multi;
    struct event *timer;
};

/* One request. */
struct request {
    struct hook_item *item;
    struct curl_slist *headers;
    char *event;
    char error[CURL_ERROR_SIZE];
};

static size_t
swallow(char *p, size_t size, size_t n, void *ctx)
{
    (void)p;
    (void)ctx;
    return size * n;
}

/* --- what became of it --- */

static enum hook_outcome
judge(long status)
{
    if (status >= 200 && status < 300)
        return HOOK_TAKEN;
    return status == 400 || status == 410 || status == 413 || status == 415 || status == 422
               ? HOOK_REFUSED
               : HOOK_FAILED;
}

static void
request_free(struct request *r)
{
    curl_slist_free_all(r->headers);
    free(r->event);
    free(r);
}

static void
finished(struct hook_sender *s, CURL *easy, CURLcode code)
{
    enum hook_outcome outcome = HOOK_FAILED;
    struct hook_item *item;
    char why[CURL_ERROR_SIZE + 64];
    struct request *r;
    long status = 0;

    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &r);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    snprintf(why, sizeof why, "%s", *r->error ? r->error : curl_easy_strerror(code));
    if (code == CURLE_OK) {
        outcome = judge(status);
        snprintf(why, sizeof why, "HTTP status %ld", status);
    }
    item = r->item;
    curl_multi_remove_handle(s->multi, easy);
    curl_easy_cleanup(easy);
    request_free(r);
    hook_landed(s->hook, item, outcome, why);
}

static void
look_for_finished(struct hook_sender *s)
{
    CURLMsg *m;
    int left;

    while ((m = curl_multi_info_read(s->multi, &left)))
        if (m->msg == CURLMSG_DONE)
            finished(s, m->easy_handle, m->data.result);
    hook_pump(s->hook);
}

/* --- libcurl in libevent --- */

static void
on_socket(evutil_socket_t fd, short what, void *ctx)
{
    struct hook_sender *s = ctx;
    int running;
    int mask = (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0);

    curl_multi_socket_action(s->multi, fd, mask, &running);
    look_for_finished(s);
}

static void
on_timer(evutil_socket_t fd, short what, void *ctx)
{
    struct hook_sender *s = ctx;
    int running;

    (void)fd;
    (void)what;
    curl_multi_socket_action(s->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    look_for_finished(s);
}

/* libcurl wants to be told of fd, or not any more. */
static int
want_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
    struct hook_sender *s = ctx;
    struct event *ev = socket_ctx;
    short events = (short)(EV_PERSIST | (what & CURL_POLL_IN ? EV_READ : 0) |
                           (what & CURL_POLL_OUT ? EV_WRITE : 0));

    (void)easy;
    if (ev)
        event_free(ev);
    ev = what == CURL_POLL_REMOVE ? NULL : event_new(s->hook->base, fd, events, on_socket, s);
    if (ev)
        event_add(ev, NULL);
    curl_multi_assign(s->multi, fd, ev);
    return 0;
}

static int
want_timer(CURLM *multi, long ms, void *ctx)
{
    struct hook_sender *s = ctx;
    struct timeval tv = {ms / 1000, ms % 1000 * 1000};

    (void)multi;
    if (ms < 0)
        return event_del(s->timer);
    return event_add(s->timer, &tv);
}

/* --- sending --- */

static int
add_header(struct request *r, const char *line)
{
    struct curl_slist *more = curl_slist_append(r->headers, line);

    if (more)
        r->headers = more;
    return more ? 0 : -1;
}

static int
add_signature(struct request *r, const struct hook_target *t, size_t n)
{
    char line[160], stamp[24], hex[65];

    snprintf(stamp, sizeof stamp, "%lld", (long long)time(NULL));
    hook_sign(t->secret, t->secret_n, stamp, r->event, n, hex);
    snprintf(line, sizeof line, "Postroad-Signature: t=%s, v1=%s", stamp, hex);
    return add_header(r, line);
}

/* Each line of the target's file of headers. */
static int
add_own(struct request *r, const char *text)
{
    char line[1024];

    for (size_t n; *text; text += n + strspn(text + n, "\r\n")) {
        n = strcspn(text, "\r\n");
        if (n > 0 && n < sizeof line) {
            memcpy(line, text, n);
            line[n] = '\0';
            if (add_header(r, line) < 0)
                return -1;
        }
    }
    return 0;
}

static struct request *
request_new(const struct hook_target *t, struct hook_item *item, const char *event, size_t n)
{
    struct request *r = calloc(1, sizeof *r);

    if (!r)
        return NULL;
    r->item = item;
    r->event = malloc(n + 1);
    if (r->event) {
        memcpy(r->event, event, n);
        r->event[n] = '\0';
    }
    if (r->event && add_header(r, "Content-Type: application/json") == 0 &&
        add_header(r, "Expect:") == 0 && (!t->secret || add_signature(r, t, n) == 0) &&
        (!t->headers || add_own(r, t->headers) == 0))
        return r;
    request_free(r);
    return NULL;
}

static void
set_options(CURL *easy, const struct conf *conf, const struct hook_target *t, struct request *r,
            size_t n)
{
    curl_easy_setopt(easy, CURLOPT_URL, t->url);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, r);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, r->error);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, r->headers);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)n);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, r->event);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, swallow);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "postroad");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_TIMEOUT, (long)conf->hook.timeout);
    if (*conf->hook.ca_file)
        curl_easy_setopt(easy, CURLOPT_CAINFO, conf->hook.ca_file);
}

int
hook_send(struct hook_sender *s, struct hook_target *t, struct hook_item *item, const char *event,
          size_t n)
{
    struct request *r = request_new(t, item, event, n);
    CURL *easy = r ? curl_easy_init() : NULL;

    if (!easy) {
        if (r)
            request_free(r);
        return -1;
    }
    set_options(easy, s->hook->env->conf, t, r, n);
    if (curl_multi_add_handle(s->multi, easy) == CURLM_OK)
        return 0;
    curl_easy_cleanup(easy);
    request_free(r);
    return -1;
}

struct hook_sender *
hook_sender_new(struct hook *h)
{
    struct hook_sender *s = calloc(1, sizeof *s);

    if (!s || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(s);
        return NULL;
    }
    s->hook = h;
    s->multi = curl_multi_init();
    s->timer = evtimer_new(h->base, on_timer, s);
    if (!s->multi || !s->timer) {
        hook_sender_free(&s);
        return NULL;
    }
    curl_multi_setopt(s->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
    curl_multi_setopt(s->multi, CURLMOPT_SOCKETDATA, s);
    curl_multi_setopt(s->multi, CURLMOPT_TIMERFUNCTION, want_timer);
    curl_multi_setopt(s->multi, CURLMOPT_TIMERDATA, s);
    return s;
}

/* What is on its way is not waited for: it goes again when the role is back. */
void
hook_sender_free(struct hook_sender **s)
{
    if (!*s)
        return;
    if ((*s)->timer)
        event_free((*s)->timer);
    if ((*s)->multi)
        curl_multi_setopt((*s)->multi, CURLMOPT_SOCKETFUNCTION, NULL);
    /* Requests and their handles go with the process, which ends now. */
    free(*s);
    *s = NULL;
}
