/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session: one login to one mailbox: who it is that acts, what policyd says he may do there, and
 * the records of what he does. Only logins of people have one; a delivery, doveadm or an indexer
 * has none and is never hindered.
 */
#ifndef POSTROAD_SESSION_H
#define POSTROAD_SESSION_H

#include "seq-range-array.h"
#include "answer.h"
#include "question.h"

struct mail_user;
struct mailbox;

#define SESSION_TEXT_READ_ONLY "This session may only read"
#define SESSION_TEXT_EXPUNGE   "Deleting messages for good is not permitted to you"
#define SESSION_TEXT_CREATE    "Making folders is not permitted to you"
#define SESSION_TEXT_NO_RECORD "This can't be recorded at the moment, try later"
#define SESSION_TEXT_NO_ANSWER "This can't be decided at the moment, try later"

struct session {
    struct question ask;
    const struct postroad_settings *set;
    struct event *event;
    const char *actor, *target, *service;
    bool master; /* by a master login, be it into his own mailbox */
    const char *hello;
    enum answer_mode mode; /* MODE_NONE: refused */
    enum withheld withheld;
    bool unavailable;    /* refused because nobody could say */
    const char *goodbye; /* for the client when refused */
};

/* Whether logins by this service are asked about. */
bool session_concerns(struct mail_user *user);
/*
 * A delivery: the directory's quota and the end of forwards, as far as policyd says so at once. When
 * it doesn't, the mail is delivered all the same.
 */
void session_prepare_delivery(struct mail_user *user);
/* Always comes back with a decision. */
void session_begin(struct session *s, struct mail_user *user);
void session_end(struct session *s);

static inline bool
session_is_foreign(const struct session *s)
{
    return s->mode == MODE_READ || s->mode == MODE_WRITE;
}

/*
 * Within the session, connecting and opening it anew if need be. 0, or -1: no answer, logged.
 * patience: how many times postroad_timeout the answer may take.
 */
int session_ask(struct session *s, const char *line, unsigned int patience,
                struct answer *answer_r);
/* TRUE: it is on record, or need not be. uids and detail may be NULL. */
bool session_record(struct session *s, const char *action, const char *mailbox,
                    const ARRAY_TYPE(seq_range) * uids, const char *detail);
/* The same; when it can't be, the storage of box has the error. */
bool session_record_box(struct session *s, struct mailbox *box, const char *action,
                        const ARRAY_TYPE(seq_range) * uids, const char *detail);

#endif
