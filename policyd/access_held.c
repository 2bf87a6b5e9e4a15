/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * access_held: the word held: what role held writes into the audit log before it releases or deletes a
 * message: the verdict, whose it is, and about what.
 *
 * Promises: "ok" is said when the record is on disk; of one that may have been written before (since: when, wall
 * clock) when it is there, once. Must not be asked by anybody but policyd itself.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "access_request.h"
#include "audit_seen.h"
#include "beat.h"
#include "held_id.h"

#define WRITTEN_MAX 256

/* The words a record of a held message may have. */
static const char *
action_of(struct span word)
{
    static const char *const actions[] = {"approve", "reject", "expire", "refused"};

    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        if (span_same(word, span_of(actions[i])))
            return actions[i];
    return NULL;
}

static void
put(struct span *d, char *buf, size_t cap, const char *key, struct span value)
{
    int n;

    if (value.n == 0)
        return;
    n = snprintf(buf + d->n, cap - d->n, "%s%s=%.*s", d->n > 0 ? " " : "", key,
                 (int)(value.n < 400 ? value.n : 400), value.p);
    if (n > 0)
        d->n = d->n + (size_t)n < cap ? d->n + (size_t)n : cap - 1;
}

/* --- once --- */

/* What was written last: who asked may be killed, and another one ask, before the first was heard. */
static struct {
    const char *action;
    char id[HELD_ID_MAX + 1];
} written[WRITTEN_MAX];
static size_t written_at;

static int
was_written(const char *action, struct span id)
{
    for (size_t i = 0; i < WRITTEN_MAX; i++)
        if (written[i].action == action && span_same(id, span_of(written[i].id)))
            return 1;
    return 0;
}

static void
note_written(const char *action, struct span id)
{
    if (id.n > HELD_ID_MAX)
        return;
    written[written_at].action = action;
    memcpy(written[written_at].id, id.p, id.n);
    written[written_at].id[id.n] = '\0';
    written_at = (written_at + 1) % WRITTEN_MAX;
}

/* Whether this very record is in the log: 1, 0, -1. */
static int
is_there(const struct request *r, const char *action, struct span id)
{
    struct span since = request_field(r, "since");
    char text[24], name[HELD_ID_MAX + 1], dir[1100];
    int rc;

    if (strcmp(action, "refused") == 0)
        return 0; /* there may be several */
    if (was_written(action, id))
        return 1;
    if (since.n == 0 || since.n >= sizeof text || id.n >= sizeof name)
        return 0;
    snprintf(text, sizeof text, "%.*s", (int)since.n, since.p);
    snprintf(name, sizeof name, "%.*s", (int)id.n, id.p);
    snprintf(dir, sizeof dir, "%s/audit", r->access->env->conf->state_dir);
    beat_step();
    rc = audit_seen(dir, action, name, atoll(text));
    beat_now();
    return rc;
}

void
access_held_word(struct request *r)
{
    const char *action = action_of(request_needed(r, "action"));
    struct span id = request_needed(r, "id"), number = request_field(r, "number");
    struct audit_record record = {.action = action,
                                  .actor = request_field(r, "actor"),
                                  .target = request_field(r, "target"),
                                  .service = span_of("moderation"),
                                  .reason = request_field(r, "reason"),
                                  .why = request_field(r, "why")};
    char detail[1400], digits[8];
    struct span d = {detail, 0};

    if (!access_conn_is_policyd(r->conn))
        r->bad = "only policyd itself asks that";
    else if (!action)
        r->bad = "no such action";
    if (r->bad)
        return;
    put(&d, detail, sizeof detail, "id", id);
    put(&d, detail, sizeof detail, "outcome", request_field(r, "outcome"));
    put(&d, detail, sizeof detail, "rule", request_field(r, "rule"));
    put(&d, detail, sizeof detail, "sender", request_field(r, "sender"));
    record.detail = d;
    snprintf(digits, sizeof digits, "%.*s", (int)(number.n < 4 ? number.n : 4),
             number.n > 0 ? number.p : "");
    record.rule = atoi(digits);
    if (is_there(r, action, id) > 0)
        request_ok(r);
    else if (access_log_add(r->access, &record) < 0)
        request_unsure(r, "the audit log can't be written");
    else {
        note_written(action, id);
        request_ok(r);
    }
}
