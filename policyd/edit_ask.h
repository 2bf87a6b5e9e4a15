/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * edit_ask: the asking end of role edit, for role access. Nothing here waits: answers
 * come by the event loop, "unsure" after a time-out.
 */
#ifndef POSTROAD_EDIT_ASK_H
#define POSTROAD_EDIT_ASK_H

#include <event2/event.h>

#include "edit.h"
#include "span.h"

#define EDIT_ASKED_MAX 32 /* under way at once; the next is told "unsure" */

struct edit_ask;

/* text lives until the function returns; "" when it is done. */
typedef void edit_ask_fn(void *ctx, enum edit_verdict verdict, const char *text);

/* fd: our end of the pair, -1: there is no role edit. NULL: no memory. */
struct edit_ask *edit_ask_new(struct event_base *base, int fd, const struct conf *conf);
void edit_ask_free(struct edit_ask **a);
/* Whether there is a role edit. */
int edit_ask_works(const struct edit_ask *a);
/*
 * Set target's quota with actor's rights; both are DNs. Returns a number, and fn is called once, later;
 * or 0: it can't be asked now, and nothing was.
 */
uint64_t edit_ask_quota(struct edit_ask *a, struct span actor, struct span target, uint64_t bytes,
                        edit_ask_fn *fn, void *ctx);
/* Who asked is gone: fn is not called any more. The change may be made nevertheless. */
void edit_ask_forget(struct edit_ask *a, uint64_t number);

#endif
