/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * may: prints whether one may do something to another, and by which rule, as the
 * daemon's own decision on rights says. Only formats; decides nothing.
 */
#include <stdio.h>
#include <string.h>

#include "ctl.h"
#include "show.h"
#include "text.h"

static int
exit_code(json_t *reply)
{
    json_t *allowed = json_object_get(reply, "allowed");

    return json_is_true(allowed) ? CTL_DONE : json_is_false(allowed) ? CTL_NO : CTL_TEMPORARY;
}

static void
label(const char *name)
{
    fputs("  ", stdout);
    text_pad(stdout, name, 8);
}

/* "uid=lina,… (domain administrator)", or why there is none. */
static void
print_entry(const char *name, json_t *o, const char *asked, const char *what, const char *more)
{
    const char *dn = show_text(o, "dn"), *note = show_text(o, "note");

    label(name);
    text_put(stdout, *dn ? dn : asked);
    fputs(" (", stdout);
    text_put(stdout, show_true(o, "known") ? what : *note ? note : "not there");
    if (show_true(o, "known"))
        text_put(stdout, more);
    puts(")");
}

static void
print_actor(json_t *actor, const char *asked)
{
    const char *level = show_text(actor, "level");
    char what[64];
    json_t *scope;
    size_t i;

    snprintf(what, sizeof what, "%s%s", level, strcmp(level, "user") == 0 ? "" : " administrator");
    print_entry("actor", actor, asked, what,
                json_is_false(json_object_get(actor, "active")) ? ", suspended or disabled" : "");
    json_array_foreach(json_object_get(actor, "scopes"), i, scope)
    {
        label(i == 0 ? "scope" : "");
        text_put(stdout, json_string_value(scope));
        putchar('\n');
    }
    if (json_array_size(json_object_get(actor, "rights")) == 0)
        return;
    label("rights");
    json_array_foreach(json_object_get(actor, "rights"), i, scope)
        printf("%s%s", i > 0 ? " " : "", json_string_value(scope));
    putchar('\n');
}

static void
print_target(json_t *target, const char *asked)
{
    const char *level = show_text(target, "level");
    char more[64] = "";

    if (strcmp(level, "user") != 0)
        snprintf(more, sizeof more, ", %s administrator", level);
    print_entry("target", target, asked, show_text(target, "kind"), more);
}

static void
print_reply(const struct ctl *ctl, json_t *r)
{
    printf("%s, because of rule %d: ", show_text(r, "verdict"), (int)show_number(r, "rule"));
    text_put(stdout, show_text(r, "why"));
    puts("\n");
    print_actor(json_object_get(r, "actor"), ctl->argv[0]);
    label("action");
    printf("%s (%s)\n", show_text(r, "action"),
           show_true(r, "directory") ? "the directory decides it, too" : "with mail only");
    print_target(json_object_get(r, "target"), ctl->argv[2]);
    printf("  rule %-3d", (int)show_number(r, "rule"));
    text_put(stdout, show_text(r, "text"));
    putchar('\n');
}

int
verb_may(struct ctl *ctl)
{
    json_t *reply;
    int code;

    if (ctl->argc != 3 && ctl->argc != 4)
        return ctl_usage("may takes an actor, an action and a target: postroad may "
                         "lina@a.example password alice@a.example");
    code = daemon_ask(ctl,
                      json_pack("{s:s, s:s, s:s, s:s, s:s}", "verb", "may", "actor", ctl->argv[0],
                                "action", ctl->argv[1], "target", ctl->argv[2], "value",
                                ctl->argc == 4 ? ctl->argv[3] : ""),
                      &reply);
    if (code != CTL_DONE)
        return code;
    code = exit_code(reply);
    if (ctl->json) {
        ctl_print_json(reply);
        return code;
    }
    print_reply(ctl, reply);
    json_decref(reply);
    return code;
}
