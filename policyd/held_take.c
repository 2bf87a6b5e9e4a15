/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_take: records that postroad-milter has put down in STATE/held/new become role held's own, as files that
 * the milter's user can't reach.
 *
 * Promises: the milter is believed nothing but what it alone knows: what the message is. Copied, not moved: it
 * may have the file open. How long it is held, and what then, is never laxer than this configuration says;
 * nothing is taken over that says something role held alone may say; a message that is held already
 * is not held a second time, by other words. What is refused stays on hold in Postfix.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "beat.h"
#include "held.h"
#include "hold_rule.h"
#include "milter_user.h"

#define REFUSED  "refused" /* the last one, for whoever wants to look */
#define SLACK_MS 60000     /* so far its time may be ahead of the file's */

static uid_t theirs[2]; /* the milter's, and our own */

void
held_take_setup(const struct conf *conf)
{
    theirs[0] = theirs[1] = (uid_t)-1;
    milter_user_uid(conf, &theirs[0]);
}

/* --- what is believed --- */

/* NULL, or what is wrong. */
static const char *
wrong(const struct held *h, const struct held_record *r, int64_t changed_ms)
{
    char id[HELD_ID_MAX + 1];

    if (strcmp(r->site, h->env->conf->site) != 0)
        return "it is another site's";
    if (held_id_write(id, r->site, r->time_ms, r->queue) < 0 || strcmp(id, r->id) != 0)
        return "its ID is not that of its queue id and time";
    if (r->time_ms > changed_ms + SLACK_MS)
        return "its time is ahead";
    if (r->state != HELD_HELD || *r->by || *r->reason || r->decided_ms || r->seen || r->audited ||
        r->done || r->published || r->shown || r->noticed || r->end_noticed || *r->target_uuid)
        return "it says what became of it";
    return NULL;
}

/* Of the rule it names, in this configuration: 1, or 0: there is none, it may be of another day. */
static int
find_rule(const struct conf *conf, const char *name, struct hold_rule *rule)
{
    char error[256];

    for (size_t i = 0; i < conf->milter.moderate.n; i++)
        if (hold_rule_parse(rule, conf->milter.moderate.v[i], error, sizeof error) == 0 &&
            strcmp(rule->name, name) == 0)
            return 1;
    return 0;
}

static void
set_end(const struct held *h, struct held_record *r)
{
    const struct conf *conf = h->env->conf;
    int64_t wait_s = hold_duration(span_of(conf->milter.moderate_expire));
    int64_t latest = r->time_ms + 1000 * HOLD_EXPIRE_S;
    struct hold_rule rule;
    int found = find_rule(conf, r->rule, &rule);

    if (found && rule.expire_s > 0)
        wait_s = rule.expire_s;
    if (r->expires_ms < r->time_ms + 1000 * wait_s)
        r->expires_ms = r->time_ms + 1000 * wait_s;
    if (r->expires_ms > latest)
        r->expires_ms = latest;
    if (r->on_expire == HELD_EXPIRE_APPROVE && !(found && rule.on_expire == HELD_EXPIRE_APPROVE))
        r->on_expire = HELD_EXPIRE_KEEP;
}

/* Whether a message of that queue id is held that is not done with: another record would be another end. */
static int
is_held_already(const struct held *h, const struct held_record *r)
{
    for (size_t i = 0; i < h->index.n; i++) {
        const struct held_item *item = h->index.at[i];

        if (!item->done && item->state != HELD_GONE && item->state != HELD_FAILED &&
            strcmp(item->id, r->id) != 0 &&
            span_same(held_id_queue(span_of(item->id)), span_of(r->queue)))
            return 1;
    }
    return 0;
}

/* --- one file --- */

static void
complain(struct held *h, const char *id, const char *why)
{
    unsigned skipped;

    board_add(&h->env->board, BOARD_HELD_ERRORS, 1);
    if (log_limit(&h->take_limit, 5, 60, &skipped))
        log_error("record from postroad-milter is refused, the message stays where it is id=%s "
                  "why=\"%s\" unlogged=%u",
                  id, why, skipped);
}

static void
refuse(struct held *h, const char *id, const char *why)
{
    char name[HELD_ID_MAX + 6];

    complain(h, id, why);
    snprintf(name, sizeof name, "%s.json", id);
    renameat(h->drop, name, h->drop, REFUSED);
}

/* 1: it is in our folder, on disk; 0 not yet, or never. */
static int
take_over(struct held *h, const char *id)
{
    struct held_record *r = &h->record;
    char error[HELD_ERROR];
    int64_t changed_ms;
    const char *why;
    int rc = held_record_peek(h->drop, id, theirs, r, &changed_ms, error, sizeof error);

    if (rc == -1)
        refuse(h, id, error);
    if (rc == -2)
        complain(h, id,
                 "it is none of milter.user's; restart postroad-policyd, which may know another");
    if (rc <= 0)
        return 0;
    if ((why = wrong(h, r, changed_ms))) {
        refuse(h, id, why);
        return 0;
    }
    if (!h->whole || is_held_already(h, r))
        return 0; /* until it can be told; until that is over */
    set_end(h, r);
    rc = held_record_read(h->folder, id, r, error, sizeof error);
    if (rc == 0)
        rc = held_record_create(h->folder, r, error, sizeof error) == 0 ? 1 : -1;
    if (rc < 0)
        complain(h, id, error);
    return rc == 1;
}

int
held_take(struct held *h, const char *id)
{
    char error[HELD_ERROR];

    beat_step();
    if (!take_over(h, id))
        return 0;
    if (held_record_remove(h->drop, id, error, sizeof error) < 0)
        complain(h, id, error);
    beat_now();
    return 1;
}

/* --- all of them --- */

#define TAKE_MS  2000 /* so long at a time: verdicts wait meanwhile */
#define GO_ON_MS 1000

struct taking {
    struct held *h;
    int64_t until_ms;
    unsigned n;
};

static int
each(void *ctx, const char *id)
{
    struct taking *t = ctx;

    t->n += (unsigned)held_take(t->h, id);
    return beat_now() >= t->until_ms;
}

unsigned
held_take_all(struct held *h, int64_t before_s)
{
    struct taking t = {h, beat_now() + TAKE_MS, 0};
    char error[HELD_ERROR];
    int rc;

    held_record_tidy(h->drop, before_s);
    rc = held_record_each(h->drop, each, &t, error, sizeof error);
    if (rc < 0)
        complain(h, HELD_NEW, error);
    if (rc > 0)
        h->scan_ms = beat_now() + GO_ON_MS;
    return t.n;
}

int
held_take_open(struct held *h, char *error, size_t error_n)
{
    theirs[1] = geteuid();
    h->drop = held_drop(h->folder, error, error_n);
    return h->drop < 0 ? -1 : 0;
}
