/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * access_open: to say why one is going to open somebody's mailbox, and for how long;
 * which openings there are; and to end one.
 *
 * Who calls proves by a bind at the directory who he is; the daemon believes this
 * command, since only members of its group reach it. Root may see and close all.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"
#include "show.h"
#include "text.h"

static void
time_of(json_t *o, const char *key, char out[AUDIT_TIME])
{
    audit_time_write((int64_t)show_number(o, key), out);
    snprintf(out + 16, 2, "Z");
    out[10] = ' ';
}

int
verb_access_open(struct ctl *ctl)
{
    const char *text = ctl_value(ctl, "for");
    int64_t ms = audit_duration_parse(span_of(text ? text : "1h"));
    char me[512], until[AUDIT_TIME];
    json_t *reply;
    int code;

    if (ctl->argc != 1)
        return ctl_usage("access open: whose mailbox? postroad access open ADDRESS --reason TEXT");
    if (!ctl->reason || !*ctl->reason)
        return ctl_usage("access open needs --reason: it goes to the audit log");
    if (ms < 1000)
        return ctl_usage("--for takes a time such as 30m, 2h or 1d");
    if ((code = audit_who(ctl, me, sizeof me)) != CTL_DONE ||
        (code = daemon_ask(ctl,
                           json_pack("{s:s, s:s, s:s, s:s, s:I}", "verb", "opening-open", "as", me,
                                     "target", ctl->argv[0], "reason", ctl->reason, "seconds",
                                     (json_int_t)(ms / 1000)),
                           &reply)) != CTL_DONE)
        return code;
    if (ctl->json) {
        ctl_print_json(reply);
        return CTL_DONE;
    }
    time_of(reply, "until", until);
    printf("%s may open the mailbox of %s until %s: opening %s\n", show_text(reply, "actor"),
           show_text(reply, "target"), until, show_text(reply, "id"));
    json_decref(reply);
    return CTL_DONE;
}

/* Empty for root and the daemon's user, who need not say who they are. */
static int
who_or_root(const struct ctl *ctl, char *me, size_t cap)
{
    *me = '\0';
    if (!ctl_value(ctl, "bind-dn") && !ctl_value(ctl, "external") && geteuid() == 0)
        return CTL_DONE;
    return audit_who(ctl, me, cap);
}

static void
show_openings(json_t *openings)
{
    static const char *const heading[] = {"ID", "UNTIL", "WHO", "WHOSE", "REASON"};
    struct text_table t = {.columns = 5, .right = "     "};
    char until[AUDIT_TIME];
    json_t *o;
    size_t i;

    if (json_array_size(openings) == 0) {
        puts("no openings");
        return;
    }
    text_row(&t, heading);
    json_array_foreach(openings, i, o)
    {
        time_of(o, "until", until);
        text_row(&t, (const char *const[]){show_text(o, "id"), until, show_text(o, "actor"),
                                           show_text(o, "target"), show_text(o, "reason")});
    }
    text_table_end(&t, 0);
}

int
verb_access_list(struct ctl *ctl)
{
    json_t *all = json_array(), *reply;
    json_int_t next = 0;
    char me[512];
    int code;

    if (ctl->argc != 0)
        return ctl_usage("access list takes no argument");
    code = who_or_root(ctl, me, sizeof me);
    while (code == CTL_DONE) {
        code = daemon_ask(
            ctl, json_pack("{s:s, s:s, s:I}", "verb", "opening-list", "as", me, "after", next),
            &reply);
        if (code != CTL_DONE)
            break;
        next = json_integer_value(json_object_get(reply, "next"));
        if (next > 0) {
            json_object_del(reply, "next");
            json_object_del(reply, "ok");
            json_array_append(all, reply);
        }
        json_decref(reply);
        if (next == 0)
            break;
    }
    if (code == CTL_DONE && ctl->json)
        ctl_print_json(json_pack("{s:b, s:O}", "ok", 1, "openings", all));
    else if (code == CTL_DONE)
        show_openings(all);
    json_decref(all);
    return code;
}

int
verb_access_close(struct ctl *ctl)
{
    char me[512];
    json_t *reply;
    int code;

    if (ctl->argc != 1)
        return ctl_usage("access close: which opening? postroad access list shows them");
    if ((code = who_or_root(ctl, me, sizeof me)) != CTL_DONE ||
        (code = daemon_ask(
             ctl,
             json_pack("{s:s, s:s, s:s}", "verb", "opening-close", "as", me, "id", ctl->argv[0]),
             &reply)) != CTL_DONE)
        return code;
    if (ctl->json) {
        ctl_print_json(reply);
        return CTL_DONE;
    }
    printf("closed the opening of %s for the mailbox of %s\n", show_text(reply, "actor"),
           show_text(reply, "target"));
    json_decref(reply);
    return CTL_DONE;
}
