/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_list: what waits for a moderator, as a table; and all that is known of one message.
 *
 * What strangers wrote, subjects and names of files, goes through text_put: nothing in it steers the
 * terminal.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "held.h"
#include "held_id.h"
#include "show.h"
#include "text.h"

#define CELL    512
#define SUBJECT 60 /* columns of it in a table */
#define SHORTLY \
    2000 /* messages; in longer lists each has its whole ID, as all are compared with all */

/* --- the table --- */

/* Seconds since text, a time as in a message; -1: it is none. */
static double
seconds_since(const char *text)
{
    struct tm tm = {.tm_isdst = 0};

    return strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm) ? difftime(time(NULL), timegm(&tm)) : -1;
}

static const char *
age_of(json_t *m, char out[32])
{
    double seconds = seconds_since(show_text(m, "time"));

    return seconds < 0 ? "" : text_age(seconds, out);
}

/* The queue id is name enough, unless another message in the list has it too. */
static const char *
short_id(json_t *list, json_t *m)
{
    const char *id = show_text(m, "id");
    struct span queue = held_id_queue(span_of(id));
    json_t *other;
    size_t i;

    if (json_array_size(list) > SHORTLY)
        return id;
    json_array_foreach(list, i,
                       other) if (other != m &&
                                  held_id_means(queue, span_of(show_text(other, "id")))) return id;
    return queue.n > 0 ? queue.p : id;
}

static const char *
way_of(json_t *m, char out[CELL])
{
    json_t *to = json_object_get(m, "recipients");
    const char *first = json_string_value(json_array_get(to, 0));
    double more = show_number(m, "recipient_count") - (first ? 1 : 0);
    char others[32] = "";

    if (more > 0)
        snprintf(others, sizeof others, " +%.0f", more);
    snprintf(out, CELL, "%s → %.240s%s", show_text(m, "sender"), first ? first : "", others);
    return out;
}

static const char *
state_of(json_t *m, char out[CELL])
{
    const char *verdict = show_text(m, "verdict");

    snprintf(out, CELL, "%s%s%s", show_text(m, "state"), *verdict ? ", " : "", verdict);
    return out;
}

/* The beginning, as many columns as a table has for it. */
static const char *
subject_of(json_t *m, char out[CELL])
{
    size_t n;

    snprintf(out, CELL - 4, "%s", show_text(m, "subject"));
    if (text_width(out) <= SUBJECT)
        return out;
    for (n = strlen(out); n > 0 && text_width(out) > SUBJECT - 1; out[n] = '\0')
        for (n--; n > 0 && ((unsigned char)out[n] & 0xc0) == 0x80;)
            n--;
    strcat(out, "…");
    return out;
}

static void
row(struct text_table *t, json_t *list, json_t *m, int states)
{
    char age[32], way[CELL], subject[CELL], state[CELL];
    const char *cells[TEXT_COLUMNS] = {short_id(list, m), age_of(m, age), show_text(m, "site"),
                                       show_text(m, "rule")};
    size_t n = 4;

    if (states)
        cells[n++] = state_of(m, state);
    cells[n++] = way_of(m, way);
    cells[n] = subject_of(m, subject);
    text_row(t, cells);
}

static void
print(json_t *list)
{
    static const char *const plain[] = {"id", "age", "site", "rule", "from → to", "subject"};
    static const char *const stated[] = {"id",    "age",       "site",   "rule",
                                         "state", "from → to", "subject"};
    int states = 0;
    json_t *m;
    size_t i;

    json_array_foreach(list, i, m) states |=
        strcmp(show_text(m, "state"), "held") != 0 || *show_text(m, "verdict");
    struct text_table t = {.columns = states ? 7 : 6, .right = " r     "};

    text_row(&t, states ? stated : plain);
    json_array_foreach(list, i, m) row(&t, list, m, states);
    text_table_end(&t, 0);
}

/* NULL: all of them. 0, or -1: there is no such state. */
static int
state_wanted(const struct ctl *ctl, const char **state_r)
{
    static const char *const states[] = {"held",    "approved", "rejected",
                                         "expired", "gone",     "failed"};
    const char *given = ctl_value(ctl, "state");

    *state_r = given ? given : "held";
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (strcmp(*state_r, states[i]) == 0)
            return 0;
    if (strcmp(*state_r, "all") != 0)
        return -1;
    *state_r = NULL;
    return 0;
}

int
verb_held_list(struct ctl *ctl)
{
    json_t *list = NULL;
    const char *state;
    struct held_way w;
    int code;

    if (ctl->argc != 0)
        return ctl_usage("held list takes options only: --rule, --sender, --site, --state");
    if (state_wanted(ctl, &state) < 0)
        return ctl_usage("--state is held, approved, rejected, expired, gone, failed or all");
    if ((code = held_open(ctl, &w)) != CTL_DONE)
        return code;
    code = held_all(&w, state, &list);
    held_filter(ctl, list);
    if (code == CTL_DONE && ctl->json)
        ctl_print_json(json_pack("{s:b, s:O}", "ok", 1, "messages", list));
    else if (code == CTL_DONE && json_array_size(list) > 0)
        print(list);
    else if (code == CTL_DONE)
        fprintf(stderr, "postroad: nothing is held%s\n",
                w.d ? ", as far as you may see" : " at this site");
    json_decref(list);
    held_close(&w);
    return code;
}

/* --- one message --- */

static void
line(const char *name, const char *value)
{
    if (!*value)
        return;
    text_pad(stdout, name, 12);
    text_put(stdout, value);
    putchar('\n');
}

static void
lines(const char *name, json_t *list, double all)
{
    char more[64];
    json_t *v;
    size_t i;

    json_array_foreach(list, i, v) line(i == 0 ? name : "", json_string_value(v));
    if (all > (double)json_array_size(list)) {
        snprintf(more, sizeof more, "and %.0f more", all - (double)json_array_size(list));
        line("", more);
    }
}

static void
print_times(json_t *m)
{
    const char *end = show_text(m, "on_expire"), *expires = show_text(m, "expires");
    char text[CELL], age[32];

    snprintf(text, sizeof text, "%s (%s)", show_text(m, "time"), age_of(m, age));
    line("since", text);
    if (strcmp(show_text(m, "state"), "held") != 0)
        return;
    snprintf(text, sizeof text, "%s%s%s%s", expires, *end ? " (then: " : "", end, *end ? ")" : "");
    line("until", text);
}

static void
print_may(struct held_way *w, json_t *m)
{
    char why[256], text[CELL];
    int may;

    if (!w->d || strcmp(show_text(m, "state"), "held") != 0 || *show_text(m, "verdict"))
        return;
    may = held_may(w, m, why, sizeof why);
    if (may < 0)
        return;
    snprintf(text, sizeof text, "may%s decide: %s", may ? "" : " not", why);
    line("you", text);
}

static void
print_one(struct held_way *w, json_t *m)
{
    char text[2600], size[32];

    line("id", show_text(m, "id"));
    line("state", held_fate(m, text, sizeof text));
    line("reason", show_text(m, "reason"));
    line("site", show_text(m, "site"));
    print_times(m);
    line("rule", show_text(m, "rule"));
    line("why", show_text(m, "why"));
    line("about", *show_text(m, "target") ? show_text(m, "target") : show_text(m, "target_dn"));
    line("from", show_text(m, "sender"));
    lines("to", json_object_get(m, "recipients"), show_number(m, "recipient_count"));
    line("size", text_bytes(show_number(m, "size"), size));
    line("subject", show_text(m, "subject"));
    lines("attachment", json_object_get(m, "attachments"), 0);
    print_may(w, m);
}

/* The list does not hold all of a message, when it comes from the daemon. */
static int
show(struct held_way *w, json_t *list)
{
    json_t *m = held_meant(w, list, w->ctl->argv[0]), *whole;
    int code = m ? held_again(w, show_text(m, "id"), &whole) : CTL_NO;

    if (code != CTL_DONE)
        return ctl_fail(w->ctl, code, "%s: %s", w->ctl->argv[0], w->error);
    if (w->ctl->json)
        ctl_print_json(json_pack("{s:b, s:O}", "ok", 1, "message", whole));
    else
        print_one(w, whole);
    json_decref(whole);
    return CTL_DONE;
}

int
verb_held_show(struct ctl *ctl)
{
    json_t *list = NULL;
    struct held_way w;
    int code;

    if (ctl->argc != 1)
        return ctl_usage("held show takes the ID of one message, or its queue ID");
    if ((code = held_open(ctl, &w)) != CTL_DONE)
        return code;
    code = held_all(&w, NULL, &list);
    if (code == CTL_DONE)
        code = show(&w, list);
    json_decref(list);
    held_close(&w);
    return code;
}
