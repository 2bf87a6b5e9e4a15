/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * http: the endpoints for monitoring, see http.c and metrics.c.
 */
#ifndef POSTROAD_HTTP_H
#define POSTROAD_HTTP_H

#include "control.h"

struct evbuffer;

/* Serve what listen_fd holds from [1] on; NULL when a socket does not work. */
struct web *web_open(struct control *c);
/* Now and then: give back what closed connections still hold. */
void web_tick(struct web *w);
void web_close(struct web **w);
/* Take no more connections: the next process does. 1: a login waits for its answer. */
int web_end(struct web *w);
/* Append all metrics in Prometheus' text format. */
void metrics_write(struct control *c, const struct moment *now, struct evbuffer *out);

#endif
