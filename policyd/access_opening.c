/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * access_opening: what administrators said beforehand about the mailboxes they are going
 * to open: the word opening, and what it means for a session.
 *
 * Promises: an opening is in the audit log before it holds, and so is its end; where
 * access.require_reason is set nobody comes into another's mailbox without one, also
 * when they can't be read. Must not believe clients: only policyd itself says for whom
 * an opening is, and role control has that from a bind.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "clock.h"
#include "access_request.h"
#include "audit_openings.h"

#define RETRY_MS 5000

/* --- in the audit log --- */

static int
add_record(struct access *a, const char *action, const struct opening *o, int rule, const char *why)
{
    char detail[128], until[AUDIT_TIME];
    struct audit_record r = {.action = action,
                             .actor = span_of(o->actor),
                             .target = span_of(o->target),
                             .why = span_of(why),
                             .reason = span_of(o->reason),
                             .rule = rule};

    audit_time_write(o->from_ms + o->length_ms, until);
    snprintf(detail, sizeof detail, "opening=%s until=%s", o->id, until);
    r.detail = span_of(detail);
    return access_log_add(a, &r);
}

void
access_opening_tick(struct access *a, int64_t now_ms)
{
    char dir[1100], error[512];
    struct opening over;
    unsigned skipped;

    if (!a->openings && a->audit && now_ms >= a->openings_retry_ms) {
        a->openings_retry_ms = now_ms + RETRY_MS;
        snprintf(dir, sizeof dir, "%s/audit", a->env->conf->state_dir);
        a->openings = openings_load(dir, error, sizeof error);
        if (!a->openings && log_limit(&a->openings_limit, 1, 60, &skipped))
            log_error("openings can't be read why=\"%s\"", error);
    }
    while (a->openings && openings_expire(a->openings, clock_wall_ms(), &over))
        add_record(a, "opening-expired", &over, 0, "");
}

/* --- what they mean for a session --- */

void
access_opening_apply(struct access *a, struct access_answer *answer, struct opening *o_r)
{
    int must = a->env->conf->access.require_reason;

    memset(o_r, 0, sizeof *o_r);
    if (answer->verdict != ACCESS_YES || answer->own)
        return;
    if (a->openings && openings_find(a->openings, span_of(answer->actor), span_of(answer->target),
                                     clock_wall_ms(), o_r))
        return;
    if (!must)
        return;
    answer->verdict = a->openings ? ACCESS_NO : ACCESS_UNSURE;
    answer->why = a->openings ? "no reason was given beforehand" : "the openings can't be read";
    snprintf(answer->text, sizeof answer->text,
             "A reason is needed first: postroad access open %s --reason TEXT --for 2h",
             answer->target);
}

/* --- the word --- */

static void
say_opening(struct request *r, const struct opening *o)
{
    request_text(r, "id", o->id);
    request_text(r, "actor", o->actor);
    request_text(r, "target", o->target);
    request_text(r, "reason", o->reason);
    request_number(r, "from", (long long)o->from_ms);
    request_number(r, "until", (long long)(o->from_ms + o->length_ms));
}

/* The record comes first: what is in the log and does not hold does no harm. */
static void
keep(struct request *r, const struct opening *o, const struct access_answer *answer)
{
    char error[512];

    if (add_record(r->access, "opening", o, answer->rule, answer->why) < 0) {
        request_unsure(r, "the audit log can't be written");
    } else if (openings_keep(r->access->openings, o, error, sizeof error) < 0) {
        add_record(r->access, "opening-failed", o, 0, error);
        request_unsure(r, "the opening can't be kept");
    } else {
        request_ok(r);
        say_opening(r, o);
    }
}

static void
refuse(struct request *r, const struct access_answer *answer, struct span reason)
{
    struct audit_record record = {.action = "refused",
                                  .actor = span_of(answer->actor),
                                  .target = span_of(answer->target),
                                  .detail = span_of("opening"),
                                  .why = span_of(answer->why),
                                  .reason = reason,
                                  .rule = answer->rule};

    access_log_add(r->access, &record);
    request_no(r, answer->rule, answer->why, answer->text);
}

static void
open_one(struct request *r)
{
    /* imap needs the least: whoever may read may say that he is going to. */
    struct access_question q = {request_needed(r, "actor"), request_needed(r, "target"),
                                span_of("imap")};
    struct span reason = request_needed(r, "reason");
    struct access_answer answer;
    struct opening o;
    uint64_t seconds = 0;
    char error[512];
    int made;

    if (!r->bad && access_quota_parse(request_needed(r, "seconds"), &seconds) != 0)
        r->bad = "seconds is no number";
    if (r->bad)
        return;
    access_ask(r->access, &q, &answer);
    if (answer.verdict == ACCESS_UNSURE) {
        request_unsure(r, answer.why);
        return;
    }
    if (answer.verdict == ACCESS_NO) {
        refuse(r, &answer, reason);
        return;
    }
    if (answer.own) {
        request_no(r, 0, "one's own mailbox", "Your own mailbox needs no opening");
        return;
    }
    seconds = seconds < OPENING_MAX_MS ? seconds : OPENING_MAX_MS;
    made = openings_make(r->access->openings, span_of(answer.actor), span_of(answer.target), reason,
                         (int64_t)seconds * 1000, clock_wall_ms(), &o, error, sizeof error);
    if (made > 0)
        keep(r, &o, &answer);
    else if (made == 0)
        request_no(r, 0, "no such opening", error);
    else
        request_unsure(r, "an opening can't be made now");
}

/* Whether who asks, nobody for root, has to do with it. */
static int
is_his(const struct opening *o, struct span actor)
{
    return actor.n == 0 ||
           (strlen(o->actor) == actor.n && strncasecmp(o->actor, actor.p, actor.n) == 0);
}

static int
is_of_his_mailbox(const struct opening *o, struct span actor)
{
    return strlen(o->target) == actor.n && strncasecmp(o->target, actor.p, actor.n) == 0;
}

/* The next one from place `after` on: "ok" alone when there is none. */
static void
list_one(struct request *r)
{
    struct span actor = request_field(r, "actor");
    const struct opening *o;
    uint64_t at = 0;

    if (request_field(r, "after").n > 0 &&
        access_quota_parse(request_field(r, "after"), &at) != 0) {
        r->bad = "after is no number";
        return;
    }
    while ((o = openings_at(r->access->openings, (size_t)at)) && !is_his(o, actor) &&
           !is_of_his_mailbox(o, actor))
        at++;
    request_ok(r);
    if (!o)
        return;
    request_number(r, "next", (long long)at + 1);
    say_opening(r, o);
}

static const struct opening *
find_id(struct access *a, struct span id)
{
    const struct opening *o;

    for (size_t i = 0; (o = openings_at(a->openings, i)); i++)
        if (span_same(span_of(o->id), id))
            return o;
    return NULL;
}

static void
close_one(struct request *r)
{
    struct span id = request_needed(r, "id");
    const struct opening *o = r->bad ? NULL : find_id(r->access, id);
    struct opening was;
    char error[512];

    if (r->bad)
        return;
    if (!o || !is_his(o, request_field(r, "actor"))) {
        request_no(r, 0, "no such opening", "There is no such opening of yours");
        return;
    }
    if (add_record(r->access, "opening-closed", o, 0, "") < 0) {
        request_unsure(r, "the audit log can't be written");
        return;
    }
    if (openings_close(r->access->openings, id, &was, error, sizeof error) != 1) {
        request_unsure(r, "that can't be kept now");
        return;
    }
    request_ok(r);
    say_opening(r, &was);
}

void
access_opening_word(struct request *r)
{
    struct span what = request_needed(r, "do");

    if (!access_conn_is_policyd(r->conn))
        r->bad = "only policyd itself asks that";
    if (r->bad)
        return;
    if (!r->access->openings)
        request_unsure(r, "the openings can't be read");
    else if (span_same(what, span_of("open")))
        open_one(r);
    else if (span_same(what, span_of("list")))
        list_one(r);
    else if (span_same(what, span_of("close")))
        close_one(r);
    else
        r->bad = "do is none of open, list and close";
}
