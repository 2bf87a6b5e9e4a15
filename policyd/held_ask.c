/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_ask: see held_ask.h. Who waits for which answer stands in questions.c, which promises the rest.
 */
#include "held_ask.h"

#include <stdlib.h>
#include <string.h>

#include "questions.h"

struct held_ask {
    struct questions *questions;
    held_ask_fn *fn;
    void *ctx;
};

static void
tell(const struct question *q, json_t *reply)
{
    ((held_ask_fn *)q->fn)(q->ctx, q->caller, reply);
}

static void
answered(void *ctx, const void *text, size_t n)
{
    struct held_ask *a = ctx;
    json_t *message = json_loadb(text, n, 0, NULL);
    json_int_t number = json_integer_value(json_object_get(message, "number"));
    struct question q;

    if (number > 0 && questions_take(a->questions, (uint64_t)number, &q))
        tell(&q, json_incref(json_object_get(message, "reply")));
    json_decref(message);
}

static void
late(void *ctx, const struct question *q)
{
    (void)ctx;
    tell(q, NULL);
}

struct held_ask *
held_ask_new(struct event_base *base, int fd, held_ask_fn *fn, void *ctx)
{
    static const struct questions_kind kind = {HELD_ASKED_MAX, HELD_ASK_MAX, answered, late};
    struct held_ask *a = calloc(1, sizeof *a);

    if (!a)
        return NULL;
    a->fn = fn;
    a->ctx = ctx;
    a->questions = questions_new(base, fd, &kind, HELD_ASK_MS, a);
    if (!a->questions)
        held_ask_free(&a);
    return a;
}

void
held_ask_free(struct held_ask **a)
{
    if (!*a)
        return;
    questions_free(&(*a)->questions);
    free(*a);
    *a = NULL;
}

int
held_ask_works(const struct held_ask *a)
{
    return questions_work(a->questions);
}

int
held_ask(struct held_ask *a, uint64_t caller, json_t *request)
{
    struct question *q = questions_begin(a->questions, (questions_fn *)a->fn, a->ctx, caller);
    char *text;
    int rc = -1;

    if (!q)
        return -1;
    json_object_set_new(request, "number", json_integer((json_int_t)q->number));
    json_object_set_new(request, "until_ms", json_integer(q->until_ms));
    text = json_dumps(request, JSON_COMPACT);
    if (!text)
        questions_drop(q);
    else if (questions_post(a->questions, q, text, strlen(text)))
        rc = 0;
    free(text);
    return rc;
}
