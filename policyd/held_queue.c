/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_queue: role held asks role queue whether Postfix holds a message, and to release or delete it.
 *
 * Promises: a message is only ours when its queue id and its time of arrival are: short queue ids are used
 * again. The order to release or delete says so, too. The sender can be another one in Postfix's queue, which
 * rewrites it (sender_canonical_maps, masquerade_domains) and shows a name for the empty one. What is not
 * known for sure is "unsure". Without role queue nothing is ever known.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "held.h"
#include "queue_ask.h"

/* A message arrives before its record is made, but for a clock that was set back. */
#define SLACK_S 60
#define OTHER_S 2 /* the same where the sender is another one */

struct held_asked {
    struct held_asked *next;
    struct held *held;
    struct held_item *item; /* it is busy, so it stays */
    int64_t not_after_s;
    char sender[ADDR_MAX + 1];
};

int
held_queue_open(struct held *h, int fd)
{
    h->queue = queue_ask_new(h->base, fd, h->env->conf);
    return h->queue ? 0 : -1;
}

/* It was answered, or could not be asked. */
static void
asked_free(struct held_asked *q)
{
    struct held_asked **at = q ? &q->held->asked : NULL;

    while (at && *at && *at != q)
        at = &(*at)->next;
    if (at && *at)
        *at = q->next;
    free(q);
}

/* Answers that are on their way nobody takes any more. */
void
held_queue_close(struct held *h)
{
    queue_ask_free(&h->queue);
    while (h->asked)
        asked_free(h->asked);
}

static int64_t
not_after(const struct held_record *r)
{
    return r->time_ms / 1000 + SLACK_S;
}

static struct held_asked *
asked_new(struct held *h, struct held_item *item)
{
    struct held_asked *q = malloc(sizeof *q);

    if (!q)
        return NULL;
    *q = (struct held_asked){
        .next = h->asked, .held = h, .item = item, .not_after_s = not_after(&h->record)};
    memcpy(q->sender, h->record.sender, sizeof q->sender);
    h->asked = q;
    return q;
}

static void
say_unsure(struct held *h, const struct held_item *item, const char *text)
{
    unsigned skipped;

    if (log_limit(&h->queue_limit, 1, 60, &skipped))
        log_warning("Postfix's queue can't be asked about held messages, they stay where they are "
                    "id=%s why=\"%s\" unlogged=%u",
                    item->id, text, skipped);
}

static enum held_queue
found(const struct held_asked *q, const struct queue_answer *a)
{
    int64_t early = strcasecmp(a->entry.sender, q->sender) == 0 ? 0 : SLACK_S - OTHER_S;

    if (a->entry.arrival_s > q->not_after_s - early)
        return HELD_QUEUE_ABSENT; /* another message */
    return strcmp(a->entry.queue, "hold") == 0 ? HELD_QUEUE_HERE : HELD_QUEUE_ELSEWHERE;
}

static void
on_look(void *ctx, const struct queue_answer *a)
{
    struct held_asked *q = ctx;
    struct held_item *item = q->item;
    enum held_queue at = HELD_QUEUE_UNSURE;

    if (a->verdict == QUEUE_DONE || (a->verdict == QUEUE_NO && a->why == QUEUE_NOT_HELD))
        at = *a->entry.id ? found(q, a) : HELD_QUEUE_UNSURE;
    else if (a->verdict == QUEUE_NO)
        at = HELD_QUEUE_ABSENT;
    if (at == HELD_QUEUE_UNSURE)
        say_unsure(q->held, item, a->text);
    item->queue = (unsigned char)at;
    held_settled(q->held, item, 0);
    asked_free(q);
}

int
held_queue_look(struct held *h, struct held_item *item)
{
    struct held_asked *q = asked_new(h, item);

    if (q && queue_ask_look(h->queue, h->record.queue, on_look, q))
        return 0;
    asked_free(q);
    say_unsure(h, item, queue_ask_works(h->queue) ? "too much is asked" : "there is no role queue");
    return -1;
}

/* Done: so it is. Else Postfix is looked at anew: someone else may have been faster. */
static void
on_order(void *ctx, const struct queue_answer *a)
{
    struct held_asked *q = ctx;
    struct held *h = q->held;

    if (a->verdict == QUEUE_DONE)
        q->item->queue = HELD_QUEUE_ABSENT;
    else
        q->item->queue = HELD_QUEUE_UNASKED;
    if (a->verdict == QUEUE_UNSURE)
        say_unsure(h, q->item, a->text);
    held_settled(h, q->item, a->verdict != QUEUE_DONE);
    asked_free(q);
}

int
held_queue_order(struct held *h, struct held_item *item, int release)
{
    struct held_asked *q = asked_new(h, item);
    uint64_t number = 0;

    if (q)
        number = release ? queue_ask_release(h->queue, h->record.queue, q->not_after_s, on_order, q)
                         : queue_ask_delete(h->queue, h->record.queue, q->not_after_s, on_order, q);
    if (number)
        return 0;
    asked_free(q);
    return -1;
}
