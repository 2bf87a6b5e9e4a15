/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cold_pass: bring the cold tables to what the mirror says, in small steps: names out
 * of one snapshot, their rows made in it, then written without it. Nothing is held
 * longer than one step takes, and memory does not depend on the directory's size.
 *
 * A pass over everything first adds and changes, then looks through each table for what
 * should not be there. What changes meanwhile is noted by number, and done afterwards.
 */
#include "cold.h"

#include "beat.h"

/* A callback that collects names; 1 when there is no room for this one. */
static int
collect(void *ctx, struct span name)
{
    struct cold_names *names = ctx;

    if (names->n == COLD_NAMES || names->used + name.n > sizeof(names->text))
        return 1;
    memcpy(names->text + names->used, name.p, name.n);
    names->at[names->n++] = (struct span){names->text + names->used, name.n};
    names->used += name.n;
    return 0;
}

static struct cold_names *
names_empty(struct cold *c)
{
    c->names.n = c->names.used = 0;
    return &c->names;
}

/* Begin a snapshot: the mirror, or NULL after cold_fail; then no end is due. */
static struct mirror *
snapshot_begin(struct cold *c)
{
    const char *why;
    struct mirror *m;

    beat_now();
    if (maps_begin(c->maps) == 0 && maps_generation(c->maps) > 0)
        return maps_mirror(c->maps, &why);
    m = maps_mirror(c->maps, &why);
    cold_fail(c, m ? "the mirror was never filled" : why);
    maps_end(c->maps);
    return NULL;
}

/* End the snapshot, and write what came out of it; rc so far. */
static int
snapshot_end(struct cold *c, int rc)
{
    maps_end(c->maps);
    return rc < 0 ? -1 : cold_flush(c);
}

/* --- everything --- */

/* A part of the addresses: 1, 0 there are no more, -1. */
static int
pass_addresses(struct cold *c, uint64_t *at)
{
    struct cold_names *names = names_empty(c);
    struct mirror *m = snapshot_begin(c);
    int rc = 0, more = 1;

    if (!m)
        return -1;
    while (more == 1 && names->n < COLD_NAMES / 2)
        more = mirror_next_addresses(m, at, collect, names);
    if (more < 0)
        rc = cold_fail(c, mirror_error(m));
    for (size_t i = 0; i < names->n && !rc; i++)
        rc = cold_add_address(c, names->at[i], COLD_ADDRESSES);
    return snapshot_end(c, rc) < 0 ? -1 : more;
}

/* A part of the domains, likewise; after: the last one's name, or "". */
static int
pass_domains(struct cold *c, char after[COLD_KEY_MAX + 1])
{
    struct cold_names *names = names_empty(c);
    struct mirror *m = snapshot_begin(c);
    int rc = 0, end;

    if (!m)
        return -1;
    end = mirror_each_domain(m, span_of(after), collect, names);
    if (end < 0)
        rc = cold_fail(c, mirror_error(m));
    for (size_t i = 0; i < names->n && !rc; i++)
        rc = cold_add_domain(c, names->at[i]);
    if (names->n > 0) {
        struct span last = names->at[names->n - 1];

        memcpy(after, last.p, last.n);
        after[last.n] = '\0';
    }
    return snapshot_end(c, rc) < 0 ? -1 : !end;
}

static int
pass_sites(struct cold *c)
{
    return snapshot_begin(c) ? snapshot_end(c, cold_add_sites(c)) : -1;
}

static int
check_key(struct cold *c, enum cold_id id, struct span key)
{
    if (id == COLD_DOMAIN)
        return cold_add_domain(c, key);
    if (id == COLD_PEER || id == COLD_TLS)
        return cold_add_site_key(c, id, key);
    return cold_add_address(c, key, 1u << id);
}

/* A part of the keys of a table: those that should not be there go. */
static int
pass_keys(struct cold *c, enum cold_id id, char after[COLD_KEY_MAX + 1])
{
    struct cold_names *names = names_empty(c);
    int rc = 0, end;

    end = cold_table_each(c->table[id], span_of(after), COLD_WAIT_MS, collect, names);
    if (end < 0)
        return cold_fail(c, cold_table_error(c->table[id]));
    if (names->n == 0)
        return 0;
    if (!snapshot_begin(c))
        return -1;
    for (size_t i = 0; i < names->n && !rc; i++)
        rc = check_key(c, id, names->at[i]);
    memcpy(after, names->at[names->n - 1].p, names->at[names->n - 1].n);
    after[names->at[names->n - 1].n] = '\0';
    return snapshot_end(c, rc) < 0 ? -1 : !end;
}

static int
begin_all(struct cold *c)
{
    struct mirror *m = snapshot_begin(c);

    if (!m)
        return -1;
    c->generation = maps_generation(c->maps);
    c->next = mirror_change_next(m);
    maps_end(c->maps);
    return 0;
}

int
cold_pass_all(struct cold *c)
{
    char after[COLD_KEY_MAX + 1] = "";
    uint64_t at = 0;
    int more;

    if (begin_all(c) < 0 || pass_sites(c) < 0)
        return -1;
    do
        more = pass_domains(c, after);
    while (more == 1);
    while (more >= 0 && (more = pass_addresses(c, &at)) == 1)
        ;
    for (int id = 0; id < COLD_N && more == 0; id++) {
        after[0] = '\0';
        while (!cold_table_is_new(c->table[id]) && (more = pass_keys(c, id, after)) == 1)
            ;
    }
    return more;
}

/* --- what was changed --- */

static int
collect_rest(void *ctx, const struct mirror_claim *claim)
{
    struct cold *c = ctx;
    const char *why;
    enum record_tag tag;
    struct span v;
    struct record r;
    size_t pos = 0;
    int rc = 0;

    if (claim->how != CLAIM_PRIMARY ||
        mirror_entry(maps_mirror(c->maps, &why), claim->uuid, &r) != 1)
        return 0;
    while (!rc && record_next(&r, &pos, &tag, &v))
        if (tag == TAG_ALIAS)
            rc = cold_add_address(c, v, COLD_ADDRESSES);
    return rc;
}

/*
 * What an address changed: its own rows; and those of the further addresses of who has it as the
 * primary one, as these lead there.
 */
static int
pass_changed(struct cold *c, struct mirror *m, struct span address)
{
    if (cold_add_address(c, address, COLD_ADDRESSES) < 0)
        return -1;
    c->error[0] = '\0';
    mirror_each_claim(m, address, collect_rest, c);
    return c->error[0] ? -1 : 0;
}

int
cold_pass_changes(struct cold *c)
{
    struct cold_names *names = names_empty(c);
    struct mirror *m = snapshot_begin(c);
    int rc = 0, kept;

    if (!m)
        return -1;
    kept = mirror_each_change(m, c->next, collect, names);
    if (kept == 0)
        c->generation = 0; /* everything is due */
    else if (kept < 0)
        rc = cold_fail(c, mirror_error(m));
    for (size_t i = 0; i < names->n && !rc; i++)
        rc = pass_changed(c, m, names->at[i]);
    c->next += names->n;
    return snapshot_end(c, rc);
}
