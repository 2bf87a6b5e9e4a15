/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * queue_work: from a request to its answer.
 *
 * A message is first looked for in a list that began after the request. Only one that is on hold, and
 * came before the time the asker names, is released or deleted; one is called gone after it was missing
 * in two lists, as a message on its way from queue to queue can be missed in one. Promises: each request
 * that somebody still waits for gets one answer; "done" only when postsuper said that it did it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "log.h"
#include "queue_private.h"

#define CLOCKS_DIFFER_S \
    2 /* of Postfix's time of arrival and the asker's; both are this machine's */

static const char *const words[QUEUE_WORDS] = {"look", "release", "delete"};

static void
answer(struct queue_role *r, struct queue_work *w, enum queue_verdict verdict, enum queue_why why,
       const char *text)
{
    static const char *const verdicts[] = {"unsure", "no", "done"};
    const struct queue_request *q = &w->request;
    struct queue_answer a = {.id = q->id, .verdict = verdict, .why = why, .entry = w->entry};

    snprintf(a.text, sizeof a.text, "%s", text);
    w->stage = STAGE_FREE;
    if (q->word != QUEUE_LOOK)
        log_notice("queue request answered word=%s verdict=%s queue=%s text=\"%s\"", words[q->word],
                   verdicts[verdict + 1], q->queue_id, text);
    if (send(r->ask_fd, &a, sizeof a, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)sizeof a)
        log_warning("queue got rid of no answer error=\"%s\"", strerror(errno));
}

static void
refuse(struct queue_role *r, const struct queue_request *q, const char *text)
{
    struct queue_work w = {.request = *q};

    answer(r, &w, QUEUE_UNSURE, QUEUE_TROUBLE, text);
}

void
queue_work_take(struct queue_role *r, const struct queue_request *q)
{
    struct queue_request copy = *q;
    size_t i = 0;

    copy.queue_id[QUEUE_ID_MAX] = '\0';
    if ((unsigned)copy.word >= QUEUE_WORDS || !queue_id_is(copy.queue_id, strlen(copy.queue_id)))
        return;
    if (copy.word != QUEUE_LOOK && !board_get(&r->env->board, BOARD_QUEUE, BOARD_QUEUE_ROOT)) {
        refuse(r, &copy, "postroad-policyd was not started as root, so postsuper can't be used");
        return;
    }
    while (i < QUEUE_WORK_MAX && r->work[i].stage != STAGE_FREE)
        i++;
    if (i == QUEUE_WORK_MAX) {
        refuse(r, &copy, "too much is being asked of the queue at once");
        return;
    }
    r->work[i] =
        (struct queue_work){.stage = STAGE_ASKED, .request = copy, .order = ++r->last_order};
}

/* --- with a list --- */

int
queue_work_waits(const struct queue_role *r)
{
    for (size_t i = 0; i < QUEUE_WORK_MAX; i++)
        if (r->work[i].stage == STAGE_ASKED)
            return 1;
    return 0;
}

void
queue_work_begin(struct queue_role *r)
{
    for (size_t i = 0; i < QUEUE_WORK_MAX; i++)
        if (r->work[i].stage == STAGE_ASKED) {
            r->work[i].stage = STAGE_LISTED;
            r->work[i].seen = 0;
        }
}

void
queue_work_show(struct queue_role *r, const struct queue_entry *e)
{
    for (size_t i = 0; i < QUEUE_WORK_MAX; i++) {
        struct queue_work *w = &r->work[i];

        if (w->stage != STAGE_LISTED || strcmp(w->request.queue_id, e->id) != 0)
            continue;
        w->seen = 1;
        w->entry = *e;
    }
}

static void
decide(struct queue_role *r, struct queue_work *w)
{
    const struct queue_request *q = &w->request;
    char text[QUEUE_TEXT];

    if (!w->seen && ++w->missed < 2) {
        w->stage = STAGE_ASKED;
    } else if (!w->seen) {
        answer(r, w, QUEUE_NO, QUEUE_GONE, "it is not in Postfix's queue");
    } else if (q->word == QUEUE_LOOK) {
        answer(r, w, QUEUE_DONE, QUEUE_FINE, "");
    } else if (q->not_after_s > 0 && w->entry.arrival_s > q->not_after_s + CLOCKS_DIFFER_S) {
        answer(r, w, QUEUE_NO, QUEUE_REUSED,
               "it is not in Postfix's queue, and its queue id belongs to a later message now");
    } else if (strcmp(w->entry.queue, queue_name_word(QUEUE_HOLD)) != 0) {
        snprintf(text, sizeof text, "it is not on hold, but in the %s queue", w->entry.queue);
        answer(r, w, QUEUE_NO, QUEUE_NOT_HELD, text);
    } else {
        w->stage = STAGE_FOUND;
    }
}

void
queue_work_end(struct queue_role *r, const char *trouble)
{
    for (size_t i = 0; i < QUEUE_WORK_MAX; i++) {
        struct queue_work *w = &r->work[i];

        if (w->stage != STAGE_LISTED)
            continue;
        if (*trouble)
            answer(r, w, QUEUE_UNSURE, QUEUE_TROUBLE, trouble);
        else
            decide(r, w);
    }
}

/* --- the deed --- */

/* How many messages postsuper says it did it to; -1: it does not say. */
static long
how_many(const struct queue_job *j)
{
    const char *label = j->program == PROGRAM_RELEASE ? "Released from hold: " : "Deleted: ";
    char said[QUEUE_SAID_MAX + 1], *at, *end;
    long n;

    memcpy(said, j->said, j->said_n);
    said[j->said_n] = '\0';
    at = strstr(said, label);
    if (!at)
        return -1;
    at += strlen(label);
    n = strtol(at, &end, 10);
    return end > at && strncmp(end, " message", 8) == 0 ? n : -1;
}

static void
on_flushed(struct queue_job *j, const char *trouble)
{
    if (*trouble)
        log_notice("Postfix was not told to deliver at once, it will in its own time queue=%s "
                   "error=\"%s\"",
                   j->role->flush_id, trouble);
}

/* Nobody waits for this: it is released anyway. */
static void
flush(struct queue_role *r, const char *queue_id)
{
    r->flush.done = on_flushed;
    snprintf(r->flush_id, sizeof r->flush_id, "%s", queue_id);
    if (r->flush.number || queue_job_start(&r->flush, PROGRAM_FLUSH, queue_id) < 0)
        log_notice("Postfix was not told to deliver at once, it will in its own time queue=%s "
                   "error=\"busy\"",
                   queue_id);
}

static void
on_deed(struct queue_job *j, const char *trouble)
{
    struct queue_role *r = j->role;
    struct queue_work *w = r->doing;
    long n = how_many(j);
    int release = w->request.word == QUEUE_RELEASE;

    r->doing = NULL;
    if (*trouble) {
        answer(r, w, QUEUE_UNSURE, QUEUE_TROUBLE, trouble);
    } else if (n < 0) {
        answer(r, w, QUEUE_UNSURE, QUEUE_TROUBLE, "postsuper ended without saying what it did");
    } else if (n == 0) {
        answer(r, w, QUEUE_NO, QUEUE_NOT_HELD, "it left the hold queue meanwhile");
    } else {
        board_add(&r->env->board, release ? BOARD_QUEUE_RELEASED : BOARD_QUEUE_DELETED, 1);
        answer(r, w, QUEUE_DONE, QUEUE_FINE, "");
        if (release)
            flush(r, w->request.queue_id);
    }
}

static struct queue_work *
next_found(struct queue_role *r)
{
    struct queue_work *first = NULL;

    for (size_t i = 0; i < QUEUE_WORK_MAX; i++) {
        struct queue_work *w = &r->work[i];

        if (w->stage == STAGE_FOUND && (!first || w->order < first->order))
            first = w;
    }
    return first;
}

void
queue_work_pump(struct queue_role *r, int64_t now)
{
    struct queue_work *w;

    for (size_t i = 0; i < QUEUE_WORK_MAX; i++)
        if (r->work[i].stage != STAGE_FREE && r->work[i].stage != STAGE_DOING &&
            now >= r->work[i].request.until_ms)
            r->work[i].stage = STAGE_FREE;
    w = r->deed.number || r->flush.number ? NULL : next_found(r);
    if (!w)
        return;
    r->deed.done = on_deed;
    r->doing = w;
    w->stage = STAGE_DOING;
    if (queue_job_start(&r->deed,
                        w->request.word == QUEUE_RELEASE ? PROGRAM_RELEASE : PROGRAM_DELETE,
                        w->request.queue_id) == 0)
        return;
    r->doing = NULL;
    answer(r, w, QUEUE_UNSURE, QUEUE_TROUBLE, "the helper takes no order");
}
