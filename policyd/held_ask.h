/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_ask: the asking end of role held, for role control: {"number", "until_ms", "verb", …} over a pair
 * of sockets (SOCK_SEQPACKET) that the parent keeps, answered by {"number", "reply"}. Nothing here waits.
 *
 * held-list {"after":ID, "all":bool} -> {"messages":[…], "next":ID}: those that are held, or all that are
 * remembered, oldest first, in pages; without "next" there are no more. held-show {"id"} ->
 * {"message":{…}}: the members are those of the record, lib/held_record.h, times in milliseconds.
 * held-decide {"id", "verdict":"approve"|"reject", "reason"} -> {"id", "state"}. An ID may be any end of one.
 */
#ifndef POSTROAD_HELD_ASK_H
#define POSTROAD_HELD_ASK_H

#include <jansson.h>
#include <stdint.h>

#define HELD_ASK_MAX   131072 /* bytes of a message either way */
#define HELD_ASK_MS    8000   /* so long an answer is waited for */
#define HELD_ASKED_MAX 32     /* under way at once */

struct event_base;
struct held_ask;

/* Takes over reply; NULL: none came in time. */
typedef void held_ask_fn(void *ctx, uint64_t caller, json_t *reply);

/* fd: our end of the pair, -1: there is no role held. fn is called once for each question. NULL: no memory. */
struct held_ask *held_ask_new(struct event_base *base, int fd, held_ask_fn *fn, void *ctx);
void held_ask_free(struct held_ask **a);
int held_ask_works(const struct held_ask *a);
/* Ask what request holds, which is completed. 0: the answer comes by fn; -1: it can't be asked now. */
int held_ask(struct held_ask *a, uint64_t caller, json_t *request);

#endif
