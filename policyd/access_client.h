/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * access_client: role control as a client of the access socket. Nothing here waits:
 * answers come by the event loop, none after ACCESS_CLIENT_MS.
 */
#ifndef POSTROAD_ACCESS_CLIENT_H
#define POSTROAD_ACCESS_CLIENT_H

#include <stddef.h>

#include "tabline.h"

#define ACCESS_CLIENT_MS  1200 /* Dovecot gives its auth policy 2 s */
#define ACCESS_CLIENT_MAX 256  /* questions under way at once */

struct event_base;
struct access_client;
struct access_asked; /* a question under way */

/* answer: good until the function returns; NULL: there was none. */
typedef void access_client_fn(void *ctx, const struct tabline *answer);

/* address: "unix:/path"; kept. NULL: no memory. */
struct access_client *access_client_new(struct event_base *base, const char *address);
/* What is under way has no answer. */
void access_client_free(struct access_client **c);
/*
 * Ask; line: a whole request of n bytes with its LF, at most TABLINE_MAX. fn is called once, later;
 * by then the question is over, and not to be forgotten any more.
 * NULL when there is nobody to ask, or too much is asked at once: then fn is not called.
 */
struct access_asked *access_client_ask(struct access_client *c, const char *line, size_t n,
                                       access_client_fn *fn, void *ctx);
/* Nobody wants the answer any more: fn is not called. */
void access_client_forget(struct access_asked **q);

#endif
