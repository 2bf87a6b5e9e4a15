/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hook_words: what administrators ask of the queue, `postroad hook`: list, retry, drop.
 * Answers are one line of JSON.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "beat.h"
#include "control.h"
#include "hook.h"

#define LIST_MAX 500

static void
answer(struct hook_conn *c, json_t *o)
{
    char *text = json_dumps(o, JSON_COMPACT);
    char *line = text ? realloc(text, strlen(text) + 2) : NULL;

    json_decref(o);
    if (line)
        strcat(line, "\n");
    hook_conn_answer(c, line ? line : "{\"error\":\"no memory\"}\n");
    free(line ? line : text);
}

static json_t *
item_json(const struct hook *h, const struct hook_item *item, int64_t now)
{
    int64_t wait = item->due_ms > now ? item->due_ms - now : 0;

    return json_pack("{s:I, s:s, s:o, s:o, s:i, s:f, s:b}", "number", (json_int_t)item->seq,
                     "target", h->target[item->target].name, "account",
                     control_text(hook_item_account(item)), "stored",
                     control_time((int64_t)item->stored_ms), "tries", (int)item->tries, "wait_s",
                     (double)wait / 1000, "sending", item->flying);
}

static json_t *
target_json(const struct hook *h, unsigned t)
{
    return json_pack("{s:s, s:b, s:o}", "name", h->target[t].name, "doubted",
                     hook_queue_doubted(h->queue, t), "error",
                     control_text(span_of(h->target[t].error)));
}

static void
list(struct hook *h, struct hook_conn *c)
{
    json_t *items = json_array(), *targets = json_array();
    struct hook_item *item = hook_queue_oldest(h->queue);
    int64_t now = beat_now();

    for (int n = 0; item && n < LIST_MAX; n++, item = hook_queue_after(item))
        json_array_append_new(items, item_json(h, item, now));
    for (unsigned t = 0; t < h->ntargets; t++)
        json_array_append_new(targets, target_json(h, t));
    answer(c, json_pack("{s:I, s:o, s:o}", "queued", (json_int_t)hook_queue_count(h->queue),
                        "targets", targets, "events", items));
}

static void
drop(struct hook *h, struct hook_conn *c, const struct tabline *l)
{
    char digits[24] = "";
    struct hook_item *item = NULL;
    struct span v;

    if (tabline_get(l, "number", &v) && v.n < sizeof digits) {
        memcpy(digits, v.p, v.n);
        item = hook_queue_find(h->queue, strtoull(digits, NULL, 10));
    }
    if (item) {
        log_notice("new-mail event dropped by an administrator number=%s target=%s", digits,
                   h->target[item->target].name);
        hook_drop(h, item);
        hook_commit(h);
    }
    answer(c, json_pack("{s:b}", "found", item != NULL));
}

void
hook_words_answer(struct hook *h, struct hook_conn *c, const struct tabline *l)
{
    if (span_same(l->word, span_of("list"))) {
        list(h, c);
    } else if (span_same(l->word, span_of("retry"))) {
        hook_queue_hurry(h->queue);
        answer(c, json_pack("{s:I}", "queued", (json_int_t)hook_queue_count(h->queue)));
        hook_pump(h);
    } else if (span_same(l->word, span_of("drop"))) {
        drop(h, c, l);
    } else {
        hook_conn_answer(c, "error\ttext=unknown word\n");
    }
}
