/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mirror: opening the store, and the lookups that answer mail.
 *
 * Reads take no lock and allocate nothing; a read transaction is kept and renewed,
 * which costs a few stores to shared memory. What comes back points into the map.
 * Never writes: that is mirror_txn.c and mirror_write.c.
 */
#include "mirror_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define READERS 256

static const struct {
    const char *name;
    unsigned flags;
} tables[T_N] = {
    [T_META] = {"meta", 0},
    [T_ENTRY] = {"entry", 0},
    [T_DN] = {"dn", 0},
    [T_ORG] = {"org", 0},
    [T_NUMBER] = {"number", 0},
    [T_ADDR] = {"addr", MDB_INTEGERKEY},
    [T_DOMAIN] = {"domain", MDB_DUPSORT},
    [T_SITE] = {"site", 0},
    [T_DIGEST] = {"digest", 0},
    [T_CHANGE] = {"change", 0},
    [T_DUP] = {"dup", 0},
    [T_BAD] = {"bad", 0},
    [T_SITEREF] = {"siteref", 0},
};

uint32_t
mirror_u32(const void *p)
{
    const unsigned char *b = p;

    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

uint64_t
mirror_u64(const void *p)
{
    return mirror_u32(p) | (uint64_t)mirror_u32((const char *)p + 4) << 32;
}

int
mirror_fail(struct mirror *m, int rc, const char *what)
{
    snprintf(m->error, sizeof m->error, "%s: %s", what, mdb_strerror(rc));
    m->damaged |= mirror_is_damage(rc);
    m->failed = 1;
    return -1;
}

const char *
mirror_error(const struct mirror *m)
{
    return m->error;
}

MDB_txn *
mirror_txn(struct mirror *m)
{
    return m->wtxn ? m->wtxn : m->reading ? m->rtxn : NULL;
}

int
mirror_get(struct mirror *m, enum table t, const void *key, size_t n, MDB_val *out)
{
    MDB_val k = {n, (void *)key};
    MDB_txn *txn = mirror_txn(m);
    int rc;

    if (!txn)
        return mirror_fail(m, EINVAL, "read outside a transaction");
    if (n == 0 || n > 511)
        return 0;
    rc = mdb_get(txn, m->dbi[t], &k, out);
    if (rc == MDB_NOTFOUND)
        return 0;
    return rc ? mirror_fail(m, rc, tables[t].name) : 1;
}

/* --- opening --- */

static int
open_tables(struct mirror *m, int writer)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(m->env, NULL, writer ? 0 : MDB_RDONLY, &txn);

    if (rc)
        return rc;
    for (int i = 0; i < T_N; i++) {
        rc = mdb_dbi_open(txn, tables[i].name, tables[i].flags | (writer ? MDB_CREATE : 0),
                          &m->dbi[i]);
        if (rc) {
            mdb_txn_abort(txn);
            return rc;
        }
    }
    return mdb_txn_commit(txn);
}

static int
format_is_ours(struct mirror *m, int writer)
{
    char format[16];
    long n;

    if (mirror_begin(m) < 0)
        return 0;
    n = mirror_meta_get(m, "format", format, sizeof format);
    mirror_end(m);
    return (n == 8 && mirror_u64(format) == MIRROR_FORMAT) || (n < 0 && writer);
}

static int
note_inode(struct mirror *m)
{
    char file[sizeof m->path + 16];
    struct stat st;

    snprintf(file, sizeof file, "%s/data.mdb", m->path);
    if (stat(file, &st) < 0)
        return errno;
    m->dev = st.st_dev;
    m->ino = st.st_ino;
    m->bytes = st.st_size;
    m->lock_ino = mirror_lock_ino(m);
    return 0;
}

static const char *
open_error(int rc)
{
    return rc == MDB_VERSION_MISMATCH ? "the store has another format"
           : rc == EWOULDBLOCK        ? "it is written, or read without a lock file"
                                      : mdb_strerror(rc);
}

/* Flags for mdb_env_open. 0, or errno. */
static int
how_to_open(struct mirror *m, int writer, unsigned *flags_r)
{
    int rc = mirror_lock_prepare(m->path, writer);

    m->unlocked = !writer && (rc == ENOSPC || rc == EDQUOT);
    *flags_r = MDB_NOTLS | (writer ? 0 : MDB_RDONLY) | (m->unlocked ? MDB_NOLOCK : 0);
    return m->unlocked ? 0 : rc;
}

static struct mirror *
open_store(const char *path, size_t map_mib, int writer, char *error, size_t error_n)
{
    struct mirror *m = calloc(1, sizeof *m);
    int rc = m ? mdb_env_create(&m->env) : ENOMEM;
    unsigned flags;

    if (!rc) {
        snprintf(m->path, sizeof m->path, "%s", path);
        rc = how_to_open(m, writer, &flags);
    }
    if (!rc)
        rc = mdb_env_set_mapsize(m->env, map_mib << 20);
    if (!rc)
        rc = mdb_env_set_maxdbs(m->env, T_N);
    if (!rc)
        rc = mdb_env_set_maxreaders(m->env, READERS);
    if (!rc)
        rc = mdb_env_open(m->env, path, flags, 0600);
    if (!rc && (writer || m->unlocked))
        rc = mirror_lock_claim(m->env, m->unlocked);
    if (!rc)
        rc = open_tables(m, writer);
    if (!rc)
        rc = note_inode(m);
    if (!rc && !format_is_ours(m, writer))
        rc = MDB_VERSION_MISMATCH;
    if (!rc)
        return m;
    snprintf(error, error_n, "%s: %s", path, open_error(rc));
    mirror_close(&m);
    errno = rc;
    return NULL;
}

struct mirror *
mirror_open(const char *dir, size_t map_mib, char *error, size_t error_n)
{
    char path[1000];

    snprintf(path, sizeof path, "%s/mirror", dir);
    return open_store(path, map_mib, 0, error, error_n);
}

struct mirror *
mirror_open_writer(const char *dir, size_t map_mib, char *error, size_t error_n)
{
    char path[1000];
    struct mirror *m;

    snprintf(path, sizeof path, "%s/mirror", dir);
    if (mkdir(path, 0700) < 0 && errno != EEXIST) {
        snprintf(error, error_n, "%s: %s", path, strerror(errno));
        return NULL;
    }
    m = open_store(path, map_mib, 1, error, error_n);
    if (!m &&
        (errno == MDB_VERSION_MISMATCH || errno == MDB_INCOMPATIBLE || mirror_is_damage(errno)) &&
        errno != EIO && mirror_put_aside(dir) == 0)
        m = open_store(path, map_mib, 1, error, error_n);
    return m;
}

void
mirror_close(struct mirror **mp)
{
    struct mirror *m = *mp;

    if (!m)
        return;
    mirror_write_abort(m);
    mirror_addr_close(m);
    if (m->rtxn)
        mdb_txn_abort(m->rtxn);
    if (m->env)
        mdb_env_close(m->env);
    free(m);
    *mp = NULL;
}

int
mirror_replaced(struct mirror *m)
{
    char file[sizeof m->path + 16];
    struct stat st;
    uint64_t lock;

    snprintf(file, sizeof file, "%s/data.mdb", m->path);
    if (stat(file, &st) < 0)
        return 2;
    if ((uint64_t)st.st_dev != m->dev || (uint64_t)st.st_ino != m->ino)
        return 1;
    /* When it is gone, ours is still the writer's. */
    lock = m->lock_ino ? mirror_lock_ino(m) : 0;
    return lock && lock != m->lock_ino;
}

void
mirror_reap_readers(struct mirror *m)
{
    int dead;

    mdb_reader_check(m->env, &dead);
}

/* --- reading --- */

static void
let_writers_in(struct mirror *m)
{
    if (m->unlocked)
        mirror_lock_release(m->env);
}

/* Whether the snapshot that mirror_pause left is still the newest; else it is given up. */
static int
resume(struct mirror *m)
{
    MDB_envinfo info;

    if (!m->paused)
        return 0;
    m->paused = 0;
    if (mdb_env_info(m->env, &info) == 0 && info.me_last_txnid == mdb_txn_id(m->rtxn))
        return 1;
    mdb_txn_reset(m->rtxn);
    return 0;
}

int
mirror_begin(struct mirror *m)
{
    int rc;

    if (m->reading)
        return 0;
    if (!m->wtxn)
        m->failed = 0;
    if (resume(m)) {
        m->reading = 1;
        return 0;
    }
    rc = m->unlocked ? mirror_lock_claim(m->env, 1) : 0;
    if (rc)
        return mirror_fail(m, rc, "begin");
    rc = m->rtxn ? mdb_txn_renew(m->rtxn) : mdb_txn_begin(m->env, NULL, MDB_RDONLY, &m->rtxn);
    if (rc) {
        if (m->rtxn)
            mdb_txn_abort(m->rtxn);
        m->rtxn = NULL;
        let_writers_in(m);
        return mirror_fail(m, rc, "begin");
    }
    m->reading = m->addr_stale = 1;
    return 0;
}

void
mirror_end(struct mirror *m)
{
    if (m->reading || m->paused) {
        mdb_txn_reset(m->rtxn);
        let_writers_in(m);
    }
    m->reading = m->paused = 0;
}

void
mirror_pause(struct mirror *m)
{
    m->paused = m->reading;
    m->reading = 0;
}

uint64_t
mirror_snapshot(struct mirror *m)
{
    MDB_txn *txn = mirror_txn(m);

    return txn ? mdb_txn_id(txn) : 0;
}

uint64_t
mirror_structure(struct mirror *m)
{
    MDB_txn *txn = mirror_txn(m);
    size_t id = txn ? mdb_txn_id(txn) : 0;
    MDB_val v;

    if (id == m->structure_txn && id)
        return m->structure;
    if (mirror_get(m, T_META, "structure", 9, &v) == 1 && v.mv_size == 8)
        m->structure = mirror_u64(v.mv_data);
    m->structure_txn = m->failed ? 0 : id;
    return m->structure;
}

static struct span
take_short(const unsigned char **p, const unsigned char *end)
{
    struct span s = {NULL, 0};
    size_t n;

    if (*p >= end)
        return s;
    n = **p;
    if (n > (size_t)(end - *p) - 1)
        return s;
    s.p = (const char *)*p + 1;
    s.n = n;
    *p += 1 + n;
    return s;
}

static uint64_t
u64_be(const unsigned char *p)
{
    uint64_t v = 0;

    for (int i = 0; i < 8; i++)
        v = v << 8 | p[i];
    return v;
}

/* created u64 BE, UUID, parent u32, kind, state, how, forwards, home and standby each after a length byte. */
void
mirror_claim_decode(const MDB_val *v, struct mirror_claim *out)
{
    const unsigned char *p = v->mv_data, *end = p + v->mv_size;

    memset(out, 0, sizeof *out);
    if (v->mv_size < 34)
        return;
    out->created = u64_be(p);
    memcpy(out->uuid, p + 8, UUID_LEN);
    out->parent = mirror_u32(p + 24);
    out->kind = p[28];
    out->state = p[29];
    out->how = p[30];
    out->forwards = p[31];
    p += 32;
    out->home = take_short(&p, end);
    out->standby = take_short(&p, end);
}

int
mirror_org(struct mirror *m, uint32_t number, struct mirror_org *out)
{
    struct org_row row;
    int found = mirror_org_row(m, number, &row);

    if (found != 1)
        return found;
    out->parent = row.parent;
    out->kind = row.kind;
    out->state = row.eff_state;
    out->home = row.eff_home;
    out->standby = row.eff_standby;
    out->quota = row.eff_quota;
    out->deny = row.eff_deny;
    out->domain = row.eff_domain;
    memcpy(out->uuid, row.uuid, UUID_LEN);
    return 1;
}

/* created u64 BE, UUID, number u32, is_alias, catch_all, primary name. */
int
mirror_domain(struct mirror *m, struct span name, struct mirror_domain *out)
{
    MDB_val v;
    const unsigned char *p;
    int found = mirror_get(m, T_DOMAIN, name.p, name.n, &v);

    if (found != 1)
        return found;
    if (v.mv_size < 30)
        return mirror_fail(m, MDB_CORRUPTED, "domain");
    p = v.mv_data;
    memcpy(out->uuid, p + 8, UUID_LEN);
    out->number = mirror_u32(p + 24);
    out->is_alias = p[28];
    out->catch_all = p[29];
    out->primary.p = (const char *)p + 30;
    out->primary.n = v.mv_size - 30;
    return 1;
}

int
mirror_entry(struct mirror *m, const unsigned char uuid[UUID_LEN], struct record *out)
{
    MDB_val v;
    int found = mirror_get(m, T_ENTRY, uuid, UUID_LEN, &v);

    if (found != 1)
        return found;
    if (record_check(v.mv_data, v.mv_size) < 0)
        return mirror_fail(m, MDB_CORRUPTED, "entry");
    out->p = v.mv_data;
    out->n = v.mv_size;
    return 1;
}

long
mirror_meta_get(struct mirror *m, const char *key, char *out, size_t cap)
{
    MDB_val v;

    if (mirror_get(m, T_META, key, strlen(key), &v) != 1 || v.mv_size > cap)
        return -1;
    memcpy(out, v.mv_data, v.mv_size);
    return (long)v.mv_size;
}
