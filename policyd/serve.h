/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * serve: one process that answers requests on one socket, for the roles answer and
 * policy. serve.c runs the loop, serve_conn.c moves the bytes of a connection; what
 * they say is the service's business.
 */
#ifndef POSTROAD_SERVE_H
#define POSTROAD_SERVE_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "log.h"
#include "maps.h"
#include "role.h"
#include "role_end.h"

#define SERVE_TICK_MS  500
#define SERVE_IN_MAX   65536 /* bytes read at once; the longest request fits several times */
#define SERVE_OUT_HIGH 32768 /* bytes of replies collected before they are written */
#define SERVE_OUT_MAX  (SERVE_OUT_HIGH + SOCKETMAP_REPLY_MAX + 64)
#define SERVE_HELD_MAX (64u << 20) /* bytes kept for clients that don't read, or write by halves */

struct worker;

/* What is spoken on the socket. */
struct service {
    /*
     * Answer the whole requests among n bytes of in, replies behind one another into w->out, until
     * SERVE_OUT_HIGH is reached, or one has to wait for a proof. *asked_ms: when the first one came,
     * if it waited already, else 0; set to when the one came that has to wait now and stands behind
     * the used bytes, else to 0. Returns how many bytes were used, *out_n replies' bytes; -1: no
     * request can follow, what was answered before that is in out. Called with n = SERVE_IN_MAX
     * it must not ask for more.
     */
    long (*requests)(struct worker *w, const char *in, size_t n, int64_t *asked_ms, size_t *out_n);
    const char *bad; /* why a connection is closed on -1 */
    /* Any may be NULL: before the first request (-1 is no reason to stop), twice a second, at the end. */
    int (*open)(struct worker *w);
    void (*tick)(struct worker *w);
    void (*close)(struct worker *w);
};

enum conn_state {
    CONN_IDLE,    /* read from; in order of the last sign of life */
    CONN_BLOCKED, /* written to, for it does not take its answers; since when that is so */
    CONN_PARKED,  /* neither: its question waits for a proof; in order of the questions */
    CONN_STATES
};

/* An idle connection holds this and nothing else. */
struct conn {
    struct event ev;
    TAILQ_ENTRY(conn) link; /* in worker.list[state], oldest first */
    struct worker *worker;
    char *in, *out; /* an incomplete request; replies the client has not taken */
    uint32_t in_n, out_n, out_pos;
    uint32_t tick;    /* of the last byte from it, or since when it is blocked */
    int64_t asked_ms; /* when the first request in `in` came, if it waits for a proof; else 0 */
    int ticket;       /* parked: what it waits for, see maps_ticket */
    enum conn_state state;
};
TAILQ_HEAD(conn_list, conn);

struct worker {
    const struct service *service;
    struct role_env *env;
    struct board *board;
    struct event_base *base;
    struct event *listener, *timer;
    struct role_end end;
    struct maps *maps;
    struct conn_list list[CONN_STATES];
    unsigned nconns, max_conns, nparked;
    uint32_t tick;                    /* counts up twice a second: the clock of time-outs */
    uint32_t close_from, drain_until; /* ticks, while draining */
    int tick_fd;
    struct event *park_timer;
    int park_fd; /* ticks only while somebody is parked */
    int draining, not_accepting;
    size_t held;
    struct log_limit bad_limit, slow_limit, accept_limit, request_limit;
    char in[SERVE_IN_MAX], out[SERVE_OUT_MAX], data[SOCKETMAP_REPLY_MAX];
};

/* Serve env->listen_fd[0] until told to end; the exit code. Logs. */
int serve_run(struct role_env *env, const struct service *service);

/* serve_park.c */
int park_open(struct worker *w); /* 0, or -1 */
void park_close(struct worker *w);
/* Go on with those that are settled. */
void park_look(struct worker *w);
/* Whether one more question may wait. */
int park_room(struct worker *w);
/* A connection comes to or leaves the parked ones. */
void park_enter(struct conn *c);
void park_leave(struct conn *c);
/* While draining: answer who still waits by what is known. */
void park_release(struct worker *w);

/* serve_conn.c */
void conn_open(struct worker *w, int fd);
void conn_close(struct conn *c);
/* Close the connection idle longest, else the one blocked longest; 0 when there is none. */
int conn_close_oldest(struct worker *w);
/* Go on with the question a connection is parked for; it may be parked again, or gone, after. */
void conn_resume(struct conn *c);
/* Close what was idle or blocked for too long; while draining, what can be closed. */
void conn_sweep(struct worker *w);

#endif
