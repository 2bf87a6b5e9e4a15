/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_daemon: held mail as role held of this machine's daemon knows it, for root: where there is no
 * directory server, or it is away. The daemon says who may ask.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "held.h"
#include "show.h"

/* "time_ms": 1… becomes "time": "2026-…", as everywhere. */
static void
time_member(json_t *m, const char *from, const char *to)
{
    json_int_t ms = json_integer_value(json_object_get(m, from));
    time_t t = (time_t)(ms / 1000);
    char out[32];
    struct tm tm;

    if (ms > 0 && gmtime_r(&t, &tm) && strftime(out, sizeof out, "%Y-%m-%dT%H:%M:%SZ", &tm) > 0)
        json_object_set_new(m, to, json_string(out));
    json_object_del(m, from);
}

static void
take(json_t *m)
{
    static const char *const texts[] = {"by", "reason", "login", "target", "subject"};

    time_member(m, "time_ms", "time");
    time_member(m, "expires_ms", "expires");
    time_member(m, "decided_ms", "decided");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (!*show_text(m, texts[i]))
            json_object_del(m, texts[i]);
}

/* One page into list; after: where the next one begins, "" at the end. */
static int
page(struct held_way *w, int all, char after[256], json_t *list)
{
    json_t *request = json_pack("{s:s, s:b}", "verb", "held-list", "all", all), *reply, *m;
    size_t i;
    int code;

    if (*after)
        json_object_set_new(request, "after", json_string(after));
    code = daemon_ask(w->ctl, request, &reply);
    if (code != CTL_DONE)
        return code;
    json_array_foreach(json_object_get(reply, "messages"), i, m)
    {
        take(m);
        json_array_append(list, m);
    }
    snprintf(after, 256, "%s", i > 0 ? show_text(reply, "next") : "");
    json_decref(reply);
    return CTL_DONE;
}

int
held_daemon_all(struct held_way *w, const char *state, json_t *list)
{
    int all = !state || strcmp(state, "held") != 0, code;
    char after[256] = "";

    do
        code = page(w, all, after, list);
    while (code == CTL_DONE && *after);
    for (size_t i = json_array_size(list); state && i-- > 0;)
        if (strcmp(show_text(json_array_get(list, i), "state"), state) != 0)
            json_array_remove(list, i);
    return code;
}

/* Ask, and leave a refusal in w->error. */
static int
ask(struct held_way *w, json_t *request, json_t **reply_r)
{
    json_t *code;
    int status;

    if (daemon_ask_quietly(w->ctl, request, reply_r) < 0) {
        snprintf(w->error, sizeof w->error, "postroad-policyd does not answer");
        return CTL_TEMPORARY;
    }
    if (show_true(*reply_r, "ok"))
        return CTL_DONE;
    code = json_object_get(*reply_r, "code");
    status = json_is_integer(code) ? (int)json_integer_value(code) : CTL_TEMPORARY;
    snprintf(w->error, sizeof w->error, "%s", show_text(*reply_r, "error"));
    json_decref(*reply_r);
    *reply_r = NULL;
    return status;
}

int
held_daemon_again(struct held_way *w, const char *id, json_t **message_r)
{
    json_t *reply;
    int code = ask(w, json_pack("{s:s, s:s}", "verb", "held-show", "id", id), &reply);

    *message_r = NULL;
    if (code != CTL_DONE)
        return code;
    *message_r = json_incref(json_object_get(reply, "message"));
    json_decref(reply);
    take(*message_r);
    return *message_r ? CTL_DONE : CTL_TEMPORARY;
}

int
held_daemon_say(struct held_way *w, json_t *message, const char *verdict, const char *reason)
{
    json_t *request = json_pack("{s:s, s:s, s:s}", "verb", "held-decide", "id",
                                show_text(message, "id"), "verdict", verdict),
           *reply;
    int code;

    if (reason)
        json_object_set_new(request, "reason", json_string(reason));
    code = ask(w, request, &reply);
    if (code == CTL_DONE)
        json_decref(reply);
    return code;
}
