/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_decide: approve and reject, one message or several. The verdict goes to the directory, or to the
 * daemon; the site that holds the message carries it out, and decides once more whether whoever gave it
 * may. The first verdict stands.
 *
 * Promises: each message is decided for itself; what failed does not stop the others, and is
 * told. Many at once only after their number was confirmed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "clock.h"
#include "attrs_text.h"
#include "held.h"
#include "show.h"
#include "text.h"

#define REASON_MAX 1024
#define PAUSE_MS   300

struct deciding {
    struct ctl *ctl;
    struct held_way w;
    const char *verdict; /* "approve", "reject" */
    int dry, wait;       /* seconds */
    json_t *list,
        *results; /* all that may be seen; {"id", "ok", "text"} of each that was asked for */
    int worst;
};

static const char *
state_wanted(const struct deciding *d)
{
    return *d->verdict == 'a' ? "approved" : "rejected";
}

/* --- what is said --- */

static int
result(struct deciding *d, json_t *m, const char *id, int code, const char *text)
{
    if (code > d->worst)
        d->worst = code;
    if (d->ctl->json) {
        json_array_append_new(d->results,
                              json_pack("{s:s, s:b, s:s, s:s, s:i}", "id", id, "ok",
                                        code == CTL_DONE, "state", m ? show_text(m, "state") : "",
                                        "text", text, "code", code));
    } else {
        FILE *f = code == CTL_DONE ? stdout : stderr;

        fputs(code == CTL_DONE ? "" : "postroad: ", f);
        text_put(f, id);
        fputs(": ", f);
        for (const char *p = text, *end; *p; p = *end ? end + 1 : end) {
            char part[2600];

            end = p + strcspn(p, "\n");
            snprintf(part, sizeof part, "%.*s", (int)(end - p), p);
            text_put(f, part);
            fputc('\n', f);
        }
    }
    return code;
}

/* Decided before, or a verdict is under way: what was wanted is done, the opposite is refused. */
static int
say_before(struct deciding *d, json_t *m)
{
    const char *verdict = show_text(m, "verdict");
    int same =
        strcasecmp(show_text(m, "state"), state_wanted(d)) == 0 ||
        (strcasecmp(show_text(m, "state"), "held") == 0 && strcasecmp(verdict, d->verdict) == 0);
    char text[2600], fate[2400];

    snprintf(text, sizeof text, "%s%s", held_fate(m, fate, sizeof fate),
             same ? "" : "; the first verdict stands");
    return result(d, m, show_text(m, "id"), same ? CTL_DONE : CTL_NO, text);
}

static int
is_decided(json_t *m)
{
    return strcasecmp(show_text(m, "state"), "held") != 0 || *show_text(m, "verdict");
}

/* The server has refused: was somebody faster, or may he not? */
static int
say_refused(struct deciding *d, json_t *m, int code)
{
    char why[256], text[2600], error[sizeof d->w.error];
    json_t *now = NULL;

    snprintf(error, sizeof error, "%s", d->w.error);
    if (code == CTL_NO && held_again(&d->w, show_text(m, "id"), &now) == CTL_DONE &&
        is_decided(now)) {
        code = say_before(d, now);
        json_decref(now);
        return code;
    }
    json_decref(now);
    if (code == CTL_NO && d->w.d && held_may(&d->w, m, why, sizeof why) == 0)
        snprintf(text, sizeof text, "held at %s since %s by rule %s; you may not decide: %s",
                 show_text(m, "site"), show_text(m, "time"), show_text(m, "rule"), why);
    else
        snprintf(text, sizeof text, "%s", error);
    return result(d, m, show_text(m, "id"), code, text);
}

/* --- waiting --- */

/* Whether it is over: the site has done something about it. */
static int
is_over(const struct deciding *d, json_t *m)
{
    if (strcasecmp(show_text(m, "state"), "held") == 0)
        return !*show_text(m, "verdict");
    return d->w.d || !json_is_false(json_object_get(m, "done"));
}

static int
say_over(struct deciding *d, json_t *m)
{
    char text[2600], fate[2400];
    int done = strcasecmp(show_text(m, "state"), state_wanted(d)) == 0;

    held_fate(m, fate, sizeof fate);
    if (strcasecmp(show_text(m, "state"), "held") == 0)
        snprintf(text, sizeof text,
                 "%s has taken the verdict away again: by what it knows you may not decide. Its "
                 "audit log says why",
                 show_text(m, "site"));
    else
        snprintf(text, sizeof text, "%s", fate);
    return result(d, m, show_text(m, "id"), done ? CTL_DONE : CTL_NO, text);
}

/* Until the site has carried it out, or the time is over. */
static int
await(struct deciding *d, json_t *before, int64_t end_ms)
{
    const struct timespec pause = {0, PAUSE_MS * 1000000L};
    const char *id = show_text(before, "id");
    json_t *m = NULL;
    char text[512];
    int code, over;

    do {
        code = held_again(&d->w, id, &m);
        over = code == CTL_DONE && is_over(d, m);
        if (over)
            code = say_over(d, m);
        json_decref(m);
        m = NULL;
        if (over)
            return code;
        nanosleep(&pause, NULL);
    } while (code != CTL_NO && clock_mono_ms() < end_ms);
    if (code == CTL_NO)
        return result(d, before, id, CTL_NO, d->w.error);
    snprintf(text, sizeof text,
             "the verdict is noted, but %s has not carried it out within %d s. It does when it "
             "hears of it: nothing is lost, the message stays held",
             show_text(before, "site"), d->wait);
    return result(d, before, id, CTL_TEMPORARY, text);
}

/* --- deciding --- */

static int
decide(struct deciding *d, json_t *m, int64_t end_ms)
{
    const char *id = show_text(m, "id");
    char text[256];
    int code;

    if (is_decided(m))
        return say_before(d, m);
    if (d->dry && !d->w.d) {
        snprintf(text, sizeof text, "would be %s", state_wanted(d));
        return result(d, m, id, CTL_DONE, text);
    }
    code = held_say(&d->w, m, d->verdict, d->ctl->reason);
    if (code != CTL_DONE)
        return say_refused(d, m, code);
    if (d->dry)
        return CTL_DONE;
    if (d->wait > 0)
        return await(d, m, end_ms);
    snprintf(text, sizeof text, "verdict \"%s\" noted; %s carries it out", d->verdict,
             show_text(m, "site"));
    return result(d, m, id, CTL_DONE, text);
}

static int64_t
end_of(const struct deciding *d)
{
    return clock_mono_ms() + 1000LL * d->wait;
}

/* Those named on the command line. */
static void
decide_named(struct deciding *d)
{
    for (int i = 0; i < d->ctl->argc; i++) {
        json_t *m = held_meant(&d->w, d->list, d->ctl->argv[i]);

        if (m)
            decide(d, m, end_of(d));
        else
            result(d, NULL, d->ctl->argv[i], CTL_NO, d->w.error);
    }
}

static void
drop_decided(json_t *list)
{
    for (size_t i = json_array_size(list); i-- > 0;)
        if (is_decided(json_array_get(list, i)))
            json_array_remove(list, i);
}

/* All that the options name, once their number was confirmed. */
static int
decide_all(struct deciding *d)
{
    const char *count = ctl_value(d->ctl, "count");
    char number[32];
    json_t *m;
    size_t i;

    held_filter(d->ctl, d->list);
    drop_decided(d->list);
    snprintf(number, sizeof number, "%zu", json_array_size(d->list));
    if (strcmp(number, "0") == 0)
        return ctl_fail(d->ctl, CTL_NO, "nothing is held that this names");
    if (!d->dry && (!count || strcmp(count, number) != 0))
        return ctl_fail(d->ctl, CTL_NO,
                        "%s messages are held that this names; nothing was decided. Look at them "
                        "with \"postroad held list\"; if all are meant, add --count %s",
                        number, number);
    json_array_foreach(d->list, i, m) decide(d, m, end_of(d));
    return CTL_DONE;
}

/* What others read: the directory and the sender's notice. */
static int
check_reason(const struct ctl *ctl, const char *verdict)
{
    const char *reason = ctl->reason;

    if (*verdict == 'r' && (!reason || strspn(reason, " ") == strlen(reason)))
        return ctl_usage("held reject needs --reason TEXT: the sender reads it");
    if (reason && (!*reason || strlen(reason) > REASON_MAX || !text_clean(span_of(reason))))
        return ctl_usage("--reason is one line of UTF-8, at most %d bytes", REASON_MAX);
    return CTL_DONE;
}

static int
check_what(const struct ctl *ctl)
{
    int all = ctl_value(ctl, "all") != NULL, filters = 0;

    filters += ctl_value(ctl, "rule") != NULL;
    filters += ctl_value(ctl, "sender") != NULL;
    filters += ctl_value(ctl, "site") != NULL;
    if (!all && (filters || ctl_value(ctl, "count")))
        return ctl_usage("--rule, --sender, --site and --count go together with --all");
    if (all && ctl->argc > 0)
        return ctl_usage("either name messages, or give --all");
    if (all && !filters)
        return ctl_usage("--all of what? Add --rule, --sender or --site");
    if (!all && ctl->argc == 0)
        return ctl_usage("which messages? Give their IDs, or --all --rule NAME");
    return CTL_DONE;
}

static int
decide_verb(struct ctl *ctl, const char *verdict)
{
    struct deciding d = {.ctl = ctl,
                         .verdict = verdict,
                         .dry = ctl_value(ctl, "dry-run") != NULL,
                         .wait = ctl_value(ctl, "wait") ? ctl->wait : 0};
    int code;

    if ((code = check_what(ctl)) != CTL_DONE || (code = check_reason(ctl, verdict)) != CTL_DONE ||
        (code = held_open(ctl, &d.w)) != CTL_DONE)
        return code;
    d.results = json_array();
    code = held_all(&d.w, ctl_value(ctl, "all") ? "held" : NULL, &d.list);
    if (code == CTL_DONE && ctl_value(ctl, "all"))
        code = decide_all(&d);
    else if (code == CTL_DONE)
        decide_named(&d);
    if (code == CTL_DONE) {
        code = d.worst;
        if (ctl->json && !(d.dry && d.w.d))
            ctl_print_json(json_pack("{s:b, s:O}", "ok", code == CTL_DONE, "messages", d.results));
    }
    json_decref(d.results);
    json_decref(d.list);
    held_close(&d.w);
    return code;
}

int
verb_held_approve(struct ctl *ctl)
{
    return decide_verb(ctl, "approve");
}

int
verb_held_reject(struct ctl *ctl)
{
    return decide_verb(ctl, "reject");
}
