/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * send_list: who may write to a list, by the words of postroadSender: anyone, domain,
 * department, members, or addresses. A list without any takes mail from anyone; its
 * owners may always write.
 *
 * Promises: bounded work, whatever lists hold one another; a word that nobody knows
 * lets nobody in. Must not: believe the sender's address of somebody who has not
 * logged in, when it is one of ours.
 */
#include "send.h"
#include "serve.h"

#define NEST_MAX   16
#define VISITS_MAX 100000

struct asking {
    struct worker *w;
    struct mirror *m;
    const unsigned char *uuid; /* of who asks */
    unsigned visits;
};

static enum guard_known
better(enum guard_known a, enum guard_known b)
{
    return a == GUARD_YES || b == GUARD_YES         ? GUARD_YES
           : a == GUARD_UNSURE || b == GUARD_UNSURE ? GUARD_UNSURE
                                                    : GUARD_NO;
}

static enum guard_known is_member(struct asking *a, const struct record *list, int depth);

/* The entry is who asks, or a list with him in it. */
static enum guard_known
leads_to(struct asking *a, const unsigned char uuid[UUID_LEN], int depth)
{
    struct record r;
    int found;

    if (memcmp(uuid, a->uuid, UUID_LEN) == 0)
        return GUARD_YES;
    found = mirror_entry(a->m, uuid, &r);
    if (found < 0)
        return GUARD_UNSURE;
    if (found == 0 || record_kind(&r) != KIND_LIST)
        return GUARD_NO;
    return depth < NEST_MAX ? is_member(a, &r, depth + 1) : GUARD_NO;
}

static enum guard_known
member_leads_to(struct asking *a, enum record_tag tag, struct span v, int depth)
{
    unsigned char uuid[UUID_LEN];
    int found;

    if (++a->visits > VISITS_MAX)
        return GUARD_UNSURE;
    found = tag == TAG_MEMBER_DN ? mirror_by_dn(a->m, v, uuid) : send_owner(a->w, v, uuid);
    if (found <= 0)
        return found < 0 ? GUARD_UNSURE : GUARD_NO;
    return leads_to(a, uuid, depth);
}

static enum guard_known
is_member(struct asking *a, const struct record *list, int depth)
{
    enum guard_known so_far = GUARD_NO;
    enum record_tag tag;
    struct span v;
    size_t pos = 0;

    while (so_far != GUARD_YES && a->visits <= VISITS_MAX && record_next(list, &pos, &tag, &v))
        if (tag == TAG_MEMBER || tag == TAG_MEMBER_DN)
            so_far = better(so_far, member_leads_to(a, tag, v, depth));
    return so_far;
}

/* The department the list is in, or the domain, is above who asks. */
static enum guard_known
shares_parent(const struct send_entry *list, const struct send_entry *who)
{
    for (unsigned i = 0; list->nabove > 0 && i < who->nabove; i++)
        if (who->above[i] == list->above[0])
            return GUARD_YES;
    return GUARD_NO;
}

static enum guard_known
has_address(struct worker *w, const struct send_entry *who, struct span address)
{
    enum record_tag tag;
    struct record r;
    struct addr a;
    struct span v;
    size_t pos = 0;

    if (addr_parse(&a, address.p, address.n, "") != 1)
        return GUARD_NO;
    if (send_record(w, who, &r) < 0)
        return GUARD_UNSURE;
    while (record_next(&r, &pos, &tag, &v))
        if ((tag == TAG_MAIL || tag == TAG_ALIAS) && span_same(v, (struct span){a.text, a.len}))
            return GUARD_YES;
    return GUARD_NO;
}

static int
same_address(struct span x, struct span y)
{
    struct addr a, b;

    return addr_parse(&a, x.p, x.n, "") == 1 && addr_parse(&b, y.p, y.n, "") == 1 &&
           a.len == b.len && memcmp(a.text, b.text, a.len) == 0;
}

/* One value, for somebody who is logged in. */
static enum guard_known
by_word(struct asking *a, const struct send_entry *list, const struct send_entry *who,
        struct span word)
{
    if (span_same(word, span_of("domain")))
        return *list->domain && strcmp(list->domain, who->domain) == 0 ? GUARD_YES : GUARD_NO;
    if (span_same(word, span_of("department")))
        return shares_parent(list, who);
    if (span_same(word, span_of("members")))
        return is_member(a, &list->record, 0);
    return has_address(a->w, who, word);
}

/* And for anybody else: his address counts when it can't be one of ours. */
static enum guard_known
by_sender(struct worker *w, struct span word, struct span sender)
{
    struct send_entry e;

    if (sender.n == 0 || !same_address(word, sender))
        return GUARD_NO;
    send_find(w, sender, 0, &e);
    return e.ours < 0 ? GUARD_UNSURE : e.ours ? GUARD_NO : GUARD_YES;
}

static int
is_owner(struct asking *a, struct span dn)
{
    unsigned char uuid[UUID_LEN];

    return mirror_by_dn(a->m, dn, uuid) == 1 && memcmp(uuid, a->uuid, UUID_LEN) == 0;
}

enum guard_known
send_may_write(struct worker *w, const struct send_entry *list, const struct send_entry *who,
               struct span sender)
{
    enum guard_known so_far = GUARD_NO;
    const char *why;
    struct asking a = {w, maps_mirror(w->maps, &why), who ? who->uuid : NULL, 0};
    enum record_tag tag;
    struct span v;
    size_t pos = 0;
    int any = 0;

    if (!a.m)
        return GUARD_UNSURE;
    while (so_far != GUARD_YES && record_next(&list->record, &pos, &tag, &v)) {
        if (tag == TAG_OWNER_DN && who && is_owner(&a, v))
            return GUARD_YES;
        if (tag != TAG_SENDER)
            continue;
        any = 1;
        if (span_same(v, span_of("anyone")))
            return GUARD_YES;
        so_far = better(so_far, who ? by_word(&a, list, who, v) : by_sender(w, v, sender));
    }
    return any ? so_far : GUARD_YES;
}
