/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_json: see held_json.h. The members are a table: what is written is what is read.
 *
 * Promises: whatever bytes came from the envelope or the message, what is written is UTF-8 and is read
 * again as the same record. A record that is read is within its limits. Must not fail for
 * members of a newer version.
 */
#include "held_json.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "attrs_text.h"

enum kind { TEXT, NUMBER, COUNT, FLAG };

static const struct member {
    const char *name;
    enum kind kind;
    int needed;
    size_t at, size;
} members[] = {
#define MEMBER(name, kind, needed, field)                        \
    {                                                            \
        name, kind, needed, offsetof(struct held_record, field), \
            sizeof((struct held_record *)0)->field               \
    }
    MEMBER("id", TEXT, 1, id),
    MEMBER("site", TEXT, 1, site),
    MEMBER("queue", TEXT, 1, queue),
    MEMBER("time_ms", NUMBER, 1, time_ms),
    MEMBER("expires_ms", NUMBER, 1, expires_ms),
    MEMBER("rule", TEXT, 1, rule),
    MEMBER("why", TEXT, 1, why),
    MEMBER("sender", TEXT, 1, sender),
    MEMBER("login", TEXT, 0, login),
    MEMBER("target", TEXT, 1, target),
    MEMBER("target_uuid", TEXT, 0, target_uuid),
    MEMBER("recipient_count", COUNT, 1, recipient_count),
    MEMBER("size", COUNT, 1, size),
    MEMBER("subject", TEXT, 0, subject),
    MEMBER("direction", TEXT, 0, direction),
    MEMBER("by", TEXT, 0, by),
    MEMBER("reason", TEXT, 0, reason),
    MEMBER("decided_ms", NUMBER, 0, decided_ms),
    MEMBER("seen", FLAG, 0, seen),
    MEMBER("audited", FLAG, 0, audited),
    MEMBER("done", FLAG, 0, done),
    MEMBER("published", FLAG, 0, published),
    MEMBER("shown", FLAG, 0, shown),
    MEMBER("noticed", FLAG, 0, noticed),
    MEMBER("end_noticed", FLAG, 0, end_noticed),
#undef MEMBER
};

#define MEMBERS (sizeof members / sizeof *members)

/* --- out --- */

/* Addresses as they are where they can be. */
static json_t *
text_of(const char *text, size_t size)
{
    char shown[1025];

    if (text_clean(span_of(text)))
        return json_string(text);
    text_show(span_of(text), shown, size < sizeof shown ? size : sizeof shown);
    return json_string(shown);
}

static json_t *
value_of(const struct held_record *r, const struct member *m)
{
    const char *p = (const char *)r + m->at;
    uint64_t count;
    int64_t number;
    int flag;

    switch (m->kind) {
    case NUMBER:
        memcpy(&number, p, sizeof number);
        return json_integer(number);
    case COUNT:
        memcpy(&count, p, sizeof count);
        return json_integer(count < INT64_MAX ? (int64_t)count : INT64_MAX);
    case FLAG:
        memcpy(&flag, p, sizeof flag);
        return json_boolean(flag);
    case TEXT:
        break;
    }
    return text_of(p, m->size);
}

static json_t *
list_of(const char *first, unsigned n, size_t size)
{
    json_t *list = json_array();

    for (unsigned i = 0; list && i < n; i++)
        if (json_array_append_new(list, text_of(first + i * size, size)) < 0) {
            json_decref(list);
            return NULL;
        }
    return list;
}

char *
held_json_write(const struct held_record *r, size_t *n_r)
{
    json_t *o = json_object();
    char *text = NULL;
    int bad = !o;

    for (size_t i = 0; !bad && i < MEMBERS; i++)
        bad |= json_object_set_new(o, members[i].name, value_of(r, &members[i])) < 0;
    bad =
        bad ||
        json_object_set_new(o, "on_expire", json_string(held_on_expire_word(r->on_expire))) < 0 ||
        json_object_set_new(o, "state", json_string(held_state_word(r->state))) < 0 ||
        json_object_set_new(o, "recipients",
                            list_of(r->recipient[0], r->recipients, sizeof r->recipient[0])) < 0 ||
        json_object_set_new(o, "attachments",
                            list_of(r->attachment[0], r->attachments, sizeof r->attachment[0])) < 0;
    if (!bad)
        text = json_dumps(o, JSON_INDENT(1));
    json_decref(o);
    *n_r = text ? strlen(text) : 0;
    if (text)
        text[(*n_r)++] = '\n'; /* where its NUL was */
    return text;
}

/* --- in --- */

static int
take_text(char *out, size_t size, const json_t *v)
{
    size_t n = json_is_string(v) ? json_string_length(v) : size;

    if (n >= size || !text_clean((struct span){json_string_value(v), n}))
        return -1;
    memcpy(out, json_string_value(v), n + 1);
    return 0;
}

static int
take_value(struct held_record *r, const struct member *m, const json_t *v)
{
    char *p = (char *)r + m->at;
    int64_t number = json_integer_value(v);
    int flag = json_is_true(v);

    if (m->kind == TEXT)
        return take_text(p, m->size, v);
    if (m->kind == FLAG) {
        memcpy(p, &flag, sizeof flag);
        return json_is_boolean(v) ? 0 : -1;
    }
    memcpy(p, &number, sizeof number); /* COUNT: no negative number comes here */
    return json_is_integer(v) && number >= 0 ? 0 : -1;
}

static int
take_list(char *first, unsigned most, size_t size, unsigned *n_r, const json_t *list)
{
    size_t n = json_array_size(list);

    if (!json_is_array(list) || n > most)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (take_text(first + i * size, size, json_array_get(list, i)) < 0)
            return -1;
    *n_r = (unsigned)n;
    return 0;
}

static int
take_word(int (*find)(const char *), const json_t *o, const char *name)
{
    const char *word = json_string_value(json_object_get(o, name));

    return word ? find(word) : -1;
}

/* NULL, or the member that is wrong. */
static const char *
take(struct held_record *r, const json_t *o)
{
    int state = take_word(held_state_find, o, "state");
    int on_expire = take_word(held_on_expire_find, o, "on_expire");

    for (size_t i = 0; i < MEMBERS; i++) {
        const json_t *v = json_object_get(o, members[i].name);

        if (v ? take_value(r, &members[i], v) < 0 : members[i].needed)
            return members[i].name;
    }
    if (!held_id_is(span_of(r->id)))
        return "id";
    if (!span_same(held_id_queue(span_of(r->id)), span_of(r->queue)))
        return "queue";
    if (state < 0 || on_expire < 0)
        return state < 0 ? "state" : "on_expire";
    r->state = (enum held_state)state;
    r->on_expire = (enum held_on_expire)on_expire;
    if (take_list(r->recipient[0], HELD_RECIPIENTS, sizeof r->recipient[0], &r->recipients,
                  json_object_get(o, "recipients")) < 0)
        return "recipients";
    if (take_list(r->attachment[0], HELD_ATTACHMENTS, sizeof r->attachment[0], &r->attachments,
                  json_object_get(o, "attachments")) < 0)
        return "attachments";
    return NULL;
}

int
held_json_read(struct held_record *r, const char *text, size_t n, char *error, size_t error_n)
{
    json_error_t e;
    json_t *o = json_loadb(text, n, JSON_REJECT_DUPLICATES, &e);
    const char *wrong;

    if (!o) {
        snprintf(error, error_n, "line %d: %s", e.line, e.text);
        return -1;
    }
    memset(r, 0, sizeof *r);
    wrong = json_is_object(o) ? take(r, o) : "all of it";
    json_decref(o);
    if (wrong)
        snprintf(error, error_n, "%s is missing or wrong", wrong);
    return wrong ? -1 : 0;
}
