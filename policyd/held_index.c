/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_index: see held_index.h.
 *
 * A sorted array: new messages have the largest IDs, so they go to its end; the few others are moved in.
 */
#include "held_index.h"

#include <stdlib.h>
#include <string.h>

/* The first place whose ID is not less than id. */
static size_t
place(const struct held_index *x, const char *id)
{
    size_t low = 0, high = x->n;

    if (x->n > 0 && strcmp(x->at[x->n - 1]->id, id) < 0)
        return x->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (strcmp(x->at[mid]->id, id) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static int
make_room(struct held_index *x)
{
    size_t cap = x->cap ? 2 * x->cap : 256;
    struct held_item **more;

    if (x->n >= HELD_INDEX_MAX)
        return -1;
    if (x->n < x->cap)
        return 0;
    more = realloc(x->at, cap * sizeof *more);
    if (!more)
        return -1;
    x->at = more;
    x->cap = cap;
    return 0;
}

struct held_item *
held_index_add(struct held_index *x, const char *id)
{
    size_t i = place(x, id), n = strlen(id);
    struct held_item *item;

    if (i < x->n && strcmp(x->at[i]->id, id) == 0)
        return x->at[i];
    if (make_room(x) < 0 || !(item = calloc(1, sizeof *item + n + 1)))
        return NULL;
    memcpy(item->id, id, n + 1);
    memmove(x->at + i + 1, x->at + i, (x->n - i) * sizeof *x->at);
    x->at[i] = item;
    x->n++;
    return item;
}

struct held_item *
held_index_find(const struct held_index *x, const char *id)
{
    size_t i = place(x, id);

    return i < x->n && strcmp(x->at[i]->id, id) == 0 ? x->at[i] : NULL;
}

struct held_item *
held_index_meant(const struct held_index *x, struct span asked, size_t *many_r)
{
    struct held_item *found = NULL;

    *many_r = 0;
    for (size_t i = 0; i < x->n; i++) {
        struct span id = span_of(x->at[i]->id);

        if (!held_id_means(asked, id))
            continue;
        found = x->at[i];
        ++*many_r;
        if (asked.n == id.n) {
            *many_r = 1;
            return found;
        }
    }
    return *many_r == 1 ? found : NULL;
}

size_t
held_index_after(const struct held_index *x, const char *id)
{
    size_t i = place(x, id);

    return i < x->n && strcmp(x->at[i]->id, id) == 0 ? i + 1 : i;
}

void
held_index_remove(struct held_index *x, struct held_item *item)
{
    size_t i = place(x, item->id);

    if (i == x->n || x->at[i] != item)
        return;
    memmove(x->at + i, x->at + i + 1, (x->n - i - 1) * sizeof *x->at);
    x->n--;
    free(item);
}

void
held_index_free(struct held_index *x)
{
    for (size_t i = 0; i < x->n; i++)
        free(x->at[i]);
    free(x->at);
    *x = (struct held_index){NULL, 0, 0};
}

void
held_item_take(struct held_item *item, const struct held_record *r)
{
    item->time_ms = r->time_ms;
    item->expires_ms = r->expires_ms;
    item->decided_ms = r->decided_ms;
    item->state = (unsigned char)r->state;
    item->on_expire = (unsigned char)r->on_expire;
    item->shown = r->shown != 0;
    item->seen = r->seen != 0;
    item->audited = r->audited != 0;
    item->done = r->done != 0;
    item->published = r->published != 0;
    item->noticed = r->noticed != 0;
    item->end_noticed = r->end_noticed != 0;
}
