/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * edit_ask: see edit_ask.h. Requests to role edit, and what its answers mean; who waits for which stands
 * in questions.c, which promises the rest.
 */
#include "edit_ask.h"

#include <stdlib.h>
#include <string.h>

#include "questions.h"
#include "span.h"

struct edit_ask {
    struct questions *questions;
};

static void
tell(const struct question *q, enum edit_verdict verdict, const char *text)
{
    ((edit_ask_fn *)q->fn)(q->ctx, verdict, text);
}

static void
answered(void *ctx, const void *message, size_t n)
{
    struct edit_ask *a = ctx;
    struct edit_answer answer;
    struct question q;

    if (n != sizeof answer)
        return;
    memcpy(&answer, message, n);
    answer.text[EDIT_TEXT - 1] = '\0';
    if (questions_take(a->questions, answer.id, &q))
        tell(&q, answer.verdict, answer.text);
}

static void
late(void *ctx, const struct question *q)
{
    (void)ctx;
    tell(q, EDIT_UNSURE, "The directory did not answer in time");
}

/* Each step of a change may take edit.timeout: connect, bind, change, at each server. */
static int64_t
limit_of(const struct conf *conf)
{
    return 3000LL * conf->edit.timeout;
}

struct edit_ask *
edit_ask_new(struct event_base *base, int fd, const struct conf *conf)
{
    static const struct questions_kind kind = {EDIT_ASKED_MAX, sizeof(struct edit_answer), answered,
                                               late};
    struct edit_ask *a = calloc(1, sizeof *a);

    if (!a)
        return NULL;
    a->questions = questions_new(base, fd, &kind, limit_of(conf), a);
    if (!a->questions)
        edit_ask_free(&a);
    return a;
}

void
edit_ask_free(struct edit_ask **a)
{
    if (!*a)
        return;
    questions_free(&(*a)->questions);
    free(*a);
    *a = NULL;
}

static int
take_dn(struct span s, char out[EDIT_DN])
{
    if (s.n == 0 || s.n >= EDIT_DN || memchr(s.p, '\0', s.n))
        return -1;
    memcpy(out, s.p, s.n);
    return 0;
}

uint64_t
edit_ask_quota(struct edit_ask *a, struct span actor, struct span target, uint64_t bytes,
               edit_ask_fn *fn, void *ctx)
{
    struct edit_request r;
    struct question *q;

    memset(&r, 0, sizeof r);
    if (take_dn(actor, r.actor) < 0 || take_dn(target, r.target) < 0)
        return 0;
    q = questions_begin(a->questions, (questions_fn *)fn, ctx, 0);
    if (!q)
        return 0;
    r.id = q->number;
    r.until_ms = q->until_ms;
    r.bytes = bytes;
    return questions_post(a->questions, q, &r, sizeof r);
}

int
edit_ask_works(const struct edit_ask *a)
{
    return questions_work(a->questions);
}

void
edit_ask_forget(struct edit_ask *a, uint64_t number)
{
    questions_forget(a->questions, number);
}
