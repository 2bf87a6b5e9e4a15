/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usage_seen: which records were read already, whatever files they are in.
 *
 * Promises: memory for gaps only, not for records, as long as each file is read in its
 * order; any order gives the same result.
 */
#include <stdlib.h>
#include <string.h>

#include "usage.h"

static struct usage_log *
log_of(struct usage_seen *s, const char *log)
{
    void *more;

    for (size_t i = s->n; i-- > 0;)
        if (strcmp(s->log[i].log, log) == 0)
            return &s->log[i];
    more = realloc(s->log, (s->n + 1) * sizeof *s->log);
    if (!more)
        return NULL;
    s->log = more;
    s->log[s->n] = (struct usage_log){.n = 0};
    memcpy(s->log[s->n].log, log, ACCOUNTING_LOG);
    return &s->log[s->n++];
}

/* The first range that ends at seq - 1 or behind it. */
static size_t
place_of(const struct usage_log *l, uint64_t seq)
{
    size_t low = 0, high = l->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (l->range[middle].last + 1 < seq)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int
insert(struct usage_log *l, size_t at, uint64_t seq)
{
    if (l->n == l->room) {
        size_t room = l->room ? 2 * l->room : 16;
        void *more = realloc(l->range, room * sizeof *l->range);

        if (!more)
            return -1;
        l->range = more;
        l->room = room;
    }
    memmove(l->range + at + 1, l->range + at, (l->n - at) * sizeof *l->range);
    l->range[at] = (struct usage_range){seq, seq};
    l->n++;
    return 1;
}

int
usage_seen_add(struct usage_seen *s, const char *log, uint64_t seq)
{
    struct usage_log *l = log_of(s, log);
    struct usage_range *r;
    size_t at;

    if (!l)
        return -1;
    at = place_of(l, seq);
    r = l->range + at;
    if (at < l->n && seq >= r->first && seq <= r->last)
        return 0;
    if (at < l->n && seq == r->last + 1) {
        r->last = seq;
        if (at + 1 < l->n && r[1].first == seq + 1) {
            r->last = r[1].last;
            memmove(r + 1, r + 2, (l->n - at - 2) * sizeof *r);
            l->n--;
        }
        return 1;
    }
    if (at < l->n && seq + 1 == r->first) {
        r->first = seq;
        return 1;
    }
    return insert(l, at, seq);
}

json_t *
usage_seen_gaps(const struct usage_seen *s)
{
    json_t *gaps = json_array();

    for (size_t i = 0; i < s->n; i++) {
        const struct usage_log *l = &s->log[i];

        for (size_t k = 1; k < l->n; k++)
            json_array_append_new(gaps, json_pack("{s:s, s:I, s:I}", "log", l->log, "first",
                                                  (json_int_t)l->range[k - 1].last + 1, "last",
                                                  (json_int_t)l->range[k].first - 1));
    }
    return gaps;
}

void
usage_seen_free(struct usage_seen *s)
{
    for (size_t i = 0; i < s->n; i++)
        free(s->log[i].range);
    free(s->log);
    *s = (struct usage_seen){NULL, 0};
}
