/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_verdict: a verdict, once it is known that its giver may give it, goes into the record. All else
 * follows from what is on disk then.
 */
#include <stdio.h>
#include <strings.h>

#include "held.h"
#include "plain_text.h"

#define REFINT \
    "cn=Referential Integrity Overlay" /* as slapd names it where it has changed an entry */
#define HIDDEN \
    "whom it is about was renamed just then, which hides whose it is: it can be given again"

static int
decide(struct held *h, struct held_item *item, int approve, struct span by, struct span reason,
       int from_directory)
{
    struct held_record *r = &h->record;

    if (item->state != HELD_HELD)
        return 0;
    if (held_load(h, item) < 0)
        return -1;
    r->state = approve ? HELD_APPROVED : HELD_REJECTED;
    r->decided_ms = held_wall_ms();
    r->shown = r->audited = r->done = 0;
    r->published |= from_directory; /* a process that was killed made its entry, perhaps */
    plain_text(r->by, sizeof r->by, by);
    plain_text(r->reason, sizeof r->reason, reason);
    if (held_save(h, item) < 0)
        return -1;
    log_notice("verdict about a held message taken verdict=%s id=%s rule=\"%s\" sender=<%s> "
               "by=\"%s\" reason=\"%s\"",
               approve ? "approve" : "reject", item->id, r->rule, r->sender, r->by, r->reason);
    item->tries = 0;
    item->due_ms = 0;
    held_soon(h);
    return 1;
}

int
held_decide(struct held *h, struct held_item *item, int approve, struct span by, struct span reason)
{
    return decide(h, item, approve, by, reason, 0);
}

void
held_verdict_refused(struct held *h, const char *verdict, const char *by)
{
    const struct rights *r = &h->refusal;
    unsigned skipped;

    if (r->verdict != RIGHTS_REFUSED)
        return; /* it came too late */
    board_add(&h->env->board, BOARD_HELD_REFUSED, 1);
    if (log_limit(&h->verdict_limit, 20, 60, &skipped))
        log_warning("verdict about a held message refused id=%s verdict=%s by=\"%s\" rule=%d "
                    "why=\"%s\" unlogged=%u",
                    h->record.id, verdict, by, r->rule, r->why, skipped);
    held_audit_refused(h, verdict, by, r);
}

/*
 * The directory was told what was done, and asks again: an entry from beyond a cut line came over it. It is
 * told once more; what was asked goes. 0; 1 it was not told yet.
 */
static int
tell_again(struct held *h, struct held_item *item)
{
    if (!item->shown || held_load(h, item) < 0)
        return 1;
    h->record.shown = 0;
    if (held_save(h, item) < 0)
        return 1;
    item->due_ms = 0;
    held_soon(h);
    return 0;
}

/*
 * A verdict that came after another one was carried out, and says the opposite: from beyond a cut line, or given
 * while the first was on its way. It is recorded, once; nothing else becomes of it.
 */
static void
say_late(struct held *h, struct held_item *item, const char *verdict, const char *by)
{
    int approve = strcasecmp(verdict, "approve") == 0;

    if (item->late || (item->state != HELD_APPROVED && item->state != HELD_REJECTED) ||
        approve == (item->state == HELD_APPROVED) || held_load(h, item) < 0)
        return;
    item->late = 1;
    h->refusal = (struct rights){.verdict = RIGHTS_REFUSED, .why = "the first verdict stands"};
    held_verdict_refused(h, verdict, by);
    h->refusal.verdict = RIGHTS_UNSURE;
}

/* The mirror has heard of all there was when the verdict was seen first, and whom it is about is known by that. */
static int
is_refused_for_sure(const struct held *h, const struct held_item *item)
{
    int64_t heard = held_mirror_heard(h);

    return item->first_ms <= heard && !(item->target_ms && item->target_ms <= heard);
}

int
held_verdict_heard(struct held *h, const char *id, const char *verdict, const char *by,
                   const char *reason)
{
    struct held_item *item = held_index_find(&h->index, id);
    int approve = strcasecmp(verdict, "approve") == 0;
    struct rights *r = &h->refusal;
    unsigned skipped;

    *r = (struct rights){.verdict = RIGHTS_UNSURE, .why = ""};
    if (!item)
        return 1;
    if (item->state != HELD_HELD) {
        say_late(h, item, verdict, by);
        return tell_again(h, item);
    }
    if (!item->heard_ms)
        item->first_ms = (int64_t)board_now_ms();
    item->heard_ms = (int64_t)board_now_ms();
    if (!item->seen || held_load(h, item) < 0)
        return -1;
    if (strcasecmp(by, REFINT) == 0) {
        *r = (struct rights){.verdict = RIGHTS_REFUSED, .why = HIDDEN};
        item->heard_ms = 0;
        return 0;
    }
    *r = (struct rights){.verdict = RIGHTS_REFUSED, .why = "it is neither approve nor reject"};
    if (approve || strcasecmp(verdict, "reject") == 0)
        held_may(h, span_of(by), r);
    if (r->verdict == RIGHTS_ALLOWED) {
        board_add(&h->env->board, BOARD_HELD_VERDICTS, 1);
        return decide(h, item, approve, span_of(by), span_of(reason), 1) < 0 ? -1 : 1;
    }
    if (r->verdict == RIGHTS_REFUSED && is_refused_for_sure(h, item)) {
        item->heard_ms = 0;
        return 0;
    }
    if (r->verdict == RIGHTS_REFUSED) /* slapd let it pass, and may know more than the mirror yet */
        return -1;
    if (log_limit(&h->verdict_limit, 20, 60, &skipped))
        log_warning("verdict about a held message waits, as it can't be told whether it may be "
                    "given id=%s by=\"%s\" why=\"%s\" unlogged=%u",
                    id, by, r->why, skipped);
    return -1;
}
