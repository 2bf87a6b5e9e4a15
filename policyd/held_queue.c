/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_queue: role held asks whether Postfix holds a message, and to release or delete it.
 *
 * Promises: what is not known for sure is "unsure". There is nobody to ask yet: all messages stay where
 * they are.
 */
#include "held.h"

int
held_queue_open(struct held *h, int fd)
{
    (void)fd;
    h->queue = NULL;
    return 0;
}

void
held_queue_close(struct held *h)
{
    h->queue = NULL;
}

int
held_queue_look(struct held *h, struct held_item *item)
{
    unsigned skipped;

    if (log_limit(&h->queue_limit, 1, 60, &skipped))
        log_warning("Postfix's queue can't be asked about held messages, they stay where they are "
                    "id=%s why=\"there is no role queue\" unlogged=%u",
                    item->id, skipped);
    return -1;
}

int
held_queue_order(struct held *h, struct held_item *item, int release)
{
    (void)release;
    return held_queue_look(h, item);
}
