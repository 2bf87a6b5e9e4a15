/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * transfers: see transfers.h. How libcurl's "multi" interface is driven by libevent: it says which
 * descriptors and what time it waits for, and is told what has come. What is done aside says by a pipe that
 * it is over.
 *
 * Promises: no request takes a proxy from the environment or sets a signal handler; ended and moved are
 * called by the loop. Must not wait.
 */
#include "transfers.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "beat.h"

struct transfers {
    const struct transfers_kind *kind;
    void *ctx;
    struct event_base *base;
    CURLM *multi; /* NULL: all are done aside */
    struct event *timer, *over;
    int pipe[2]; /* of struct aside * */
    int used;    /* there was one: also who looks up a name for it is a thread, and some end late */
};

/* One that is done aside: its thread's, then the loop's. */
struct aside {
    CURL *easy;
    CURLcode code;
    int over; /* the pipe's end to write to, which stays open */
};

static void
ended(struct transfers *t, CURL *easy, CURLcode code)
{
    void *request = NULL;
    long status = 0;

    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &request);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(easy);
    t->kind->ended(t->ctx, request, code, status);
}

static void
act(struct transfers *t, curl_socket_t fd, int mask)
{
    static const struct timeval soon = {0, 100000};
    const CURLMsg *m;
    int left;

    if (curl_multi_socket_action(t->multi, fd, mask, &left) != CURLM_OK)
        event_add(t->timer, &soon); /* else nobody may ever look at it again */
    beat_now();
    while ((m = curl_multi_info_read(t->multi, &left)))
        if (m->msg == CURLMSG_DONE) {
            CURL *easy = m->easy_handle;
            CURLcode code = m->data.result;

            curl_multi_remove_handle(t->multi, easy);
            ended(t, easy, code);
        }
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

/* --- aside --- */

static void *
perform(void *ctx)
{
    struct aside *a = ctx;

    a->code = curl_easy_perform(a->easy);
    while (write(a->over, &a, sizeof a) < 0 && errno == EINTR)
        ;
    return NULL;
}

static void
on_over(evutil_socket_t fd, short what, void *ctx)
{
    struct transfers *t = ctx;
    struct aside *a;

    (void)what;
    beat_now();
    while (read(fd, &a, sizeof a) == (ssize_t)sizeof a) {
        ended(t, a->easy, a->code);
        free(a);
    }
    if (t->kind->moved)
        t->kind->moved(t->ctx);
}

static int
add_aside(struct transfers *t, CURL *easy)
{
    pthread_attr_t detached;
    struct aside *a;
    sigset_t all, before;
    pthread_t thread;
    int rc;

    if (pthread_attr_init(&detached) != 0)
        return -1;
    a = malloc(sizeof *a);
    if (!a) {
        pthread_attr_destroy(&detached);
        return -1;
    }
    *a = (struct aside){.easy = easy, .over = t->pipe[1]};
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&thread, &detached, perform, a);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&detached);
    if (rc != 0)
        free(a);
    return rc == 0 ? 0 : -1;
}

/* Few are under way, so the pipe has room for all. */
static int
open_aside(struct transfers *t)
{
    if (pipe2(t->pipe, O_CLOEXEC) < 0 || fcntl(t->pipe[0], F_SETFL, O_NONBLOCK) < 0)
        return -1;
    t->over = event_new(t->base, t->pipe[0], EV_READ | EV_PERSIST, on_over, t);
    return t->over ? event_add(t->over, NULL) : -1;
}

/* --- all --- */

int
transfers_add(struct transfers *t, CURL *easy, void *request)
{
    curl_easy_setopt(easy, CURLOPT_PRIVATE, request);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    if (curl_easy_setopt(easy, CURLOPT_PROXY, "") != CURLE_OK)
        return -1;
    t->used = 1;
    if (t->kind->aside)
        return add_aside(t, easy);
    return curl_multi_add_handle(t->multi, easy) == CURLM_OK ? 0 : -1;
}

static int
open_multi(struct transfers *t)
{
    t->multi = curl_multi_init();
    t->timer = evtimer_new(t->base, on_timer, t);
    if (!t->multi || !t->timer)
        return -1;
    curl_multi_setopt(t->multi, CURLMOPT_SOCKETFUNCTION, want_socket);
    curl_multi_setopt(t->multi, CURLMOPT_SOCKETDATA, t);
    curl_multi_setopt(t->multi, CURLMOPT_TIMERFUNCTION, want_timer);
    curl_multi_setopt(t->multi, CURLMOPT_TIMERDATA, t);
    return 0;
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
    t->pipe[0] = t->pipe[1] = -1;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK ||
        (kind->aside ? open_aside(t) : open_multi(t)) < 0)
        transfers_free(&t);
    return t;
}

/*
 * libcurl's part goes with the process: its own way waits for who looks up a name. So do threads, what they
 * work at, and the pipe. Kept where leak checkers find it.
 */
int
transfers_free(struct transfers **t)
{
    static CURLM *volatile left;
    int used;

    if (!*t)
        return 0;
    used = (*t)->used;
    if ((*t)->timer)
        event_free((*t)->timer);
    if ((*t)->over)
        event_free((*t)->over);
    left = (*t)->multi;
    (void)left;
    free(*t);
    *t = NULL;
    return used;
}
