/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * questions: what one role has asked another over a pair of sockets (SOCK_SEQPACKET) that the parent keeps,
 * and who waits for which answer. Nothing here waits: all comes by the event loop. What the messages look
 * like is the asker's; a question tells its number and the time it is waited for, an answer that number.
 */
#ifndef POSTROAD_QUESTIONS_H
#define POSTROAD_QUESTIONS_H

#include <stddef.h>
#include <stdint.h>

struct event_base;
struct questions;

/* Who asked, to be called as what it is. */
typedef void questions_fn(void);

struct question {
    uint64_t number; /* from 1, below 2^63 */
    int64_t until_ms;
    questions_fn *fn; /* NULL: who asked is gone */
    void *ctx;
    uint64_t caller;
};

struct questions_kind {
    size_t max,
        answer_max; /* so many under way at once; bytes of an answer, longer ones are dropped */
    /* An answer came, to none or to any: see questions_take. It lives until the function returns. */
    void (*answered)(void *ctx, const void *answer, size_t n);
    /* None came to q in time; q is not in the table any more. */
    void (*late)(void *ctx, const struct question *q);
};

/* fd: our end of the pair, -1: the other role is not there. kind is borrowed for good. NULL: no memory. */
struct questions *questions_new(struct event_base *base, int fd, const struct questions_kind *kind,
                                int64_t limit_ms, void *ctx);
/* Who asked is not told any more. fd stays open. */
void questions_free(struct questions **t);
/* Whether the other role is there. */
int questions_work(const struct questions *t);

/* A question with its number and time, to be sent next. NULL: the role is not there, or too many are under way. */
struct question *questions_begin(struct questions *t, questions_fn *fn, void *ctx, uint64_t caller);
/* Send it: its number; 0: it can't be asked now, and nothing was. In either case q is the table's again. */
uint64_t questions_post(struct questions *t, struct question *q, const void *message, size_t n);
/* It is not to be asked after all. */
void questions_drop(struct question *q);
/* The question that was answered is over: 1, and *q_r is it; 0: nobody waits for this answer. */
int questions_take(struct questions *t, uint64_t number, struct question *q_r);
/* Who asked is gone; its place is not free before the answer or the end of its time. */
void questions_forget(struct questions *t, uint64_t number);

#endif
