/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hook: the queue of new-mail events: what waits and why, try it all now, drop one. Asks
 * role hook at its own socket, which lets administrators do that.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "ctl.h"
#include "show.h"
#include "text.h"

#define ASK_MS 10000

/* The answer to a line, to be freed; or CTL_TEMPORARY after saying what happened. */
static int
ask(struct ctl *ctl, const char *line, json_t **reply_r)
{
    char error[256], *text = NULL;

    if (ctl->conf->hook.targets.n == 0)
        return ctl_fail(ctl, CTL_NO, "there are no targets: see hook.targets in postroad.conf(5)");
    if (ask_line(ctl->conf->sockets.hook, line, ASK_MS, &text, error, sizeof error) < 0)
        return ctl_fail(ctl, CTL_TEMPORARY, "role hook does not answer: %s", error);
    *reply_r = json_loads(text, 0, NULL);
    if (!json_is_object(*reply_r)) {
        json_decref(*reply_r);
        ctl_fail(ctl, CTL_TEMPORARY, "role hook says: %s", text);
        free(text);
        return CTL_TEMPORARY;
    }
    free(text);
    return CTL_DONE;
}

static void
print_targets(json_t *targets)
{
    json_t *t;
    size_t i;

    json_array_foreach(targets, i, t)
    {
        const char *error = show_text(t, "error");

        text_put(stdout, show_text(t, "name"));
        printf(": %s", show_true(t, "doubted") ? "fails, tried now and then" : "in use");
        if (*error) {
            printf("; last error: ");
            text_put(stdout, error);
        }
        putchar('\n');
    }
}

static void
print_events(json_t *events)
{
    json_t *e;
    size_t i;

    if (json_array_size(events) > 0)
        printf("\n%10s  %-16s %-20s %5s %8s  account\n", "number", "target", "stored", "tries",
               "next try");
    json_array_foreach(events, i, e)
    {
        printf("%10.0f  %-16s %-20s %5.0f %7.0fs  ", show_number(e, "number"),
               show_text(e, "target"), show_text(e, "stored"), show_number(e, "tries"),
               show_number(e, "wait_s"));
        text_put(stdout, show_text(e, "account"));
        puts(show_true(e, "sending") ? " (being sent)" : "");
    }
}

static int
list(struct ctl *ctl)
{
    json_t *reply;
    int code = ask(ctl, "list", &reply);

    if (code != CTL_DONE)
        return code;
    if (ctl->json) {
        ctl_print_json(reply);
        return CTL_DONE;
    }
    printf("%.0f events wait\n", show_number(reply, "queued"));
    print_targets(json_object_get(reply, "targets"));
    print_events(json_object_get(reply, "events"));
    json_decref(reply);
    return CTL_DONE;
}

int
verb_hook_list(struct ctl *ctl)
{
    return ctl->argc > 0 ? ctl_usage("hook list takes nothing") : list(ctl);
}

int
verb_hook_retry(struct ctl *ctl)
{
    json_t *reply;
    int code;

    if (ctl->argc > 0)
        return ctl_usage("hook retry takes nothing");
    code = ask(ctl, "retry", &reply);
    if (code != CTL_DONE)
        return code;
    if (ctl->json) {
        ctl_print_json(reply);
        return CTL_DONE;
    }
    printf("%.0f events are tried now\n", show_number(reply, "queued"));
    json_decref(reply);
    return CTL_DONE;
}

int
verb_hook_drop(struct ctl *ctl)
{
    char line[64];
    json_t *reply;
    int code;

    if (ctl->argc != 1 || strspn(ctl->argv[0], "0123456789") != strlen(ctl->argv[0]) ||
        strlen(ctl->argv[0]) > 20)
        return ctl_usage("hook drop takes the number of an event, see postroad hook list");
    snprintf(line, sizeof line, "drop\tnumber=%s", ctl->argv[0]);
    code = ask(ctl, line, &reply);
    if (code != CTL_DONE)
        return code;
    code = show_true(reply, "found") ? CTL_DONE : CTL_NO;
    json_decref(reply);
    if (code == CTL_NO)
        return ctl_fail(ctl, CTL_NO, "no event has the number %s", ctl->argv[0]);
    if (ctl->json)
        ctl_print_json(json_pack("{s:b}", "ok", 1));
    else
        puts("dropped");
    return CTL_DONE;
}
