/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_audit: a verdict into the audit log, by role access, which writes it: one line of
 * postroad-access(5). Nothing is carried out before role access has said that it is on disk. Who does not know
 * whether it is there, as a process before this one may have asked, has it looked for first.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "access_client.h"
#include "held.h"

#define SLACK_MS 600000 /* of clocks */

struct asked {
    struct held *held;
    struct held_item *item; /* it is busy, so it stays */
};

static void
on_answer(void *ctx, const struct tabline *answer)
{
    struct asked q = *(struct asked *)ctx;
    struct held *h = q.held;
    unsigned skipped;
    int ok = answer && span_same(answer->word, span_of("ok"));

    free(ctx);
    if (ok && held_load(h, q.item) == 0) {
        h->record.audited = 1;
        held_settled(h, q.item, held_save(h, q.item) < 0);
        return;
    }
    q.item->doubtful = 1;
    if (!ok && log_limit(&h->audit_limit, 1, 60, &skipped))
        log_error("verdict about a held message is not in the audit log, so it waits id=%s "
                  "unlogged=%u",
                  q.item->id, skipped);
    held_settled(h, q.item, 1);
}

static const char *
action_of(const struct held_record *r)
{
    return r->state == HELD_APPROVED ? "approve" : r->state == HELD_REJECTED ? "reject" : "expire";
}

int
held_audit(struct held *h, struct held_item *item)
{
    const struct held_record *r = &h->record;
    struct asked *q = malloc(sizeof *q);
    char line[TABLINE_MAX], actor[1025], since[24];
    struct tabline_out o;
    size_t n;

    if (!q)
        return -1;
    *q = (struct asked){h, item};
    tabline_begin(&o, line, sizeof line, "held");
    tabline_add(&o, "action", span_of(action_of(r)));
    tabline_add(&o, "id", span_of(r->id));
    held_address_of(h, r->by, actor);
    tabline_add_some(&o, "actor", span_of(actor));
    tabline_add_some(&o, "target", span_of(r->target));
    tabline_add_some(&o, "sender", span_of(r->sender));
    tabline_add_some(&o, "rule", span_of(r->rule));
    tabline_add_some(&o, "reason", span_of(r->reason));
    snprintf(since, sizeof since, "%lld", (long long)r->decided_ms - SLACK_MS);
    if (item->doubtful)
        tabline_add(&o, "since", span_of(since));
    if (r->state == HELD_EXPIRED)
        tabline_add(&o, "outcome", span_of(held_on_expire_word(r->on_expire)));
    n = tabline_end(&o);
    if (n > 0 && access_client_ask(h->access, line, n, on_answer, q))
        return 0;
    free(q);
    return -1;
}

static void
nobody(void *ctx, const struct tabline *answer)
{
    (void)ctx;
    (void)answer;
}

void
held_audit_refused(struct held *h, const char *verdict, const char *by, const struct rights *rights)
{
    const struct held_record *r = &h->record;
    char line[TABLINE_MAX], rule[16], actor[1025];
    struct tabline_out o;

    snprintf(rule, sizeof rule, "%d", rights->rule);
    tabline_begin(&o, line, sizeof line, "held");
    tabline_add(&o, "action", span_of("refused"));
    tabline_add(&o, "id", span_of(r->id));
    held_address_of(h, by, actor);
    tabline_add_some(&o, "actor", span_of(actor));
    tabline_add_some(&o, "target", span_of(r->target));
    tabline_add_some(&o, "sender", span_of(r->sender));
    tabline_add_some(&o, "outcome", span_of(verdict));
    tabline_add(&o, "number", span_of(rule));
    tabline_add_some(&o, "why", span_of(rights->why));
    access_client_ask(h->access, line, tabline_end(&o), nobody, NULL);
}
