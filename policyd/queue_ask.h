/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * queue_ask: the asking end of role queue, for role held. Nothing here waits: answers come by the
 * event loop, "unsure" after a time-out.
 */
#ifndef POSTROAD_QUEUE_ASK_H
#define POSTROAD_QUEUE_ASK_H

#include <event2/event.h>

#include "conf.h"
#include "queue.h"

#define QUEUE_ASKED_MAX 64 /* under way at once; more can't be asked now */

struct queue_ask;

/*
 * a lives until the function returns. done: it was found (look), it has been released or deleted by
 * this request. no: a->why says which; nothing was done. unsure: it may or may not have been done.
 */
typedef void queue_ask_fn(void *ctx, const struct queue_answer *a);

/* fd: our end of the pair, -1: there is no role queue. NULL: no memory. */
struct queue_ask *queue_ask_new(struct event_base *base, int fd, const struct conf *conf);
/* Who asked is not told any more. */
void queue_ask_free(struct queue_ask **q);
/* Whether there is a role queue. */
int queue_ask_works(const struct queue_ask *q);

/*
 * Each returns a number, and fn is called once, later; or 0: it can't be asked now (no role, too many
 * under way, no queue id), and nothing was. not_after_s: see queue.h.
 */
uint64_t queue_ask_look(struct queue_ask *q, const char *queue_id, queue_ask_fn *fn, void *ctx);
uint64_t queue_ask_release(struct queue_ask *q, const char *queue_id, int64_t not_after_s,
                           queue_ask_fn *fn, void *ctx);
uint64_t queue_ask_delete(struct queue_ask *q, const char *queue_id, int64_t not_after_s,
                          queue_ask_fn *fn, void *ctx);

#endif
