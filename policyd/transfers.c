/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * transfers: see transfers.h. How libcurl's "multi" interface is driven by libevent: it says which
 * descriptors and what time it waits for, and is told what has come.
 *
 * Promises: no request takes a proxy from the environment or sets a signal handler. Must not wait,
 * but for what libcurl does itself: after the end of a mail it waits for the answer, within the time-out.
 */
#include "transfers.h"

#include <event2/event.h>
#include <stdlib.h>

#include "beat.h"

struct transfers {
    const struct transfers_kind *kind;
    void *ctx;
    struct event_base *base;
    CURLM *multi;
    struct event *timer;
};

static void
ended(struct transfers *t, CURL *easy, CURLcode code)
{
    void *request = NULL;
    long status = 0;

    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &request);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_multi_remove_handle(t->multi, easy);
    curl_easy_cleanup(easy);
    t->kind->ended(t->ctx, request, code, status);
}

static void
act(struct transfers *t, curl_socket_t fd, int mask)
{
    const CURLMsg *m;
    int left;

    beat_wait(); /* with SMTP it waits itself for the answer to the whole message */
    curl_multi_socket_action(t->multi, fd, mask, &left);
    beat_now();
    while ((m = curl_multi_info_read(t->multi, &left)))
        if (m->msg == CURLMSG_DONE)
            ended(t, m->easy_handle, m->data.result);
    if (t->kind->moved)
        t->kind->moved(t->ctx);
}

static void
on_socket(evutil_socket_t fd, short what, void *ctx)
{
    act(ctx, fd, (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0));
}

static void
on_timer(evutil_socket_t fd, short what, void *ctx)
{
    (void)fd;
    (void)what;
    act(ctx, CURL_SOCKET_TIMEOUT, 0);
}

/* libcurl wants to be told of fd, or not any more. */
static int
want_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
    struct transfers *t = ctx;
    struct event *ev = socket_ctx;
    short events = (short)(EV_PERSIST | (what & CURL_POLL_IN ? EV_READ : 0) |
                           (what & CURL_POLL_OUT ? EV_WRITE : 0));

    (void)easy;
    if (ev)
        event_free(ev);
    ev = what == CURL_POLL_REMOVE ? NULL : event_new(t->base, fd, events, on_socket, t);
    if (ev)
        event_add(ev, NULL);
    curl_multi_assign(t->multi, fd, ev);
    return 0;
}

static int
want_timer(CURLM *multi, long ms, void *ctx)
{
    struct transfers *t = ctx;
    struct timeval tv = {ms / 1000, ms % 1000 * 1000};

    (void)multi;
    if (ms < 0)
        return event_del(t->timer);
    return event_add(t->timer, &tv);
}

int
transfers_add(struct transfers *t, CURL *easy, void *request)
{
    curl_easy_setopt(easy, CURLOPT_PRIVATE, request);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    return curl_multi_add_handle(t->multi, easy) == CURLM_OK ? 0 : -1;
}

struct transfers *
transfers_new(struct event_base *base, const struct transfers_kind *kind, void *ctx)
{
    struct transfers *t = calloc(1, sizeof *t);

    if (!t)
        return NULL;
    t->kind = kind;
    t->ctx = ctx;
    t->base = base;
    t->multi = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? curl_multi_init() : NULL;
    t->timer = evtimer_new(base, on_timer, t);
    if (!t->multi || !t->timer) {
        transfers_free(&t);
        return NULL;
    }
    curl_multi_setopt(t->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
    curl_multi_setopt(t->multi, CURLMOPT_SOCKETDATA, t);
    curl_multi_setopt(t->multi, CURLMOPT_TIMERFUNCTION, want_timer);
    curl_multi_setopt(t->multi, CURLMOPT_TIMERDATA, t);
    return t;
}

void
transfers_free(struct transfers **t)
{
    if (!*t)
        return;
    if ((*t)->timer)
        event_free((*t)->timer);
    /* libcurl's part goes with the process: its own way waits for who looks up a name. */
    free(*t);
    *t = NULL;
}
