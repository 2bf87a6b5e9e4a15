/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ldif_source: the directory as one LDIF file, for sites without an LDAP server.
 *
 * Promises: the mirror holds one version of the file, whole, or is not touched: a
 * file with any error changes nothing, is reported once for each version of it,
 * and the mirror goes on with the last good one. The file is looked at four times
 * a second and read when two looks in turn found the same (size, times, inode);
 * better than writing it in place is to write another one and rename(2) it. A
 * file known from before a restart is not read again.
 */
#include "sync.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "beat.h"
#include "ldif_read.h"
#include "log.h"
#include "uuid.h"

#define POLL_MS    250
#define AGAIN_MS   5000  /* after a failure that is none of the file's */
#define OLD_MS     2000  /* a file left alone for so long needs no second look */
#define BEAT_EVERY 1024  /* records */
#define LARGE      50000 /* entries: their transaction leaves memory behind */

/* Which version of the file: changes with every write, and with every rename over it. */
struct version {
    int error; /* errno of stat; 0 when there is a file */
    unsigned long long inode, size;
    struct timespec modified, changed;
};

/* What must be told apart: DNs and entryUUIDs, as UUIDs; where each stands. */
struct key {
    unsigned char id[UUID_LEN];
    uint32_t line;
};

struct load {
    struct sync *s;
    struct ldif_reader reader;
    struct key *keys;
    size_t nkeys, keys_cap;
    struct seen seen;
    char base[MIRROR_DN_MAX + 1];
    size_t base_n;
    unsigned long records;
    int confirmed;  /* the sweep was */
    uint64_t would; /* refused: entries it would remove */
};

enum load_result { LOAD_DONE, LOAD_FAILED, LOAD_UNREAD, LOAD_REFUSED, LOAD_STOPPED };

/* --- versions --- */

static void
version_of(const struct stat *st, struct version *v)
{
    memset(v, 0, sizeof *v);
    v->inode = st->st_ino;
    v->size = (unsigned long long)st->st_size;
    v->modified = st->st_mtim;
    v->changed = st->st_ctim;
}

static void
version_look(const char *path, struct version *v)
{
    struct stat st;

    if (stat(path, &st) == 0) {
        version_of(&st, v);
        return;
    }
    memset(v, 0, sizeof *v);
    v->error = errno;
}

static int
same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static int
version_same(const struct version *a, const struct version *b)
{
    return a->error == b->error && a->inode == b->inode && a->size == b->size &&
           same_time(a->modified, b->modified) && same_time(a->changed, b->changed);
}

static int
version_old(const struct version *v)
{
    uint64_t changed = (uint64_t)v->changed.tv_sec * 1000 + (uint64_t)v->changed.tv_nsec / 1000000;

    return changed + OLD_MS < (uint64_t)clock_wall_ms();
}

static void
version_fingerprint(struct sync *s, const struct version *v, char out[UUID_TEXT_LEN + 1])
{
    char text[4200];

    snprintf(text, sizeof text, "%s %llu %llu %lld.%ld %lld.%ld", s->conf->directory.ldif, v->inode,
             v->size, (long long)v->modified.tv_sec, v->modified.tv_nsec,
             (long long)v->changed.tv_sec, v->changed.tv_nsec);
    feed_fingerprint(&s->feed, span_of(s->conf->directory.base), span_of(text), out);
}

/* --- first pass: nothing but reading --- */

static int
store_failed(struct load *l)
{
    char why[300];

    snprintf(why, sizeof why, "mirror: %s", mirror_error(l->s->mirror));
    return ldif_reader_give_up(&l->reader, l->reader.line, why);
}

static int
key_add(struct load *l, const unsigned char id[UUID_LEN])
{
    if (l->nkeys == l->keys_cap) {
        size_t cap = l->keys_cap ? l->keys_cap * 2 : 4096;
        struct key *p = reallocarray(l->keys, cap, sizeof *p);

        if (!p)
            return ldif_reader_give_up(&l->reader, l->reader.record, "out of memory");
        l->keys = p;
        l->keys_cap = cap;
    }
    memcpy(l->keys[l->nkeys].id, id, UUID_LEN);
    l->keys[l->nkeys++].line = (uint32_t)l->reader.record;
    return 0;
}

static int
key_order(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    int d = memcmp(x->id, y->id, UUID_LEN);

    return d ? d : (x->line > y->line) - (x->line < y->line);
}

static int
check_keys(struct load *l)
{
    size_t i;

    if (l->nkeys)
        qsort(l->keys, l->nkeys, sizeof *l->keys, key_order);
    for (i = 1; i < l->nkeys; i++)
        if (memcmp(l->keys[i - 1].id, l->keys[i].id, UUID_LEN) == 0)
            return ldif_reader_fail(&l->reader, l->keys[i].line,
                                    "the DN or entryUUID of the record at line %u again",
                                    l->keys[i - 1].line);
    return 0;
}

/* The entry's UUID: its own, else made from the DN. 1 its own, 0 made, -1 error. */
static int
entry_uuid(struct load *l, struct span ndn, unsigned char uuid[UUID_LEN])
{
    struct entry_view view;
    const struct entry_attr *a;

    uuid_v5(uuid_x500, ndn, uuid);
    if (collect_view(&l->s->feed.entry, &view) < 0)
        return ldif_reader_give_up(&l->reader, l->reader.record, "out of memory");
    if (!(a = entry_attr(&view, span_of("entryUUID"))))
        return 0;
    if (a->n != 1 || uuid_parse(a->values[0], uuid) < 0)
        return ldif_reader_fail(&l->reader, l->reader.record, "entryUUID is no UUID");
    return 1;
}

static int
normalize(struct load *l, struct span dn, struct span *ndn)
{
    unsigned long shortages = dn_shortages();
    long n = dn_cache_normalize(l->s->feed.dns, dn, l->s->feed.ndn, sizeof l->s->feed.ndn);

    if (shortages != dn_shortages())
        return ldif_reader_give_up(&l->reader, l->reader.record, "out of memory");
    if (n <= 0)
        return ldif_reader_fail(&l->reader, l->reader.record, "this is no usable DN: %.*s",
                                dn.n > 200 ? 200 : (int)dn.n, dn.n ? dn.p : "");
    *ndn = (struct span){l->s->feed.ndn, (size_t)n};
    return 0;
}

/* The base, when none is configured: what all DNs are below. */
static void
narrow_base(struct load *l, struct span ndn)
{
    struct span base = l->records == 1 ? ndn : dn_common((struct span){l->base, l->base_n}, ndn);

    memmove(l->base, base.p ? base.p : "", base.n);
    l->base_n = base.n;
}

static int
check_record(struct load *l, struct span dn, int find_base)
{
    unsigned char made[UUID_LEN], uuid[UUID_LEN];
    struct span ndn;
    int own;

    l->records++;
    if (normalize(l, dn, &ndn) < 0 || (own = entry_uuid(l, ndn, uuid)) < 0)
        return -1;
    if (find_base)
        narrow_base(l, ndn);
    uuid_v5(uuid_x500, ndn, made);
    if (key_add(l, made) < 0)
        return -1;
    return own && memcmp(made, uuid, UUID_LEN) != 0 ? key_add(l, uuid) : 0;
}

static int
configured_base(struct load *l)
{
    const char *base = l->s->conf->directory.base;
    long n;

    if (!base || !base[0])
        return 0;
    n = dn_normalize(span_of(base), l->base, sizeof l->base);
    if (n <= 0)
        return ldif_reader_fail(&l->reader, 0, "directory.base is no usable DN: %s", base);
    l->base_n = (size_t)n;
    return 1;
}

/* Walk all records: 0, or -1 with the reader's error. Stops early when s->stop. */
static int
walk(struct load *l, int (*fn)(struct load *, struct span, int), int arg)
{
    struct span dn;
    unsigned n = 0;
    int rc;

    l->reader.offset = 0;
    l->reader.at = l->reader.end = 0;
    l->reader.line = 0;
    while ((rc = ldif_reader_next(&l->reader, &dn, &l->s->feed.entry)) > 0) {
        beat_wait(); /* a slow disk may keep one entry waiting for long */
        if (fn(l, dn, arg) < 0)
            return -1;
        if (++n % BEAT_EVERY == 0)
            sync_wait(l->s, -1, 0);
        if (l->s->stop)
            return 0;
    }
    return rc;
}

static int
check_file(struct load *l)
{
    int base = configured_base(l);

    if (base < 0 || walk(l, check_record, !base) < 0)
        return -1;
    if (l->s->stop)
        return 0;
    if (l->records == 0)
        return ldif_reader_fail(&l->reader, l->reader.line, "no entries in it");
    if (l->base_n == 0)
        return ldif_reader_fail(&l->reader, l->reader.line,
                                "the entries have no base in common: set directory.base");
    beat_step();
    base = check_keys(l);
    beat_now();
    return base;
}

/* --- second pass: into the mirror --- */

static int
put_record(struct load *l, struct span dn, int unused)
{
    struct feed *f = &l->s->feed;
    unsigned char uuid[UUID_LEN];
    struct span ndn;

    (void)unused;
    if (normalize(l, dn, &ndn) < 0 || entry_uuid(l, ndn, uuid) < 0)
        return -1;
    if (seen_add(&l->seen, uuid) < 0)
        return ldif_reader_give_up(&l->reader, l->reader.record, "out of memory");
    if (feed_put(f, uuid, dn) == 0)
        return 0;
    return ldif_reader_give_up(&l->reader, l->reader.record, f->error);
}

/* Another base empties the mirror: the guard sees that as a sweep of everything. */
static int
base_allowed(struct load *l)
{
    char old[MIRROR_DN_MAX + 1];
    long n = mirror_meta_get(l->s->mirror, "base", old, sizeof old);

    if (n <= 0 || span_same((struct span){old, (size_t)n}, (struct span){l->base, l->base_n}))
        return 1;
    l->would = l->s->entries;
    return l->confirmed || !l->s->complete || l->s->conf->directory.sweep_guard >= 100 ||
           l->s->entries <= (uint64_t)l->s->conf->directory.sweep_floor;
}

static enum load_result
sweep(struct load *l)
{
    const struct sync *s = l->s;
    int guard = l->confirmed || !s->complete ? 100 : s->conf->directory.sweep_guard;
    int rc;

    beat_step();
    seen_sort(&l->seen);
    rc = mirror_sweep(s->mirror, l->seen.uuid, l->seen.n, guard,
                      (uint64_t)s->conf->directory.sweep_floor, &l->would);
    beat_now();
    if (rc < 0)
        store_failed(l);
    return rc < 0 ? LOAD_FAILED : rc > 0 ? LOAD_REFUSED : LOAD_DONE;
}

static enum load_result
fill_mirror(struct load *l, const char *fingerprint)
{
    struct mirror *m = l->s->mirror;
    enum load_result result;

    if (!base_allowed(l))
        return LOAD_REFUSED;
    if (mirror_set_base(m, (struct span){l->base, l->base_n}) < 0)
        goto store;
    if (walk(l, put_record, 0) < 0)
        return LOAD_FAILED;
    if (l->s->stop)
        return LOAD_STOPPED;
    if ((result = sweep(l)) != LOAD_DONE)
        return result;
    if (mirror_meta_put(m, "fingerprint", fingerprint, UUID_TEXT_LEN) == 0 &&
        mirror_meta_put(m, "cookie", NULL, 0) == 0 && mirror_set_complete(m, clock_wall_ms()) == 0)
        return LOAD_DONE;
store:
    store_failed(l);
    return LOAD_FAILED;
}

static int
unchanged(struct load *l, const struct version *v)
{
    struct version now;
    struct stat st;

    if (fstat(l->reader.fd, &st) == 0) {
        version_of(&st, &now);
        if (version_same(&now, v))
            return 1;
    }
    ldif_reader_give_up(&l->reader, l->reader.line, "the file was changed while it was read");
    return 0;
}

static int
mirror_commit(struct load *l)
{
    int rc;

    beat_step();
    rc = mirror_write_commit(l->s->mirror);
    beat_now();
    return rc < 0 ? store_failed(l) : 0;
}

static enum load_result
load_open(struct load *l, const struct version *v)
{
    char fingerprint[UUID_TEXT_LEN + 1];
    enum load_result result;

    if (check_file(l) < 0)
        return LOAD_FAILED;
    if (l->s->stop)
        return LOAD_STOPPED;
    version_fingerprint(l->s, v, fingerprint);
    if (mirror_write_begin(l->s->mirror) < 0) {
        store_failed(l);
        return LOAD_FAILED;
    }
    result = fill_mirror(l, fingerprint);
    if (result == LOAD_DONE && !unchanged(l, v))
        result = LOAD_FAILED;
    if (result != LOAD_DONE)
        mirror_write_abort(l->s->mirror);
    else if (mirror_commit(l) < 0)
        result = LOAD_FAILED;
    return result;
}

/* --- what comes out of it --- */

static void
loaded(struct load *l)
{
    struct sync *s = l->s;
    struct board *b = &s->env->board;
    char text[256];

    s->complete = 1;
    s->entries = l->seen.n;
    board_add(b, BOARD_SYNC_REFRESHES, 1);
    board_add(b, BOARD_SYNC_ENTRIES, l->seen.n);
    board_set(b, BOARD_SYNC_WOULD_SWEEP, 0);
    snprintf(text, sizeof text, "%.200s", s->conf->directory.ldif);
    sync_phase(s, PHASE_LOADED, text);
    log_notice("directory loaded file=%s entries=%zu base=\"%.*s\"", s->conf->directory.ldif,
               l->seen.n, (int)l->base_n, l->base);
}

static enum load_result
load_file(struct sync *s, const struct version *v, int confirmed)
{
    struct load l = {.s = s, .confirmed = confirmed};
    const char *path = s->conf->directory.ldif;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum load_result result = LOAD_FAILED;

    sync_phase(s, PHASE_REFRESH, path);
    if (fd < 0 || ldif_reader_open(&l.reader, fd, path) < 0) {
        snprintf(l.reader.error, sizeof l.reader.error, "%s: %s", path, strerror(errno));
        l.reader.unread = 1;
    } else {
        result = load_open(&l, v);
    }
    if (result == LOAD_FAILED && l.reader.unread)
        result = LOAD_UNREAD;
    if (result == LOAD_DONE)
        loaded(&l);
    else if (result == LOAD_UNREAD)
        sync_unread(s, l.reader.error);
    else if (result == LOAD_FAILED)
        sync_error(s, l.reader.error);
    else if (result == LOAD_REFUSED)
        sync_refuse(s, l.would);
    ldif_reader_close(&l.reader);
    seen_free(&l.seen);
    free(l.keys);
    if (fd >= 0)
        close(fd);
    return result;
}

/* --- looking --- */

/* Whether the mirror holds this very version already, from before a restart. */
static int
known(struct sync *s, const struct version *v)
{
    char want[UUID_TEXT_LEN + 1], have[64];
    long n;

    if (!s->complete || v->error || mirror_begin(s->mirror) < 0)
        return 0;
    n = mirror_meta_get(s->mirror, "fingerprint", have, sizeof have);
    mirror_end(s->mirror);
    version_fingerprint(s, v, want);
    return n == UUID_TEXT_LEN && memcmp(want, have, UUID_TEXT_LEN) == 0;
}

static enum load_result
look(struct sync *s, const struct version *v)
{
    char text[BOARD_TEXT_MAX];

    if (known(s, v)) {
        sync_phase(s, PHASE_LOADED, s->conf->directory.ldif);
        return LOAD_DONE;
    }
    if (v->error == 0)
        return load_file(s, v, 0);
    snprintf(text, sizeof text, "%s: %s", s->conf->directory.ldif, strerror(v->error));
    sync_unread(s, text);
    return LOAD_FAILED;
}

/* An administrator's word to a refused version; to anything else it says nothing. */
static enum load_result
accepted(struct sync *s, const struct version *v, enum load_result result)
{
    s->accept = 0;
    if (result != LOAD_REFUSED) {
        log_warning("sweep accepted, but none is refused now: ignored");
        return result;
    }
    log_notice("sweep accepted by an administrator");
    return load_file(s, v, 1);
}

int
ldif_source_run(struct sync *s)
{
    struct version done = {.error = -1}, last = {.error = -1}, now;
    enum load_result result = LOAD_FAILED;
    int64_t again_ms = 0;

    while (!s->stop) {
        version_look(s->conf->directory.ldif, &now);
        if (again_ms && beat_now() >= again_ms)
            done.error = -1;
        if (!version_same(&now, &done) && (version_same(&now, &last) || version_old(&now))) {
            s->accept = 0; /* what was said of another version */
            result = look(s, &now);
            done = now;
            again_ms = result == LOAD_UNREAD ? beat_now() + AGAIN_MS : 0;
            if (result == LOAD_DONE && s->entries > LARGE && sync_reopen(s) < 0)
                return -1;
        } else if (s->accept && version_same(&now, &done)) {
            result = accepted(s, &now, result);
        }
        last = now;
        sync_wait(s, -1, POLL_MS);
    }
    return 0;
}
