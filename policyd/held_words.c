/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_words: what administrators ask about held messages, by way of role control, which says who they
 * are: a list in pages, one message, a verdict. See held_ask.h for the lines between the roles.
 *
 * Promises: one answer for each request that somebody still waits for; a verdict is on disk before it
 * is answered. Must not be asked by anybody but role control.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "held.h"
#include "held_ask.h"
#include "held_json.h"

#define PAGE_BYTES 40000
#define PAGE_MAX   100
#define LIST_SOME  3 /* recipients and names of files in a list */

enum { NO = 1, USAGE = 2, TEMPORARY = 75 };

static json_t *
refuse(int code, const char *text)
{
    return json_pack("{s:b, s:s, s:i}", "ok", 0, "error", text, "code", code);
}

/* --- a message as JSON --- */

/* h->record as it is in its file, but for what only this role needs. */
static json_t *
record_json(const struct held *h)
{
    static const char *const inner[] = {"noticed", "end_noticed", "shown", "audited",
                                        "target_uuid"};
    size_t n;
    char *text = held_json_write(&h->record, &n);
    json_t *j = text ? json_loadb(text, n, 0, NULL) : NULL;

    free(text);
    for (size_t i = 0; j && i < sizeof inner / sizeof *inner; i++)
        json_object_del(j, inner[i]);
    return j;
}

static void
shorten(json_t *j, const char *key)
{
    json_t *list = json_object_get(j, key);

    while (json_array_size(list) > LIST_SOME)
        json_array_remove(list, json_array_size(list) - 1);
}

/* --- the list --- */

/* The next one that is wanted, from place *i on: its JSON, or NULL. */
static json_t *
list_next(struct held *h, size_t *i, int all)
{
    for (; *i < h->index.n; ++*i) {
        struct held_item *item = h->index.at[*i];
        json_t *j;

        if ((!all && item->state != HELD_HELD) || held_load(h, item) < 0)
            continue;
        j = record_json(h);
        if (j) {
            shorten(j, "recipients");
            shorten(j, "attachments");
            ++*i;
            return j;
        }
    }
    return NULL;
}

static json_t *
word_list(struct held *h, json_t *request)
{
    const char *after = json_string_value(json_object_get(request, "after"));
    int all = json_is_true(json_object_get(request, "all"));
    size_t i = after ? held_index_after(&h->index, after) : 0, bytes = 0;
    json_t *list = json_array(), *reply, *j;

    while (bytes < PAGE_BYTES && json_array_size(list) < PAGE_MAX && (j = list_next(h, &i, all))) {
        bytes += json_dumpb(j, NULL, 0, 0);
        json_array_append_new(list, j);
    }
    reply = json_pack("{s:b, s:o}", "ok", 1, "messages", list);
    if (i < h->index.n && i > 0)
        json_object_set_new(reply, "next", json_string(h->index.at[i - 1]->id));
    return reply;
}

/* --- one message --- */

/* NULL and a refusal. */
static struct held_item *
meant(struct held *h, json_t *request, json_t **refusal_r)
{
    json_t *v = json_object_get(request, "id");
    size_t many;
    struct held_item *item = held_index_meant(
        &h->index, (struct span){json_string_value(v), json_string_length(v)}, &many);

    if (item && held_load(h, item) == 0)
        return item;
    *refusal_r = item       ? refuse(TEMPORARY, "the message's record can't be read now")
                 : many > 1 ? refuse(USAGE, "several held messages end so: give more of the ID")
                            : refuse(NO, "no message with this ID is held here, or was lately");
    return NULL;
}

static json_t *
word_show(struct held *h, json_t *request)
{
    json_t *refusal;

    return meant(h, request, &refusal) ? json_pack("{s:b, s:o}", "ok", 1, "message", record_json(h))
                                       : refusal;
}

static json_t *
too_late(const struct held_record *r)
{
    char text[1200];

    snprintf(text, sizeof text, "the first verdict stands: the message is %s already%s%s",
             held_state_word(r->state), *r->by ? ", by " : "", r->by);
    return refuse(NO, text);
}

static json_t *
word_decide(struct held *h, json_t *request)
{
    const char *verdict = json_string_value(json_object_get(request, "verdict"));
    json_t *by = json_object_get(request, "by"), *reason = json_object_get(request, "reason");
    int approve = verdict && strcmp(verdict, "approve") == 0;
    json_t *refusal;
    struct held_item *item;
    int rc;

    if (!approve && (!verdict || strcmp(verdict, "reject") != 0))
        return refuse(USAGE, "the verdict is neither approve nor reject");
    if (!approve && json_string_length(reason) == 0)
        return refuse(USAGE, "to reject needs a reason: the sender reads it");
    item = meant(h, request, &refusal);
    if (!item)
        return refusal;
    if (item->state == HELD_HELD && !item->seen)
        return refuse(TEMPORARY, "Postfix was not seen to have the message yet: try again");
    rc = held_decide(h, item, approve, (struct span){json_string_value(by), json_string_length(by)},
                     (struct span){json_string_value(reason), json_string_length(reason)});
    if (rc < 0)
        return refuse(TEMPORARY, "the verdict could not be written: nothing has changed");
    if (rc == 0)
        return too_late(&h->record);
    return json_pack("{s:b, s:s, s:s}", "ok", 1, "id", item->id, "state",
                     held_state_word((enum held_state)item->state));
}

/* --- requests --- */

static json_t *
answer(struct held *h, json_t *request)
{
    const char *verb = json_string_value(json_object_get(request, "verb"));

    if (verb && strcmp(verb, "held-list") == 0)
        return word_list(h, request);
    if (verb && strcmp(verb, "held-show") == 0)
        return word_show(h, request);
    if (verb && strcmp(verb, "held-decide") == 0)
        return word_decide(h, request);
    return refuse(USAGE, "held messages: no such verb");
}

static void
send_reply(int fd, json_t *number, json_t *reply)
{
    json_t *message = json_pack("{s:O, s:o}", "number", number, "reply", reply);
    char *text = message ? json_dumps(message, JSON_COMPACT) : NULL;

    if (!text || send(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        log_warning("an answer about held messages was not taken error=\"%s\"",
                    text ? strerror(errno) : "no memory");
    free(text);
    json_decref(message);
}

static void
take(struct held *h, int fd, json_t *request)
{
    json_t *number = json_object_get(request, "number");
    int64_t until = json_integer_value(json_object_get(request, "until_ms"));

    if (!json_is_integer(number) || (int64_t)board_now_ms() >= until)
        return; /* nobody waits any more */
    send_reply(fd, number, answer(h, request));
}

void
held_words(struct held *h, int fd)
{
    static char buf[HELD_ASK_MAX];
    json_t *request;
    ssize_t n;

    for (int i = 0; i < 8 && (n = recv(fd, buf, sizeof buf, MSG_DONTWAIT)) > 0; i++) {
        request = json_loadb(buf, (size_t)n, 0, NULL);
        take(h, fd, request);
        json_decref(request);
    }
}
