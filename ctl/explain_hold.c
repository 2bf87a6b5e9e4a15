/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explain_hold: asks whether moderation would hold a message and prints it, behind what explain_send prints.
 * Only formats; policyd decides. Must not say "no" where it depends on what was not told of the message.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "show.h"
#include "text.h"

/* 0, or -1: it is not UTF-8. Nothing is left out: it would count as not told. */
static int
copy(json_t *question, const struct ctl *ctl, const char *name)
{
    const char *value = ctl_value(ctl, name);

    return value ? json_object_set_new(question, name, json_string(value)) : 0;
}

static json_t *
untold(const char *why)
{
    return json_pack("{s:b, s:s}", "ok", 0, "error", why);
}

int
explain_hold(struct ctl *ctl, const struct explain_who *who, json_t **reply_r)
{
    json_t *question = json_pack("{s:s, s:s, s:s, s:s}", "verb", "explain-hold", "from", who->from,
                                 "to", who->to, "login", who->login);
    const char *size = ctl_value(ctl, "size");

    if (size)
        json_object_set_new(question, "size", json_integer(strtoll(size, NULL, 10)));
    if (!question || copy(question, ctl, "subject") < 0 || copy(question, ctl, "attachment") < 0) {
        json_decref(question);
        *reply_r = untold("an argument is not UTF-8");
    } else if (daemon_ask_quietly(ctl, question, reply_r) < 0) {
        *reply_r = untold("postroad-policyd does not answer at sockets.control");
    }
    return show_true(*reply_r, "ok") ? CTL_DONE : CTL_TEMPORARY;
}

static void
print_rest(json_t *r)
{
    printf("%s, because of step %d", show_text(r, "else"), (int)show_number(r, "step"));
    if (*show_text(r, "rule")) {
        printf(", by rule ");
        text_put(stdout, show_text(r, "rule"));
    }
    printf(": %s\n", show_text(r, "step_text"));
}

static void
print_line(const char *name, const char *value)
{
    if (!*value)
        return;
    printf("  ");
    text_pad(stdout, name, 30);
    text_put(stdout, value);
    putchar('\n');
}

static void
print_target(json_t *o)
{
    const char *target = show_text(o, "target");
    char text[700];

    snprintf(text, sizeof text, "whoever may approve for %s", target);
    print_line("who decides", *target ? text : "it is about nobody here");
}

/* A rule that may hold it, and by what that would be told. */
static void
print_may(json_t *may)
{
    json_t *on = json_object_get(may, "on"), *what;
    size_t i;

    printf("  rule ");
    text_put(stdout, show_text(may, "rule"));
    printf(": %s or not would depend on ", show_text(may, "then"));
    json_array_foreach(on, i, what)
    {
        printf("%s%s", i ? ", " : "", json_is_string(what) ? json_string_value(what) : "");
    }
    putchar('\n');
    print_line("  its conditions", show_text(may, "why"));
    if (strcmp(show_text(may, "then"), "held") == 0)
        print_target(may);
}

void
explain_hold_print(json_t *r)
{
    json_t *depends = json_object_get(r, "depends"), *may;
    size_t i;

    printf("Moderation: ");
    if (!show_true(r, "ok")) {
        printf("can't be told: ");
        text_put(stdout, show_text(r, "error"));
        putchar('\n');
        return;
    }
    if (json_array_size(depends) > 0)
        puts("would depend on the message");
    json_array_foreach(depends, i, may)
    {
        print_may(may);
    }
    if (json_array_size(depends) > 0)
        printf("  else: ");
    print_rest(r);
    print_line("its conditions", show_text(r, "why"));
    if (strcmp(show_text(r, "else"), "held") == 0)
        print_target(r);
    if (show_number(r, "rules") == 0)
        puts("  milter.moderate has no rules");
}
