/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_tell: whether the sender of a held message is told of it now, with others, or later; see held_limit.h.
 *
 * Promises: the flag goes to disk before the notice goes out, so a notice is rather lost than sent twice.
 * Counts begin anew with what the records say. Must not say what was told already.
 */
#include "held.h"

#define AGAIN_MS 60000

static int
mark(struct held *h, struct held_item *item, int end, int told)
{
    if (end)
        h->record.end_noticed = told;
    else
        h->record.noticed = told;
    return held_save(h, item);
}

int
held_tell(struct held *h, struct held_item *item, int end)
{
    unsigned char *gathered = end ? &item->end_gathered : &item->gathered;
    struct span sender = span_of(h->record.sender);
    enum held_say say;
    unsigned more;
    int64_t due;

    if (!held_mail_room(h))
        return -1;
    say = held_limit_ask(h->limit, sender, end, gathered, h->clock.at_ms, &more, &due);
    if (say == HELD_SAY_LATER) {
        item->later_ms[end] = (int64_t)board_now_ms() + (due - h->clock.at_ms);
        return 0;
    }
    more = say == HELD_SAY_SUM ? more : 0;
    if (mark(h, item, end, 1) < 0) {
        if (say != HELD_SAY_SAID)
            held_limit_unsaid(h->limit, sender, end, more, gathered, h->clock.at_ms);
        return -1;
    }
    if (say != HELD_SAY_SAID && held_mail_send(h, end, more) < 0)
        held_untold(h, item->id, end, more);
    return 0;
}

void
held_untold(struct held *h, const char *id, int end, unsigned more)
{
    struct held_item *item = held_index_find(&h->index, id);

    if (!item || held_load(h, item) < 0 || mark(h, item, end, 0) < 0)
        return;
    held_limit_unsaid(h->limit, span_of(h->record.sender), end, more,
                      end ? &item->end_gathered : &item->gathered, h->clock.at_ms);
    item->later_ms[end] = (int64_t)board_now_ms() + AGAIN_MS;
}

void
held_told(struct held *h)
{
    const struct held_record *r = &h->record;
    struct span sender = span_of(r->sender);

    if (r->noticed)
        held_limit_seen(h->limit, sender, 0, r->time_ms, h->clock.at_ms);
    if (r->end_noticed)
        held_limit_seen(h->limit, sender, 1, r->decided_ms, h->clock.at_ms);
}
