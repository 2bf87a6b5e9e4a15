/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_rights: what role held asks the mirror: whether somebody may decide about a message, which entry
 * that depends on, and whether its sender is one of ours.
 *
 * Promises: three results; what can't be read is "can't tell". Must not decide by itself who may what.
 */
#include <stdio.h>
#include <string.h>

#include "held.h"
#include "vitals.h"

/* The mirror, until held_mirror_done; NULL: it can't be read, and nothing is to be done. */
static struct mirror *
mirror_begin_read(struct held *h)
{
    const char *why;
    int readable = maps_begin(h->maps) == 0;
    struct mirror *m = readable ? maps_mirror(h->maps, &why) : NULL;

    if (!m)
        maps_end(h->maps);
    return m;
}

/* Time since the directory confirmed the mirror; -1: it was never filled. */
static int64_t
mirror_age(struct held *h, struct mirror *m)
{
    struct moment now = {.mono_ms = (int64_t)board_now_ms(), .wall_ms = held_wall_ms()};
    int64_t at = vitals_confirmed_ms(&h->env->board, &now), age;
    struct mirror_info info;

    if (mirror_info(m, &info) < 0 || !info.complete)
        return -1;
    h->confirmed_ms = at > h->confirmed_ms ? at : h->confirmed_ms;
    at = h->confirmed_ms;
    at = (int64_t)info.refreshed_ms > at ? (int64_t)info.refreshed_ms : at;
    at = (int64_t)info.updated_ms > at ? (int64_t)info.updated_ms : at;
    age = now.wall_ms - at;
    return age > 0 ? age : 0;
}

enum rights_verdict
held_may(struct held *h, struct span actor, struct rights *r)
{
    struct rights_question q = {
        .actor = actor, .target = span_of(h->record.target), .action = span_of("approve")};
    struct mirror *m;

    *r = (struct rights){.verdict = RIGHTS_UNSURE, .rule = 0, .why = "the mirror can't be read"};
    if (q.target.n == 0) {
        *r = (struct rights){.verdict = RIGHTS_REFUSED, .rule = 0, .why = "it has no target"};
        return r->verdict;
    }
    m = mirror_begin_read(h);
    if (!m)
        return r->verdict;
    rights_ask(h->env->conf, m, mirror_age(h, m), &q, h->work);
    *r = h->work->rights;
    maps_end(h->maps);
    return r->verdict;
}

/* Find a name: 1, 0, -1; the entry is in h->work->target. The mirror stays open unless -1. */
static int
find(struct held *h, const char *name)
{
    struct rights_places places;
    const char *why;
    struct mirror *m = mirror_begin_read(h);

    if (!m)
        return -1;
    if (mirror_age(h, m) < 0 || rights_places_open(&places, h->env->conf, m, &why) < 0) {
        maps_end(h->maps);
        return -1;
    }
    rights_find(&places, span_of(name), 0, &h->work->target);
    if (h->work->target.found < 0 || mirror_failed(m)) {
        maps_end(h->maps);
        return -1;
    }
    return h->work->target.found;
}

int
held_target_dn(struct held *h, char out[MIRROR_DN_MAX])
{
    struct span dn;
    int found;

    *out = '\0';
    if (!*h->record.target)
        return 0;
    found = find(h, h->record.target);
    if (found < 0)
        return -1;
    dn = h->work->target.dn;
    if (found && dn.n < MIRROR_DN_MAX) {
        memcpy(out, dn.p, dn.n);
        out[dn.n] = '\0';
    }
    maps_end(h->maps);
    return found && *out;
}

int
held_sender_inside(struct held *h)
{
    int inside;

    /* From outside, the address may be anybody's: the account it names has not sent it. */
    if (!*h->record.sender || strcmp(h->record.direction, "inbound") == 0)
        return 0;
    inside = find(h, h->record.sender);
    if (inside < 0)
        return -1;
    inside = inside && record_kind(&h->work->target.record) == KIND_ACCOUNT;
    maps_end(h->maps);
    return inside;
}

void
held_address_of(struct held *h, const char *name, char out[1025])
{
    enum record_tag tag;
    struct span value;
    size_t pos = 0;
    int found;

    snprintf(out, 1025, "%s", name);
    found = strchr(name, '=') ? find(h, name) : -1;
    if (found < 0)
        return;
    while (found && record_next(&h->work->target.record, &pos, &tag, &value)) {
        if (tag != TAG_MAIL)
            continue;
        snprintf(out, 1025, "%.*s", (int)value.n, value.p);
        break;
    }
    maps_end(h->maps);
}
