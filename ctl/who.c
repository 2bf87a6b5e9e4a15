/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * who: which mailboxes administrators have open now who are not their owners. One
 * question to the daemon for each, so that no list gets too long for anybody.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "ctl.h"
#include "show.h"
#include "text.h"

#define WHO_MAX 10000

/* A field that the daemon hands on as text. */
static json_int_t
number(json_t *session, const char *key)
{
    return strtoll(show_text(session, key), NULL, 10);
}

static void
time_of(json_int_t ms, const char *format, char *out, size_t cap)
{
    time_t t = (time_t)(ms / 1000);
    struct tm tm;

    if (!gmtime_r(&t, &tm) || strftime(out, cap, format, &tm) == 0)
        *out = '\0';
}

/* In the types of JSON, and the time as everywhere. */
static json_t *
typed(json_t *s)
{
    char since[32];

    time_of(number(s, "since"), "%Y-%m-%dT%H:%M:%SZ", since, sizeof since);
    json_object_del(s, "ok");
    json_object_set_new(s, "number", json_integer(number(s, "number")));
    json_object_set_new(s, "rule", json_integer(number(s, "rule")));
    json_object_set_new(s, "since", json_string(since));
    return s;
}

/* All sessions, as the daemon gives them; an exit code. */
static int
collect(const struct ctl *ctl, json_t *all)
{
    json_int_t after = 0;
    json_t *reply;

    while (json_array_size(all) < WHO_MAX) {
        int code = daemon_ask(ctl, json_pack("{s:s, s:I}", "verb", "who", "after", after), &reply);

        if (code != CTL_DONE)
            return code;
        after = number(reply, "number");
        if (after == 0) {
            json_decref(reply);
            break;
        }
        json_array_append_new(all, reply);
    }
    return CTL_DONE;
}

static void
print(json_t *all)
{
    static const char *const heading[] = {"WHO",  "WHOSE", "SERVICE", "MODE",
                                          "FROM", "SINCE", "REASON"};
    struct text_table t = {.columns = 7, .right = "       "};
    char since[32];
    json_t *s;
    size_t i;

    if (json_array_size(all) == 0) {
        puts("nobody has somebody else's mailbox open");
        return;
    }
    text_row(&t, heading);
    json_array_foreach(all, i, s)
    {
        time_of(number(s, "since"), "%Y-%m-%d %H:%M:%SZ", since, sizeof since);
        text_row(&t, (const char *const[]){show_text(s, "actor"), show_text(s, "target"),
                                           show_text(s, "service"), show_text(s, "mode"),
                                           show_text(s, "remote"), since, show_text(s, "reason")});
    }
    text_table_end(&t, 0);
}

int
verb_who(struct ctl *ctl)
{
    json_t *all = json_array(), *s;
    size_t i;
    int code;

    if (ctl->argc != 0) {
        json_decref(all);
        return ctl_usage("who takes no argument");
    }
    code = collect(ctl, all);
    if (code == CTL_DONE && ctl->json) {
        json_array_foreach(all, i, s) typed(s);
        ctl_print_json(json_pack("{s:b, s:O}", "ok", 1, "sessions", all));
    } else if (code == CTL_DONE) {
        print(all);
    }
    json_decref(all);
    return code;
}
