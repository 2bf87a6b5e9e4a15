/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * maps: the mirror as the maps see it, and the caches of what rarely changes.
 *
 * Domains, containers and sites are copied out of the mirror and hold while
 * mirror_structure() stays the same, so that a known address costs one read of the
 * store. All memory is taken at the start; caches are direct-mapped, so strangers'
 * domains push each other out and nothing grows. A mirror that is not there yet, or
 * was replaced, is opened again by and by. Must not decide anything.
 */
#include "maps_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "fnv.h"

#define CHECK_MS 1000 /* between looks whether the store is still the one we opened */

static int64_t
coarse_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* The store as it is on disk now. While it is in doubt nobody opens it: reading it could be our end. */
static struct mirror *
open_mirror(struct maps *m)
{
    struct mirror *mirror;

    if (board_doubts(m->board) != board_get(m->board, BOARD_SYNC, BOARD_SYNC_CHECKED)) {
        snprintf(m->error, sizeof(m->error), "the store may be damaged: it is being looked over");
        return NULL;
    }
    mirror =
        mirror_open(m->conf->state_dir, (size_t)m->conf->mirror.size, m->error, sizeof(m->error));
    if (!mirror && mirror_is_damage(errno))
        board_add(m->board, BOARD_DOUBTS, 1);
    return mirror;
}

static int
is_filled(struct mirror *mirror)
{
    struct mirror_info info;
    int filled = mirror_begin(mirror) == 0 && mirror_info(mirror, &info) == 0 && info.complete;

    mirror_end(mirror);
    return filled;
}

/*
 * Ours is no longer the store that sync writes. It goes on answering until the new one is filled;
 * what it lacks may exist.
 */
static void
mirror_change(struct maps *m)
{
    struct mirror *next = mirror_replaced(m->mirror) == 2 ? NULL : open_mirror(m);

    m->left = 1;
    if (next && is_filled(next)) {
        mirror_close(&m->mirror);
        m->mirror = next;
        m->complete = m->left = 0;
    } else {
        mirror_close(&next);
    }
}

static void
look_at_files(struct maps *m)
{
    if (mirror_is_unlocked(m->mirror) && mirror_can_lock(m->mirror))
        mirror_close(&m->mirror);
    else if (mirror_replaced(m->mirror))
        mirror_change(m);
}

/*
 * Have the mirror open, and be it the one that sync writes: looked at now and then, not between
 * lookups that come one behind the other. While there is none, each batch tries.
 */
static void
mirror_keep(struct maps *m)
{
    int64_t now;

    if (m->mirror && !m->check)
        return;
    m->check = 0;
    now = coarse_ms();
    if (m->mirror && now - m->checked_ms >= CHECK_MS)
        look_at_files(m);
    if (!m->mirror || now - m->checked_ms >= CHECK_MS)
        m->checked_ms = now;
    if (m->mirror)
        return;
    m->complete = m->left = 0;
    m->mirror = open_mirror(m);
}

/* A read ran into damage: say so, and let go of the store. */
static void
mirror_doubt(struct maps *m)
{
    board_add(m->board, BOARD_DOUBTS, 1);
    snprintf(m->error, sizeof(m->error), "%s", mirror_error(m->mirror));
    mirror_close(&m->mirror);
}

struct maps *
maps_new(const struct conf *conf, struct board *board)
{
    struct maps *m = calloc(1, sizeof(*m));

    if (!m)
        return NULL;
    m->conf = conf;
    m->board = board;
    m->own_site = span_of(conf->site);
    m->local = span_of(conf->local_transport);
    m->wait = span_of(conf->wait_transport);
    m->verifies = conf->directory.verify_unknown && conf->directory.uri.n > 0;
    m->asks = m->verifies && board->number >= BOARD_ANSWER;
    inquiry_init(&m->inquiry, board);
    m->sites = calloc(1, sizeof(*m->sites));
    m->domains = calloc(MAPS_DOMAINS, sizeof(*m->domains));
    m->orgs = calloc(MAPS_ORGS, sizeof(*m->orgs));
    m->ways = calloc(MAPS_ORGS, sizeof(*m->ways));
    m->names = calloc(MAPS_NAMES, sizeof(*m->names));
    m->seen = calloc(SEEN_SLOTS, sizeof(*m->seen));
    if (!m->sites || !m->domains || !m->orgs || !m->ways || !m->names || !m->seen) {
        maps_free(&m);
        return NULL;
    }
    mirror_keep(m);
    return m;
}

void
maps_free(struct maps **mp)
{
    struct maps *m = *mp;

    if (!m)
        return;
    mirror_close(&m->mirror);
    free(m->sites);
    free(m->domains);
    free(m->orgs);
    free(m->ways);
    free(m->names);
    free(m->seen);
    free(m);
    *mp = NULL;
}

struct mirror *
maps_mirror(struct maps *m, const char **why_r)
{
    m->check = 1;
    if (m->depth == 0)
        mirror_keep(m);
    *why_r = m->mirror ? "" : m->error;
    return m->mirror;
}

static void
caches_empty(struct maps *m)
{
    m->epoch++;
    m->nnames = 1; /* 0 is "none" */
}

/* Fill anew what depends on the snapshot that was just begun. 0, or -1. */
static int
snapshot_open(struct maps *m)
{
    uint64_t structure = mirror_structure(m->mirror);
    struct mirror_info info;

    if (m->complete && structure == m->structure && !mirror_failed(m->mirror))
        return 0;
    caches_empty(m);
    m->complete = 0;
    if (mirror_info(m->mirror, &info) < 0 || mirror_sites(m->mirror, m->sites) < 0)
        return -1;
    m->structure = structure;
    m->complete = info.complete;
    m->generation++;
    return 0;
}

uint64_t
maps_generation(const struct maps *m)
{
    return m->complete ? m->generation : 0;
}

const struct site_table *
maps_sites(const struct maps *m)
{
    return m->sites;
}

/* A mirror that is read without a lock file can't be when somebody writes: then there is room for one. */
static int
snapshot_begin(struct maps *m)
{
    if (mirror_begin(m->mirror) == 0)
        return 0;
    if (!mirror_is_unlocked(m->mirror))
        return -1;
    mirror_close(&m->mirror);
    mirror_keep(m);
    return m->mirror ? mirror_begin(m->mirror) : -1;
}

int
maps_begin(struct maps *m)
{
    if (m->depth++ > 0)
        return m->readable ? 0 : -1;
    m->readable = 0;
    m->proof_ms = (int64_t)board_observe(m->board, BOARD_SYNC, BOARD_SYNC_PROOF_MS);
    m->answered = board_observe(m->board, BOARD_SYNC, BOARD_SYNC_ANSWERED);
    mirror_keep(m);
    if (!m->mirror)
        return -1;
    if (snapshot_begin(m) == 0 && snapshot_open(m) == 0) {
        m->readable = 1;
        return 0;
    }
    if (!m->mirror)
        return -1;
    if (mirror_damaged(m->mirror))
        mirror_doubt(m);
    else
        snprintf(m->error, sizeof(m->error), "%s", mirror_error(m->mirror));
    mirror_close(&m->mirror);
    return -1;
}

struct mirror *
maps_read(struct maps *m, const char **why_r)
{
    int readable = maps_begin(m) == 0;
    struct mirror *mirror = maps_mirror(m, why_r);

    if (readable && mirror)
        return mirror;
    maps_end(m);
    return NULL;
}

/* After a read that failed: the caches may hold what was read wrong. 1 when the store was let go of. */
static int
look_back(struct maps *m)
{
    if (mirror_failed(m->mirror))
        m->complete = 0;
    if (!mirror_damaged(m->mirror))
        return 0;
    mirror_doubt(m);
    return 1;
}

void
maps_end(struct maps *m)
{
    if (--m->depth > 0)
        return;
    m->check = 1;
    if (!m->mirror)
        return;
    mirror_end(m->mirror);
    look_back(m);
}

void
maps_pause(struct maps *m)
{
    if (--m->depth == 0 && m->mirror && !look_back(m))
        mirror_pause(m->mirror);
}

void
maps_rest(struct maps *m)
{
    if (m->depth > 0)
        return;
    m->check = 1;
    if (m->mirror)
        mirror_end(m->mirror);
    if (!m->mirror || mirror_is_unlocked(m->mirror))
        mirror_keep(m); /* so that it is open, and locked, before somebody asks */
}

static uint32_t
hash_name(struct span s)
{
    uint32_t h = fnv32(FNV32, s.p, s.n);

    return h ^ h >> 15;
}

const struct domain_slot *
maps_domain(struct maps *m, struct span name)
{
    struct domain_slot *d = &m->domains[hash_name(name) % MAPS_DOMAINS];
    struct mirror_domain row;
    int found;

    if (d->epoch == m->epoch && memcmp(d->name, name.p, name.n) == 0 && d->name[name.n] == '\0')
        return d;
    found = mirror_domain(m->mirror, name, &row);
    if (found < 0)
        return NULL;
    d->epoch = m->epoch;
    d->found = (uint8_t)found;
    span_keep(d->name, sizeof(d->name), name);
    if (found) {
        d->number = row.number;
        d->is_alias = row.is_alias;
        d->catch_all = row.catch_all;
        memcpy(d->uuid, row.uuid, UUID_LEN);
        span_keep(d->primary, sizeof(d->primary), row.primary);
    }
    return d;
}

/* The number of a name. There is room for it: see maps_org. */
static uint16_t
intern(struct maps *m, struct span name)
{
    if (name.n == 0 || name.n > MAPS_NAME_MAX)
        return 0;
    for (uint16_t i = 1; i < m->nnames; i++)
        if (m->names[i].n == name.n && memcmp(m->names[i].text, name.p, name.n) == 0)
            return i;
    m->names[m->nnames].n = (uint8_t)name.n;
    memcpy(m->names[m->nnames].text, name.p, name.n);
    return m->nnames++;
}

struct span
maps_org_name(const struct maps *m, uint16_t name)
{
    return name ? (struct span){m->names[name].text, m->names[name].n} : (struct span){"", 0};
}

const struct org_slot *
maps_org(struct maps *m, uint32_t number)
{
    struct org_slot *o = &m->orgs[number % MAPS_ORGS];
    struct mirror_org row;
    int found;

    if (o->epoch == m->epoch && o->number == number)
        return o;
    found = mirror_org(m->mirror, number, &row);
    if (found < 0)
        return NULL;
    *o = (struct org_slot){.number = number, .found = (uint8_t)found};
    if (found) {
        if (m->nnames > MAPS_NAMES - 2) /* no room for two more names: begin anew */
            caches_empty(m);
        o->state = row.state;
        o->home = intern(m, row.home);
        o->standby = intern(m, row.standby);
    }
    o->epoch = m->epoch;
    return o;
}
