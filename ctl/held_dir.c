/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_dir: held mail as the entries below cn=held show it to whoever is bound. The server's access rules
 * say what he sees, and whether he may add a verdict.
 *
 * Must not replace anything: the first verdict stands.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "attrs_text.h"
#include "held.h"
#include "held_id.h"
#include "show.h"

#define DN_MAX 2048

enum kind { TEXT, NUMBER, LIST, TIME };

static const struct row {
    const char *attr, *member;
    enum kind kind;
} rows[] = {
    {"postroadHeldId", "id", TEXT},
    {"postroadHeldSite", "site", TEXT},
    {"postroadHeldState", "state", TEXT},
    {"postroadHeldRule", "rule", TEXT},
    {"postroadHeldSender", "sender", TEXT},
    {"postroadHeldRecipient", "recipients", LIST},
    {"postroadHeldCount", "recipient_count", NUMBER},
    {"postroadHeldSize", "size", NUMBER},
    {"postroadHeldSubject", "subject", TEXT},
    {"postroadHeldAttachment", "attachments", LIST},
    {"postroadHeldTarget", "target_dn", TEXT},
    {"postroadHeldTime", "time", TIME},
    {"postroadHeldExpires", "expires", TIME},
    {"postroadHeldDecided", "decided", TIME},
    {"postroadHeldVerdict", "verdict", TEXT},
    {"postroadHeldReason", "reason", TEXT},
    {"postroadHeldBy", "by", TEXT},
};

static const char *const attrs[] = {"postroadHeldId",
                                    "postroadHeldSite",
                                    "postroadHeldState",
                                    "postroadHeldRule",
                                    "postroadHeldSender",
                                    "postroadHeldRecipient",
                                    "postroadHeldCount",
                                    "postroadHeldSize",
                                    "postroadHeldSubject",
                                    "postroadHeldAttachment",
                                    "postroadHeldTarget",
                                    "postroadHeldTime",
                                    "postroadHeldExpires",
                                    "postroadHeldDecided",
                                    "postroadHeldVerdict",
                                    "postroadHeldReason",
                                    "postroadHeldBy",
                                    "modifiersName",
                                    NULL};

/* --- an entry as a message --- */

static json_t *
time_json(struct span s)
{
    int64_t seconds = text_time(s);
    time_t t = (time_t)seconds;
    char out[32];
    struct tm tm;

    if (seconds < 0 || !gmtime_r(&t, &tm) ||
        strftime(out, sizeof out, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        return NULL;
    return json_string(out);
}

static json_t *
value_json(enum kind kind, struct span s)
{
    long long n;

    if (kind == TIME)
        return time_json(s);
    if (kind == NUMBER)
        return sscanf(s.p, "%lld", &n) == 1 ? json_integer(n) : NULL;
    return json_stringn(s.p, s.n);
}

static void
take(json_t *m, const struct row *row, const struct dir_attr *a)
{
    json_t *list = row->kind == LIST ? json_array() : NULL;

    for (size_t i = 0; list && a && i < a->n; i++)
        json_array_append_new(list, value_json(TEXT, a->v[i]));
    if (list)
        json_object_set_new(m, row->member, list);
    else if (a && a->n > 0)
        json_object_set_new(m, row->member, value_json(row->kind, a->v[0]));
}

/* While a verdict is open whoever gave it was the last to change the entry. */
static json_t *
message_of(const struct dir_entry *e)
{
    json_t *m = json_object();

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        take(m, &rows[i], dir_attr(e, rows[i].attr));
    if (strcasecmp(show_text(m, "state"), "held") == 0 && *show_text(m, "verdict"))
        json_object_set_new(m, "verdict_by", json_string(dir_value(e, "modifiersName")));
    else
        json_object_del(m, "verdict");
    return m;
}

/* --- asking --- */

static int
on_entry(void *ctx, const struct dir_entry *e)
{
    return json_array_append_new(ctx, message_of(e));
}

static const char *
container(const struct held_way *w, char dn[DN_MAX])
{
    snprintf(dn, DN_MAX, "%s,%s", HELD_CONTAINER, dir_base(w->d));
    return dn;
}

/* An ID holds nothing that a DN would want escaped. 0, or -1: it is none. */
static int
entry_dn(const struct held_way *w, const char *id, char dn[DN_MAX])
{
    if (!held_id_is(span_of(id)))
        return -1;
    return snprintf(dn, DN_MAX, "postroadHeldId=%s,%s,%s", id, HELD_CONTAINER, dir_base(w->d)) <
                   DN_MAX
               ? 0
               : -1;
}

int
held_dir_all(struct held_way *w, const char *state, json_t *list)
{
    char dn[DN_MAX], escaped[64], filter[128] = "(objectClass=postroadHeld)";
    int code;

    if (state && dir_filter_escape(state, escaped, sizeof escaped) == 0)
        snprintf(filter, sizeof filter, "(postroadHeldState=%s)", escaped);
    code = dir_search(w->d, container(w, dn), DIR_ONE, filter, attrs, on_entry, list);
    if (code == CTL_NO && dir_was_missing(w->d))
        return dir_fail(w->d, dir_refuse(w->d, CTL_NO,
                                         "there is no %s: is mail held here at all? See "
                                         "postroad-moderation(7)",
                                         dn));
    return code == CTL_DONE ? code : dir_fail(w->d, code);
}

int
held_dir_again(struct held_way *w, const char *id, json_t **message_r)
{
    struct dir_entry *e = NULL;
    char dn[DN_MAX];
    int code = CTL_NO;

    *message_r = NULL;
    if (entry_dn(w, id, dn) == 0)
        code = dir_find(w->d, dn, DIR_BASE, "(objectClass=postroadHeld)", attrs, &e);
    snprintf(w->error, sizeof w->error, "%s", dir_error(w->d));
    if (code == CTL_DONE)
        *message_r = message_of(e);
    dir_entry_free(&e);
    return code;
}

int
held_dir_say(struct held_way *w, json_t *message, const char *verdict, const char *reason)
{
    struct dir_change *c = dir_change_new();
    char dn[DN_MAX];
    int code = CTL_NO;

    dir_change_value(c, DIR_ADD, "postroadHeldVerdict", verdict);
    if (reason)
        dir_change_value(c, DIR_ADD, "postroadHeldReason", reason);
    if (c && entry_dn(w, show_text(message, "id"), dn) == 0)
        code = dir_modify(w->d, dn, c);
    dir_change_free(&c);
    snprintf(w->error, sizeof w->error, "%s", dir_error(w->d));
    return code;
}
