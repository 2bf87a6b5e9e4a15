/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control: what the files of role control share. control.c runs the loop,
 * control_socket.c keeps the connections of `postroad`, control_verbs.c answers
 * their requests with status.c, explain.c and control_may.c, http.c serves metrics.c.
 */
#ifndef POSTROAD_CONTROL_H
#define POSTROAD_CONTROL_H

#include <jansson.h>
#include <sys/types.h>

#include "maps.h"
#include "rates.h"
#include "role.h"
#include "vitals.h"

#define CONTROL_REQUEST_MAX 65536 /* bytes of one request line */

struct event_base;
struct door; /* the control socket */
struct web;  /* the HTTP endpoints */
struct compare;
struct duplicates; /* see trouble.h */
struct access_client;
struct held_ask;

struct control {
    struct role_env *env;
    struct event_base *base;
    struct maps *maps;
    struct rates rates;
    struct door *door;
    struct web *web;
    struct duplicates *duplicates;
    struct compare *compare;      /* see control_compare.h */
    struct access_client *access; /* to ask role access by */
    struct held_ask *held;        /* and role held */
    int64_t confirmed_ms;         /* see status_confirm */
    int ending;                   /* told to end: as soon as no login waits for its answer */
    uid_t own_uid;
    gid_t group; /* conf.group; its members may ask */
    int has_group;
    uid_t milter_uid; /* who may not, whatever his groups; -1: nobody */
};

/* Who is at the other end of a control connection. */
struct caller {
    pid_t pid;
    uid_t uid;
    int may_change;  /* root or the daemon's own user */
    uint64_t number; /* of the connection */
};

struct moment control_now(void);

/* control_socket.c. tick: once a second; what could not be accepted is tried again. */
struct door *door_open(struct control *c, int fd);
void door_tick(struct door *d);
void door_close(struct door **d);
/* The reply to a verb that returned control_later(), if its caller is still there. Takes reply. */
void door_reply(struct door *d, uint64_t caller, json_t *reply);

/* control_verbs.c: the reply to one request line; never NULL unless memory is out. */
json_t *control_later(void); /* in place of a reply: it comes by door_reply */
json_t *control_reply(struct control *c, const struct caller *who, const char *line, size_t n);

/* Errors are replies too: {"ok":false,"error":…,"code":…}; code is what `postroad` exits with. */
enum control_code { CONTROL_NO = 1, CONTROL_USAGE = 2, CONTROL_TEMPORARY = 75 };
json_t *control_error(enum control_code code, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Text as JSON; bytes that are no UTF-8 become '?'. */
json_t *control_text(struct span s);
/* The DN of an entry of the mirror, or null. */
json_t *control_dn(struct mirror *m, const unsigned char uuid[UUID_LEN]);
json_t *control_number(uint64_t v);
json_t *control_seconds(int64_t ms); /* with a fraction; 0 for what is negative */
/* "2026-01-31T23:59:59Z"; JSON null for 0. */
json_t *control_time(int64_t wall_ms);
/*
 * The mirror, in one snapshot until control_mirror_end; lookups in between use it too. They nest.
 * NULL and why when it can't be read; then no end is due.
 */
struct mirror *control_mirror(struct control *c, const char **why_r);
void control_mirror_end(struct control *c);

#endif
