/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_ldap_open: a connection for role held, made in a thread: connecting, TLS and bind take held.timeout
 * each with a server that hangs, and administrators want answers meanwhile.
 *
 * The thread touches its own struct and nothing else, and says by a pipe that it is done; one that nobody waits
 * for any more frees what it has. The role's configuration, which it reads, it has until the process ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "held_ldap.h"
#include "syncrepl_conn.h"

struct held_opening {
    struct conf conf;
    struct held *held;
    void (*done)(struct held *h);
    struct event *event;
    int fd[2];
    _Atomic int users; /* two at first: the last one frees it */
    LDAP *ld;
    char error[256];
};

static void
leave(struct held_opening *o)
{
    if (atomic_fetch_sub(&o->users, 1) > 1)
        return;
    syncrepl_conn_close(&o->ld);
    close(o->fd[0]);
    close(o->fd[1]);
    free(o);
}

static void *
opening_thread(void *ctx)
{
    struct held_opening *o = ctx;
    const struct conf_list *uri = &o->conf.directory.uri;

    for (size_t i = 0; i < uri->n && !o->ld; i++)
        o->ld = syncrepl_conn_open(&o->conf, uri->v[i], o->error, sizeof o->error);
    while (write(o->fd[1], "", 1) < 0 && errno == EINTR)
        ;
    leave(o);
    return NULL;
}

static void
on_done(evutil_socket_t fd, short what, void *ctx)
{
    struct held_opening *o = ctx;

    (void)fd;
    (void)what;
    o->done(o->held);
}

static int
start(struct held_opening *o)
{
    pthread_t thread;
    sigset_t all, before;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&thread, NULL, opening_thread, o);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc ? -1 : pthread_detach(thread);
}

int
held_opening_begin(struct held *h, void (*done)(struct held *h))
{
    struct held_opening *o = calloc(1, sizeof *o);

    if (!o)
        return -1;
    if (pipe2(o->fd, O_CLOEXEC | O_NONBLOCK) < 0) {
        free(o);
        return -1;
    }
    o->conf = h->ldap->conf;
    o->held = h;
    o->done = done;
    o->users = 2;
    snprintf(o->error, sizeof o->error, "no server");
    o->event = event_new(h->base, o->fd[0], EV_READ, on_done, o);
    h->ldap->opening = o;
    if (o->event && event_add(o->event, NULL) == 0 && start(o) == 0) {
        h->env->lingers = 1;
        return 0;
    }
    o->users = 1;
    held_opening_forget(h);
    return -1;
}

LDAP *
held_opening_end(struct held *h, char *error, size_t n)
{
    struct held_opening *o = h->ldap->opening;
    LDAP *ld = o->ld;

    o->ld = NULL;
    snprintf(error, n, "%s", o->error);
    held_opening_forget(h);
    return ld;
}

void
held_opening_forget(struct held *h)
{
    struct held_opening *o = h->ldap->opening;

    h->ldap->opening = NULL;
    if (!o)
        return;
    if (o->event)
        event_free(o->event);
    o->event = NULL;
    leave(o);
}
