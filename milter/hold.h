/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hold: moderation, as far as the milter goes: which message waits in Postfix's hold queue for
 * somebody's approval, and its record in STATE/held. See Moderation in postroad-milter(8).
 *
 * For each message: hold_begin, hold_expect and hold_request by who may have a reason of his own, hold_recipient
 * for each, hold_header for each, hold_body, and hold_end before Postfix is asked to hold it.
 */
#ifndef POSTROAD_HOLD_H
#define POSTROAD_HOLD_H

#include "conf.h"
#include "held_record.h"
#include "message.h"

struct hold;      /* shared by all threads */
struct hold_work; /* what is collected of one message */

/* One message; all zero before the first hold_begin. */
struct hold_mail {
    struct hold_work *work;          /* owned; NULL: nothing can hold it */
    int broken, requested, expected; /* broken: no memory */
    int held;                        /* hold_end said 1 */
};

/* NULL: no memory. conf and people are borrowed. */
struct hold *hold_new(const struct conf *conf, struct people *people);
/* The folder where records are put down, which stays the caller's. */
void hold_open(struct hold *h, int folder);

/* Behind message_begin. */
void hold_begin(struct hold *h, struct hold_mail *m, const struct message *message);
void hold_free(struct hold_mail *m);
/* Somebody may call hold_request for this message: what a record needs is collected from now on. Right
 * after hold_begin. */
void hold_expect(struct hold_mail *m);
void hold_recipient(struct hold *h, struct hold_mail *m, const char *recipient,
                    const struct message_way *way);
void hold_header(struct hold *h, struct hold_mail *m, const struct message *message,
                 const char *name, const char *value);
void hold_body(struct hold_mail *m, struct span bytes);
/*
 * It is to be held whatever the rules say. rule: one word ("spoof"), why: in words, for the moderator; both
 * are copied. The first request stands. Who decides is who has `approve` over the first recipient whose
 * mailbox is at this site, or else the first who is ours. Only after hold_expect.
 */
void hold_request(struct hold_mail *m, const char *rule, const char *why);

/*
 * The message's end. 1: it is to be held, and its record is on disk; 0 it is not; -1 and error: it can't
 * be told, or not be written: it has to come again.
 */
int hold_end(struct hold *h, struct hold_mail *m, const struct message *message, const char *queue,
             int64_t now_ms, char *error, size_t error_n);
/* Its record, after hold_end said 1. */
const struct held_record *hold_record(const struct hold_mail *m);
/* Postfix is not told to accept the message: its record goes, if hold_end said 1. */
void hold_undo(struct hold *h, struct hold_mail *m);

#endif
