/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * role_end: see role_end.h. The end of the parent is told and logged once.
 */
#include "role_end.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <unistd.h>

#include "log.h"
#include "role.h"

static void
on_signal(evutil_socket_t number, short what, void *ctx)
{
    struct role_end *e = ctx;

    (void)number;
    (void)what;
    e->fn(e->ctx, 0);
}

static void
on_parent(evutil_socket_t fd, short what, void *ctx)
{
    struct role_end *e = ctx;
    char buf[ROLE_MESSAGE_MAX];
    ssize_t n = read(fd, buf, sizeof buf);

    (void)what;
    if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
        return;
    event_del(e->parent);
    log_notice("the parent is gone, so %s ends", e->who);
    e->fn(e->ctx, 1);
}

int
role_end_open(struct role_end *e, struct event_base *base, int parent_fd, const char *who,
              role_end_fn *fn, void *ctx)
{
    *e = (struct role_end){.who = who, .fn = fn, .ctx = ctx};
    e->parent = event_new(base, parent_fd, EV_READ | EV_PERSIST, on_parent, e);
    e->term = evsignal_new(base, SIGTERM, on_signal, e);
    e->interrupt = evsignal_new(base, SIGINT, on_signal, e);
    return e->parent && e->term && e->interrupt && event_add(e->parent, NULL) == 0 &&
                   event_add(e->term, NULL) == 0 && event_add(e->interrupt, NULL) == 0
               ? 0
               : -1;
}

void
role_end_close(struct role_end *e)
{
    struct event *all[] = {e->parent, e->term, e->interrupt};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i])
            event_free(all[i]);
    *e = (struct role_end){0};
}
