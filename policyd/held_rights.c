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
#include "uuid.h"
#include "vitals.h"

#define MIRROR_LAG_MS 2000 /* between a change of the directory and the mirror */

static int64_t
mirror_age(struct held *h, struct mirror *m)
{
    struct moment now = {.mono_ms = (int64_t)board_now_ms(), .wall_ms = held_wall_ms()};

    return vitals_mirror_age(&h->env->board, m, &now, &h->confirmed_ms);
}

/*
 * A name for whom h->record is about that rights_find knows: his DN of today, wherever he was moved and
 * whatever he was renamed to; his address when only that was ever known. 1, 0 he is gone, -1 can't tell.
 */
static int
target_name(struct held *h, struct mirror *m, char dn[MIRROR_DN_MAX], struct span *name_r)
{
    unsigned char uuid[UUID_LEN];
    struct record record;
    int found;
    long n;

    *name_r = span_of(h->record.target);
    if (uuid_parse(span_of(h->record.target_uuid), uuid) < 0)
        return 1;
    found = mirror_entry(m, uuid, &record);
    if (found <= 0)
        return found;
    n = mirror_dn_of(m, uuid, dn, MIRROR_DN_MAX);
    *name_r = (struct span){dn, n > 0 ? (size_t)n : 0};
    return n > 0 ? 1 : -1;
}

/* Between maps_read and maps_end. */
static struct rights
judge(struct held *h, struct mirror *m, struct span actor)
{
    struct rights_question q = {.actor = actor, .action = span_of("approve")};
    int64_t age = mirror_age(h, m);
    char dn[MIRROR_DN_MAX];
    int found = age < 0 ? -1 : target_name(h, m, dn, &q.target);

    if (found < 0 || (found == 0 && mirror_failed(m)))
        return (struct rights){.verdict = RIGHTS_UNSURE, .why = "the mirror can't be read"};
    if (found == 0)
        return (struct rights){.verdict = RIGHTS_REFUSED, .why = "its target is gone"};
    rights_ask(h->env->conf, m, age, &q, h->work);
    return h->work->rights;
}

enum rights_verdict
held_may(struct held *h, struct span actor, struct rights *r)
{
    const char *why;
    struct mirror *m;

    *r = (struct rights){.verdict = RIGHTS_UNSURE, .rule = 0, .why = "the mirror can't be read"};
    if (!*h->record.target) {
        *r = (struct rights){.verdict = RIGHTS_REFUSED, .rule = 0, .why = "it has no target"};
        return r->verdict;
    }
    m = maps_read(h->maps, &why);
    if (!m)
        return r->verdict;
    *r = judge(h, m, actor);
    maps_end(h->maps);
    return r->verdict;
}

int64_t
held_mirror_heard(const struct held *h)
{
    struct moment now = {.mono_ms = (int64_t)board_now_ms(), .wall_ms = held_wall_ms()};
    int64_t at = vitals_confirmed_ms(&h->env->board, &now);
    int64_t heard = now.mono_ms - (now.wall_ms - at) - MIRROR_LAG_MS;

    return at > 0 && heard > 0 ? heard : 0;
}

/* Find a name, or h->record's target: 1, 0, -1; the entry is in h->work->target. The mirror stays open
 * unless -1. */
static int
find(struct held *h, const char *name)
{
    char dn[MIRROR_DN_MAX];
    struct span wanted = span_of(name ? name : "");
    int found = 1;
    struct rights_places places;
    const char *why;
    struct mirror *m = maps_read(h->maps, &why);

    if (!m)
        return -1;
    if (mirror_age(h, m) < 0 || rights_places_open(&places, h->env->conf, m, &why) < 0) {
        maps_end(h->maps);
        return -1;
    }
    if (!name)
        found = target_name(h, m, dn, &wanted);
    if (found > 0) {
        rights_find(&places, wanted, 0, &h->work->target);
        found = h->work->target.found;
    }
    if (found < 0 || mirror_failed(m)) {
        maps_end(h->maps);
        return -1;
    }
    return found;
}

int
held_target_dn(struct held *h, char out[MIRROR_DN_MAX])
{
    struct span dn;
    int found;

    *out = '\0';
    if (!*h->record.target)
        return 0;
    found = find(h, NULL);
    if (found < 0)
        return -1;
    dn = h->work->target.dn;
    if (found && !*h->record.target_uuid)
        uuid_text(h->work->target.uuid, h->record.target_uuid);
    if (found && dn.n < MIRROR_DN_MAX) {
        memcpy(out, dn.p, dn.n);
        out[dn.n] = '\0';
    }
    maps_end(h->maps);
    return found && *out;
}

void
held_know_target(struct held *h)
{
    char dn[MIRROR_DN_MAX];

    held_target_dn(h, dn);
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
