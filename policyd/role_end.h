/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * role_end: how a role with an event loop hears that it shall end: by SIGTERM or SIGINT, or because
 * the parent is gone, which says nothing to it before.
 */
#ifndef POSTROAD_ROLE_END_H
#define POSTROAD_ROLE_END_H

struct event;
struct event_base;

/* alone: the parent is gone. May be called more than once. */
typedef void role_end_fn(void *ctx, int alone);

struct role_end {
    struct event *parent, *term, *interrupt;
    const char *who;
    role_end_fn *fn;
    void *ctx;
};

/* who, borrowed: as the log names it. 0, or -1: no memory, or parent_fd can't be waited for; role_end_close then. */
int role_end_open(struct role_end *e, struct event_base *base, int parent_fd, const char *who,
                  role_end_fn *fn, void *ctx);
/* Also of one that was not opened, all zeros. Before its base is freed. */
void role_end_close(struct role_end *e);

#endif
