/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_step: what is to be done next about a held message, out of what is known of it. The one place
 * where that is decided, so that a process killed anywhere goes on where the last one was.
 *
 * Flat and numbered; the numbers are those of postroad-policyd(8) and of t/tables/held-step.tbl. Pure.
 */
#ifndef POSTROAD_HELD_STEP_H
#define POSTROAD_HELD_STEP_H

#include <stdint.h>

#include "held_record.h"

enum held_queue {
    HELD_QUEUE_UNASKED,
    HELD_QUEUE_HERE,      /* the very message is in Postfix's hold queue */
    HELD_QUEUE_ELSEWHERE, /* it is in another queue */
    HELD_QUEUE_ABSENT,    /* it is nowhere; another one may have its queue id by now */
    HELD_QUEUE_UNSURE
};

struct held_facts {
    enum held_state state;
    enum held_on_expire on_expire;
    int seen, audited, done, noticed, end_noticed, published, shown; /* bool, on disk */
    int recheck; /* it is some time since Postfix was asked for it */
    int waiting; /* there is a verdict; whether it counts can't be told yet */
    int64_t time_ms, expires_ms, decided_ms, now_ms; /* see held_clock.h */
    int64_t grace_ms, keep_ms;
    enum held_queue queue;
    int directory; /* 1 it can be written to, 0 there is none, -1 not now */
    int notify;    /* 1 the sender is to be told what becomes of it, 0 he is not, -1 not now */
};

enum held_do {
    HELD_WAIT,
    HELD_LOOK,      /* ask whether Postfix has it */
    HELD_DROP,      /* forget it: Postfix never had it */
    HELD_MARK_GONE, /* note that somebody else let it go or deleted it */
    HELD_SEEN,      /* note that Postfix has it */
    HELD_EXPIRE,    /* its time is over */
    HELD_PUBLISH,
    HELD_NOTICE,
    HELD_AUDIT,
    HELD_RELEASE,
    HELD_DELETE,
    HELD_DONE, /* note that it is released, or deleted */
    HELD_FAIL, /* note that this can't be done any more */
    HELD_SHOW, /* tell the directory its state */
    HELD_END_NOTICE,
    HELD_REMOVE /* from the directory, then here */
};

struct held_next {
    enum held_do what;
    int step;
    const char *why; /* fixed text */
};

struct held_next held_step(const struct held_facts *f);
/* "wait", "look"… */
const char *held_do_word(enum held_do what);
/* Whether a decided message is to be released (1) or deleted (0). */
int held_lets_go(enum held_state state, enum held_on_expire on_expire);

#endif
