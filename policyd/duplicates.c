/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * duplicates: watches for addresses that more than one entry claims. slapd can't
 * refuse them when they were made at two sites at once; the mirror decides who has
 * the address, alike at every site, and here it is told to whoever reads the log.
 *
 * Promises: one line when an address is claimed twice and one when it no longer is,
 * each within a beat of the mirror's change; bounded work however many there are.
 * Must not decide who has an address: mirror_each_claim's order says that.
 */
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "trouble.h"

#define DUPLICATES_MAX 500 /* that are looked at one by one */

struct found {
    char *address[DUPLICATES_MAX];
    size_t n;
    int more, failed;
};

static int
on_found(void *ctx, struct span address, unsigned claims)
{
    struct found *f = ctx;

    (void)claims;
    if (f->n == DUPLICATES_MAX) {
        f->more = 1;
        return 1;
    }
    f->address[f->n] = strndup(address.p, address.n);
    f->failed = !f->address[f->n];
    return f->failed || ++f->n > DUPLICATES_MAX;
}

/* --- who claims it --- */

struct claims {
    struct mirror *m;
    json_t *dns, *losers;
    size_t max;
};

static json_t *
dn_of(struct mirror *m, const unsigned char uuid[UUID_LEN])
{
    char dn[MIRROR_DN_MAX];
    long n = mirror_dn_of(m, uuid, dn, sizeof dn);

    return n < 0 ? json_null() : control_text((struct span){dn, (size_t)n});
}

static json_t *
loser_json(struct mirror *m, const unsigned char uuid[UUID_LEN], const char *how)
{
    struct record r = {NULL, 0};
    struct span own;
    int known = mirror_entry(m, uuid, &r) == 1;
    enum record_tag tag = known && record_kind(&r) == KIND_DOMAIN ? TAG_DOMAIN : TAG_MAIL;

    return json_pack("{s:o, s:s, s:o, s:s}", "dn", dn_of(m, uuid), "kind",
                     known ? record_kind_word(record_kind(&r)) : "", "name",
                     known && record_find(&r, tag, &own) ? control_text(own) : json_null(), "how",
                     how);
}

/* Claims come best first: the first one has it. */
static int
note(struct claims *c, const unsigned char uuid[UUID_LEN], const char *how)
{
    if (json_array_size(c->dns) > 0)
        json_array_append_new(c->losers, loser_json(c->m, uuid, how));
    json_array_append_new(c->dns, dn_of(c->m, uuid));
    return json_array_size(c->dns) >= c->max;
}

static int
on_claim(void *ctx, const struct mirror_claim *claim)
{
    return note(ctx, claim->uuid, claim->how == CLAIM_PRIMARY ? "primary" : "alias");
}

static int
on_domain_claim(void *ctx, const unsigned char uuid[UUID_LEN])
{
    return note(ctx, uuid, "domain");
}

json_t *
duplicate_json(struct mirror *m, struct span name, unsigned claims, size_t max)
{
    struct claims c = {m, json_array(), json_array(), max};
    json_t *winner;

    if (memchr(name.p, '@', name.n))
        mirror_each_claim(m, name, on_claim, &c);
    else
        mirror_each_domain_claim(m, name, on_domain_claim, &c);
    winner = json_array_get(c.dns, 0);
    return json_pack("{s:o, s:i, s:o, s:o, s:o}", "address", control_text(name), "count",
                     (int)claims, "winner", winner ? json_incref(winner) : json_null(), "claims",
                     c.dns, "losers", c.losers);
}

/* --- the log --- */

static const char *
dn_at(json_t *list, size_t i)
{
    const char *dn = json_string_value(json_array_get(list, i));

    return dn ? dn : "";
}

static void
tell_new(struct mirror *m, const char *address)
{
    json_t *dup = duplicate_json(m, span_of(address), 2, 2);
    json_t *claims = json_object_get(dup, "claims");

    log_warning("address claimed by several entries address=%s has=\"%s\" wants=\"%s\"", address,
                dn_at(claims, 0), dn_at(claims, 1));
    json_decref(dup);
}

static void
tell_gone(const char *address)
{
    log_notice("address claimed by one entry at most again address=%s", address);
}

/* Both lists are in the same order: tell what is only in one of them. */
static void
tell_changes(struct mirror *m, const struct duplicates *old, const struct found *now)
{
    size_t i = 0, j = 0;

    while (i < old->n || j < now->n) {
        int order = i == old->n ? 1 : j == now->n ? -1 : strcmp(old->address[i], now->address[j]);

        if (order < 0)
            tell_gone(old->address[i]);
        if (order > 0)
            tell_new(m, now->address[j]);
        i += order <= 0;
        j += order >= 0;
    }
}

static void
forget(char **address, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(address[i]);
}

/* From now on these are the ones that were told of. 0, or -1 without memory. */
static int
remember(struct duplicates *d, const struct found *f)
{
    char **address = f->n ? malloc(f->n * sizeof *address) : NULL;

    if (f->n && !address)
        return -1;
    if (f->n)
        memcpy(address, f->address, f->n * sizeof *address);
    duplicates_free(d);
    d->address = address;
    d->n = f->n;
    return 0;
}

static void
look(struct duplicates *d, struct mirror *m)
{
    struct found f = {.n = 0};

    mirror_each_dup(m, on_found, &f);
    if (f.failed || mirror_failed(m)) {
        forget(f.address, f.n);
        return;
    }
    if (f.more && !d->cut)
        log_warning("more addresses claimed by several entries than are told of one by one");
    d->cut = f.more;
    if (f.more && f.n == d->n) { /* beyond the limit only the count is watched */
        forget(f.address, f.n);
        return;
    }
    tell_changes(m, d, &f);
    if (remember(d, &f) < 0)
        forget(f.address, f.n);
}

void
duplicates_watch(struct duplicates *d, struct control *c)
{
    const char *why;
    struct mirror *m = control_mirror(c, &why);
    struct mirror_info info;

    if (!m)
        return;
    if (mirror_info(m, &info) == 0 && (info.dups > 0 || d->n > 0))
        look(d, m);
    control_mirror_end(c);
}

void
duplicates_free(struct duplicates *d)
{
    forget(d->address, d->n);
    free(d->address);
    d->address = NULL;
    d->n = 0;
}
