/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * moving: which accounts are on their way to another site, for status. Their mail
 * waits in the queue, so one that stays in this state was forgotten. Reads the
 * mirror's short list of them; never walks all accounts.
 */
#include "trouble.h"

struct moving {
    struct mirror *m;
    json_t *list;
    size_t max;
    uint64_t n;
};

static int
on_moving(void *ctx, const unsigned char uuid[UUID_LEN], const struct record *r)
{
    struct moving *w = ctx;
    char dn[MIRROR_DN_MAX];
    struct span mail;
    long n;

    if (w->n++ >= w->max)
        return 0;
    n = mirror_dn_of(w->m, uuid, dn, sizeof dn);
    json_array_append_new(
        w->list, json_pack("{s:o, s:s, s:o}", "dn",
                           n < 0 ? json_null() : control_text((struct span){dn, (size_t)n}), "kind",
                           record_kind_word(record_kind(r)), "mail",
                           record_find(r, TAG_MAIL, &mail) ? control_text(mail) : json_null()));
    return 0;
}

static int
count(void *ctx, const unsigned char uuid[UUID_LEN], const struct record *r)
{
    (void)uuid;
    (void)r;
    ++*(uint64_t *)ctx;
    return 0;
}

uint64_t
moving_count(struct mirror *m)
{
    uint64_t n = 0;

    mirror_each_moving(m, count, &n);
    return n;
}

json_t *
moving_json(struct mirror *m, size_t max)
{
    struct moving w = {m, json_array(), max, 0};

    mirror_each_moving(m, on_moving, &w);
    return json_pack("{s:I, s:o}", "count", (json_int_t)w.n, "list", w.list);
}
