/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * feed: entries into the mirror, see feed.h. Logs what is wrong with an entry,
 * once each time the entry is read, and not without bound. Knows nothing about
 * where entries come from, nor about transactions.
 */
#include "feed.h"

#include <stdio.h>
#include <stdlib.h>

#include "log.h"
#include "rights.h"
#include "uuid.h"

#define COMPLAINTS_BURST 20 /* lines */
#define COMPLAINTS_PER_S 10

/* rights.admins as the mirror compares it. */
static int
admins_open(struct feed *f, const struct conf *conf, char *error, size_t error_n)
{
    f->admins = conf->rights.admins;
    if (!*f->admins)
        return 0;
    f->admins_ndn = malloc(MIRROR_DN_MAX);
    if (!f->admins_ndn) {
        snprintf(error, error_n, "out of memory");
        return -1;
    }
    if (dn_normalize(span_of(f->admins), f->admins_ndn, MIRROR_DN_MAX) > 0)
        return 0;
    snprintf(error, error_n, "rights.admins is no usable DN: %s", f->admins);
    return -1;
}

int
feed_open(struct feed *f, const struct conf *conf, char *error, size_t error_n)
{
    memset(f, 0, sizeof *f);
    f->quota_unit = conf->directory.quota_unit;
    memcpy(f->map, conf->directory.map, sizeof f->map);
    if (attrs_preset(conf->directory.preset, f->map) < 0) {
        snprintf(error, error_n, "directory.preset: no such preset: %s", conf->directory.preset);
        return -1;
    }
    if (admins_open(f, conf, error, error_n) < 0) {
        feed_close(f);
        return -1;
    }
    f->wanted = attrs_wanted(f->map);
    f->dns = dn_cache_new();
    f->record = malloc(RECORD_MAX);
    if (f->wanted && f->dns && f->record)
        return 0;
    snprintf(error, error_n, "out of memory");
    feed_close(f);
    return -1;
}

void
feed_close(struct feed *f)
{
    collect_free(&f->entry);
    dn_cache_free(&f->dns);
    free(f->wanted);
    free(f->record);
    free(f->admins_ndn);
    memset(f, 0, sizeof *f);
}

static void
complain(struct feed *f, struct span dn, const char *complaint)
{
    static struct log_limit limit;
    unsigned skipped;

    f->complaints++;
    if (!log_limit(&limit, COMPLAINTS_BURST, COMPLAINTS_PER_S, &skipped))
        return;
    log_warning("directory entry makes no sense dn=\"%.*s\" why=\"%s\" unlogged=%u", (int)dn.n,
                dn.p, complaint, skipped);
}

/*
 * An entry that does not fit into a record is kept by its name alone and waits: mail for it is
 * neither refused nor sent to half of a list.
 */
static int
pack_too_large(struct feed *f, const struct entry_view *all, struct span rdn, struct record *r)
{
    struct entry_attr few[64];
    struct entry_view view = {few, 0};
    char ignored[1];
    size_t i;

    for (i = 0; i < all->n && view.n < 64; i++)
        if (all->attrs[i].n <= 1000)
            few[view.n++] = all->attrs[i];
    if (attrs_pack(f->map, &view, rdn, f->quota_unit, dn_normalize, f->record, RECORD_MAX, r,
                   ignored, sizeof ignored) < 0)
        return -1;
    record_set_state(f->record, STATE_MOVING);
    return 0;
}

/* Whether the entry at f->ndn is the group of administrators. */
static int
is_admins(const struct feed *f)
{
    return f->admins_ndn ? strcmp(f->ndn, f->admins_ndn) == 0
                         : strncmp(f->ndn, RIGHTS_ADMINS ",", sizeof RIGHTS_ADMINS) == 0;
}

/* 0; -1 it is too large whatever is left out; -2 no memory. */
static int
pack(struct feed *f, struct span rdn, struct record *r, char *complaint, size_t complaint_n)
{
    struct entry_view view;

    if (collect_view(&f->entry, &view) < 0)
        return -2;
    if (attrs_pack(f->map, &view, rdn, f->quota_unit, dn_normalize, f->record, RECORD_MAX, r,
                   complaint, complaint_n) == 0 &&
        (!is_admins(f) || attrs_pack_members(&view, dn_normalize, f->record, RECORD_MAX, r) == 0))
        return 0;
    snprintf(complaint, complaint_n, "larger than %u bytes: its mail waits", RECORD_MAX);
    return pack_too_large(f, &view, rdn, r);
}

int
feed_pack(struct feed *f, struct span dn, struct record *r, char *complaint, size_t complaint_n)
{
    unsigned long shortages = dn_shortages();
    long n = dn_cache_normalize(f->dns, dn, f->ndn, sizeof f->ndn);
    struct span rdn, parent;
    int rc;

    complaint[0] = '\0';
    if (shortages != dn_shortages())
        return -2;
    if (n <= 0) {
        snprintf(complaint, complaint_n, "%s",
                 n < 0 ? "this is no usable name" : "an entry without a name");
        return -1;
    }
    dn_split(dn, &rdn, &parent);
    rc = pack(f, rdn, r, complaint, complaint_n);
    if (rc == -2 || shortages != dn_shortages())
        return -2;
    if (rc < 0)
        snprintf(complaint, complaint_n, "does not fit into a record");
    return rc;
}

int
feed_put(struct feed *f, const unsigned char uuid[UUID_LEN], struct span dn)
{
    struct record r;
    char complaint[512];
    int rc = feed_pack(f, dn, &r, complaint, sizeof complaint);

    if (rc == -2) {
        snprintf(f->error, sizeof f->error, "out of memory");
        return -1;
    }
    if (complaint[0])
        complain(f, dn, complaint);
    if (rc < 0)
        return 0;
    f->puts++;
    rc = mirror_put(f->mirror, uuid, span_of(f->ndn), f->record, r.n, complaint);
    if (rc < 0)
        snprintf(f->error, sizeof f->error, "mirror: %s", mirror_error(f->mirror));
    return rc;
}

/* --- fingerprint --- */

static void
mix(unsigned char state[UUID_LEN], struct span s)
{
    unsigned char next[UUID_LEN];

    uuid_v5(state, s, next);
    memcpy(state, next, UUID_LEN);
}

static void
mix_list(unsigned char state[UUID_LEN], const struct conf_list *list)
{
    size_t i;

    for (i = 0; i < list->n; i++)
        mix(state, span_of(list->v[i]));
    mix(state, span_of("|"));
}

static void
mix_class(unsigned char state[UUID_LEN], const struct conf_class *c)
{
    const struct conf_list *lists[] = {&c->address,   &c->alias,     &c->forward,   &c->home_site,
                                       &c->home_host, &c->standby,   &c->state,     &c->deny,
                                       &c->quota,     &c->member,    &c->member_dn, &c->sender,
                                       &c->domain,    &c->catch_all, &c->name,      &c->active};
    size_t i;

    mix(state, span_of(c->filter));
    for (i = 0; i < sizeof lists / sizeof *lists; i++)
        mix_list(state, lists[i]);
}

void
feed_fingerprint(const struct feed *f, struct span base, struct span more, char out[37])
{
    unsigned char state[UUID_LEN] = {0};
    char versions[64];
    size_t i;

    snprintf(versions, sizeof versions, "%d %d %d", RECORD_VERSION, MIRROR_FORMAT, f->quota_unit);
    mix(state, span_of(versions));
    mix(state, base);
    mix(state, more);
    mix(state, span_of(f->admins));
    for (i = 0; f->wanted[i]; i++)
        mix(state, span_of(f->wanted[i]));
    for (i = 0; i < CLASS_N; i++)
        mix_class(state, &f->map[i]);
    uuid_text(state, out);
}

/* --- seen --- */

int
seen_add(struct seen *s, const unsigned char uuid[UUID_LEN])
{
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 4096;
        unsigned char *p = reallocarray(s->uuid, cap, UUID_LEN);

        if (!p)
            return -1;
        s->uuid = p;
        s->cap = cap;
    }
    memcpy(s->uuid + s->n++ * UUID_LEN, uuid, UUID_LEN);
    return 0;
}

static int
uuid_order(const void *a, const void *b)
{
    return memcmp(a, b, UUID_LEN);
}

void
seen_sort(struct seen *s)
{
    if (s->n)
        qsort(s->uuid, s->n, UUID_LEN, uuid_order);
}

void
seen_free(struct seen *s)
{
    free(s->uuid);
    memset(s, 0, sizeof *s);
}
