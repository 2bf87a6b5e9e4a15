/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * access_quota: a quota that an administrator sets in a subordinate's session, from the
 * request to the directory's answer, which comes later.
 *
 * Promises: it is in the audit log before the directory is asked, and when it was not
 * done, that is too; the client has one answer, in order: what it asks meanwhile waits
 * (access_conn.c). Must not decide: the rights were looked at before, and the directory
 * has the last word.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "access.h"
#include "edit_ask.h"

#define MOST 1000000000000000000u /* bytes, an exabyte; more is nobody's quota */

int
access_quota_parse(struct span text, uint64_t *bytes_r)
{
    uint64_t n = 0;

    if (text.n == 0)
        return -1;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return -1;
        n = n < MOST ? n * 10 + (uint64_t)(text.p[i] - '0') : n;
    }
    *bytes_r = n;
    return n < MOST ? 0 : 1;
}

static int
add_record(struct access_conn *c, const char *action, const char *detail)
{
    const struct access_session *s = c->session;
    struct audit_record record = {.action = action,
                                  .actor = span_of(s->actor),
                                  .target = span_of(s->target),
                                  .service = span_of(s->service),
                                  .remote = span_of(s->remote),
                                  .session = span_of(s->id),
                                  .detail = span_of(detail),
                                  .why = span_of(s->why),
                                  .reason = span_of(s->reason),
                                  .rule = s->rule};

    return access_log_add(c->access, &record);
}

static size_t
answer_line(enum edit_verdict verdict, const char *text, char *out)
{
    struct tabline_out o;

    tabline_begin(&o, out, TABLINE_MAX,
                  verdict == EDIT_DONE ? "ok"
                  : verdict == EDIT_NO ? "no"
                                       : "unsure");
    if (verdict == EDIT_NO) {
        tabline_add(&o, "rule", span_of("0"));
        tabline_add(&o, "why", span_of("the directory refused it"));
        tabline_add_some(&o, "text", span_of(text));
    } else if (verdict == EDIT_UNSURE) {
        tabline_add_some(&o, "why", span_of(text));
    }
    return tabline_end(&o);
}

static void
on_edited(void *ctx, enum edit_verdict verdict, const char *text)
{
    struct access_conn *c = ctx;
    char out[TABLINE_MAX];

    board_add(c->access->board, ACCESS_COUNTER(WORD_QUOTA, verdict), 1);
    if (verdict != EDIT_DONE)
        add_record(c, verdict == EDIT_NO ? "quota-refused" : "quota-unsure", text);
    access_conn_resume(c, out, answer_line(verdict, text, out));
}

int
access_quota_ask(struct access_conn *c, struct span actor_dn, struct span target_dn, uint64_t bytes,
                 const char **why_r)
{
    char detail[48];

    if (!edit_ask_works(c->access->edit)) {
        *why_r = "no edit.bind_dn is configured, so quotas are not changed this way";
        return 0;
    }
    snprintf(detail, sizeof detail, "bytes=%" PRIu64, bytes);
    if (add_record(c, "quota", detail) < 0) {
        *why_r = "the audit log can't be written";
        return -1;
    }
    c->edit_number = edit_ask_quota(c->access->edit, actor_dn, target_dn, bytes, on_edited, c);
    if (c->edit_number)
        return 1;
    add_record(c, "quota-unsure", "the directory can't be changed at the moment");
    *why_r = "the directory can't be changed at the moment";
    return -1;
}
