/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * queue_ask: see queue_ask.h. Requests to role queue, and what its answers mean; who waits for which
 * stands in questions.c, which promises the rest.
 */
#include "queue_ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "questions.h"

struct queue_ask {
    struct questions *questions;
};

static void
tell(const struct question *q, const struct queue_answer *answer)
{
    ((queue_ask_fn *)q->fn)(q->ctx, answer);
}

static void
answered(void *ctx, const void *message, size_t n)
{
    struct queue_ask *a = ctx;
    struct queue_answer answer;
    struct question q;

    if (n != sizeof answer)
        return;
    memcpy(&answer, message, n);
    answer.text[QUEUE_TEXT - 1] = '\0';
    if (questions_take(a->questions, answer.id, &q))
        tell(&q, &answer);
}

static void
late(void *ctx, const struct question *q)
{
    struct queue_answer answer = {.verdict = QUEUE_UNSURE, .why = QUEUE_TROUBLE};

    (void)ctx;
    snprintf(answer.text, sizeof answer.text, "Postfix's queue could not be asked in time");
    tell(q, &answer);
}

/* One list that is under way, two of its own, what is done, and what others have done before it. */
static int64_t
limit_of(const struct conf *conf)
{
    return 6000LL * conf->queue.timeout;
}

struct queue_ask *
queue_ask_new(struct event_base *base, int fd, const struct conf *conf)
{
    static const struct questions_kind kind = {QUEUE_ASKED_MAX, sizeof(struct queue_answer),
                                               answered, late};
    struct queue_ask *a = calloc(1, sizeof *a);

    if (!a)
        return NULL;
    a->questions = questions_new(base, fd, &kind, limit_of(conf), a);
    if (!a->questions)
        queue_ask_free(&a);
    return a;
}

void
queue_ask_free(struct queue_ask **a)
{
    if (!*a)
        return;
    questions_free(&(*a)->questions);
    free(*a);
    *a = NULL;
}

int
queue_ask_works(const struct queue_ask *a)
{
    return questions_work(a->questions);
}

static uint64_t
ask(struct queue_ask *a, enum queue_word word, const char *queue_id, int64_t not_after_s,
    queue_ask_fn *fn, void *ctx)
{
    struct queue_request r;
    struct question *q;

    if (!queue_id_is(queue_id, strlen(queue_id)))
        return 0;
    q = questions_begin(a->questions, (questions_fn *)fn, ctx, 0);
    if (!q)
        return 0;
    memset(&r, 0, sizeof r);
    r.id = q->number;
    r.until_ms = q->until_ms;
    r.not_after_s = not_after_s;
    r.word = word;
    snprintf(r.queue_id, sizeof r.queue_id, "%s", queue_id);
    return questions_post(a->questions, q, &r, sizeof r);
}

uint64_t
queue_ask_look(struct queue_ask *a, const char *queue_id, queue_ask_fn *fn, void *ctx)
{
    return ask(a, QUEUE_LOOK, queue_id, 0, fn, ctx);
}

uint64_t
queue_ask_release(struct queue_ask *a, const char *queue_id, int64_t not_after_s, queue_ask_fn *fn,
                  void *ctx)
{
    return ask(a, QUEUE_RELEASE, queue_id, not_after_s, fn, ctx);
}

uint64_t
queue_ask_delete(struct queue_ask *a, const char *queue_id, int64_t not_after_s, queue_ask_fn *fn,
                 void *ctx)
{
    return ask(a, QUEUE_DELETE, queue_id, not_after_s, fn, ctx);
}
