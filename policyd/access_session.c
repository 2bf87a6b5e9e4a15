/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * access_session: mailboxes that are open, as role access shows them.
 *
 * Promises: an administrator's session is in the audit log before it begins, and its
 * end as soon as it is seen; `postroad who` sees it in between. Owners' sessions are
 * neither recorded nor shown. Must not outlive the connection it came by.
 */
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "access.h"

static void
keep_field(const struct tabline *request, const char *key, char *out, size_t cap)
{
    struct span value;

    tabline_get(request, key, &value);
    span_keep(out, cap, value);
}

struct access_session *
access_session_new(struct access *a, const struct access_answer *answer,
                   const struct tabline *request, const char *reason)
{
    struct access_session *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->number = ++a->session_number;
    s->opened_ms = clock_wall_ms();
    s->mode = answer->mode;
    s->rule = answer->rule;
    s->why = answer->why;
    s->withheld = answer->withheld;
    span_keep(s->actor, sizeof s->actor, span_of(answer->actor));
    span_keep(s->target, sizeof s->target, span_of(answer->target));
    span_keep(s->reason, sizeof s->reason, span_of(reason));
    keep_field(request, "service", s->service, sizeof s->service);
    keep_field(request, "remote", s->remote, sizeof s->remote);
    keep_field(request, "session", s->id, sizeof s->id);
    if (s->mode == ACCESS_OWNER)
        return s;
    TAILQ_INSERT_TAIL(&a->sessions, s, link);
    board_set(a->board, BOARD_ACCESS_SESSIONS, ++a->nsessions);
    return s;
}

static void
write_end(struct access *a, const struct access_session *s)
{
    char detail[64];
    struct audit_record r = {.action = "close",
                             .actor = span_of(s->actor),
                             .target = span_of(s->target),
                             .service = span_of(s->service),
                             .remote = span_of(s->remote),
                             .session = span_of(s->id)};

    snprintf(detail, sizeof detail, "open for %lld s",
             (long long)(clock_wall_ms() - s->opened_ms) / 1000);
    r.detail = span_of(detail);
    if (access_log_add(a, &r) < 0)
        log_warning("the end of a session is not in the audit log actor=%s target=%s session=%s",
                    s->actor, s->target, s->id);
}

void
access_session_end(struct access *a, struct access_session **sp)
{
    struct access_session *s = *sp;

    if (!s)
        return;
    if (s->mode != ACCESS_OWNER) {
        write_end(a, s);
        TAILQ_REMOVE(&a->sessions, s, link);
        board_set(a->board, BOARD_ACCESS_SESSIONS, --a->nsessions);
    }
    free(s);
    *sp = NULL;
}

const struct access_session *
access_session_after(const struct access *a, uint64_t number)
{
    const struct access_session *s;

    TAILQ_FOREACH(s, &a->sessions, link)
    if (s->number > number)
        return s;
    return NULL;
}
