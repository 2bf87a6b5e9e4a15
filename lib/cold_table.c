/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cold_table: see cold_table.h.
 *
 * How Postfix reads: MDB_NOLOCK, and a shared fcntl() lock on the file for each lookup.
 * A writer first has the exclusive lock, for a moment: then nobody reads an older state
 * than the last, and the pages of those before may be used anew. It goes back to the shared
 * lock at once and keeps that until the commit is on disk, as postmap(1) does: readers go on
 * meanwhile with the state before, and other writers stay away.
 * A table that outgrows its map is given twice as large a one; Postfix follows by itself.
 */
#include "cold_table.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <lmdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAP_MIN  ((size_t)16 << 20) /* as Postfix begins, see lmdb_map_size in postconf(5) */
#define MAP_MAX  ((size_t)1 << 40)
#define PATH_LEN 1100

struct cold_table {
    MDB_env *env;
    MDB_dbi dbi;
    int fd, is_new, broken;
    size_t map, rows;
    dev_t dev;
    ino_t ino;
    char path[PATH_LEN], made[PATH_LEN + 8]; /* made: where a new one is filled */
    char error[PATH_LEN + 256];
};

static int
is_broken(int rc)
{
    return rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND || rc == MDB_INVALID ||
           rc == MDB_VERSION_MISMATCH || rc == MDB_INCOMPATIBLE;
}

static int
fail(struct cold_table *t, int rc, const char *what)
{
    snprintf(t->error, sizeof t->error, "%s: %s: %s", t->path, what, mdb_strerror(rc));
    t->broken = is_broken(rc);
    return -1;
}

const char *
cold_table_error(const struct cold_table *t)
{
    return t->error;
}

int
cold_table_broken(const struct cold_table *t)
{
    return t->broken;
}

int
cold_table_is_new(const struct cold_table *t)
{
    return t->is_new;
}

size_t
cold_table_rows(const struct cold_table *t)
{
    return t->rows;
}

/* --- locks --- */

static int
set_lock(const struct cold_table *t, short type)
{
    struct flock l = {.l_type = type, .l_whence = SEEK_SET};

    return fcntl(t->fd, F_SETLK, &l) < 0 ? errno : 0;
}

/*
 * The lock, at the latest after wait_ms. Tried again and again: F_SETLKW would wait for ever for a
 * reader that was stopped while it read.
 */
static int
take_lock(const struct cold_table *t, short type, int wait_ms)
{
    static const struct timespec nap = {0, 1000000};
    int rc;

    while ((rc = set_lock(t, type)) == EAGAIN || rc == EACCES || rc == EINTR) {
        if (wait_ms-- <= 0)
            return EBUSY;
        nanosleep(&nap, NULL);
    }
    return rc;
}

static int
writer_lock(const struct cold_table *t, int wait_ms)
{
    int rc = take_lock(t, F_WRLCK, wait_ms);

    return rc ? rc : set_lock(t, F_RDLCK);
}

/* --- opening --- */

/* A file that was cut short would kill whoever reads its missing pages. */
static int
is_whole(const struct cold_table *t, const struct stat *st)
{
    MDB_envinfo info;
    MDB_stat stat;

    if (mdb_env_info(t->env, &info) || mdb_env_stat(t->env, &stat))
        return 0;
    return (uint64_t)st->st_size >= ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize;
}

static int
open_main(struct cold_table *t)
{
    MDB_txn *txn;
    MDB_stat st;
    int rc = mdb_txn_begin(t->env, NULL, MDB_RDONLY, &txn);

    if (rc)
        return rc;
    rc = mdb_dbi_open(txn, NULL, 0, &t->dbi);
    if (!rc)
        rc = mdb_stat(txn, t->dbi, &st);
    if (rc) {
        mdb_txn_abort(txn);
        return rc;
    }
    t->rows = st.ms_entries;
    return mdb_txn_commit(txn);
}

static int
open_env(struct cold_table *t, const char *file, mode_t mode)
{
    unsigned flags = MDB_NOSUBDIR | MDB_NOLOCK | MDB_NOTLS | (t->is_new ? MDB_NOSYNC : 0);
    struct stat st;
    int rc;

    t->map = MAP_MIN;
    if (stat(file, &st) == 0)
        while (t->map < (size_t)st.st_size * 2)
            t->map *= 2;
    rc = mdb_env_create(&t->env);
    if (rc)
        return rc;
    rc = mdb_env_set_mapsize(t->env, t->map);
    if (!rc)
        rc = mdb_env_open(t->env, file, flags, mode);
    if (!rc)
        rc = mdb_env_get_fd(t->env, &t->fd);
    if (!rc && (fstat(t->fd, &st) < 0 || (t->is_new && fchmod(t->fd, mode) < 0)))
        rc = errno;
    if (!rc && !is_whole(t, &st))
        rc = MDB_CORRUPTED;
    t->dev = st.st_dev;
    t->ino = st.st_ino;
    return rc ? rc : open_main(t);
}

static void
close_env(struct cold_table *t)
{
    if (t->env)
        mdb_env_close(t->env);
    t->env = NULL;
}

/* Begin one where nobody reads it yet. */
static int
begin_anew(struct cold_table *t, mode_t mode)
{
    if (unlink(t->made) < 0 && errno != ENOENT)
        return errno;
    t->is_new = 1;
    return open_env(t, t->made, mode);
}

/* Open what is there, or begin anew. */
static int
open_or_begin(struct cold_table *t, mode_t mode, int anew)
{
    int rc = anew || access(t->path, F_OK) < 0 ? MDB_NOTFOUND : open_env(t, t->path, mode);

    if (rc != MDB_NOTFOUND && !is_broken(rc))
        return rc;
    close_env(t);
    return begin_anew(t, mode);
}

struct cold_table *
cold_table_open(const char *path, mode_t mode, int anew, char *error, size_t error_n)
{
    struct cold_table *t = calloc(1, sizeof *t);
    int rc = ENOMEM;

    if (t) {
        snprintf(t->path, sizeof t->path, "%s", path);
        snprintf(t->made, sizeof t->made, "%s.new", path);
        rc = open_or_begin(t, mode, anew);
    }
    if (!rc)
        return t;
    snprintf(error, error_n, "%s: %s", path, mdb_strerror(rc));
    cold_table_close(&t);
    return NULL;
}

void
cold_table_close(struct cold_table **tp)
{
    struct cold_table *t = *tp;

    if (!t)
        return;
    close_env(t);
    free(t);
    *tp = NULL;
}

static int
sync_folder(const char *path)
{
    char folder[PATH_LEN];
    int fd, rc;

    snprintf(folder, sizeof folder, "%s", path);
    fd = open(dirname(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    rc = fsync(fd) < 0 ? errno : 0;
    close(fd);
    return rc;
}

int
cold_table_publish(struct cold_table *t)
{
    int rc = mdb_env_set_flags(t->env, MDB_NOSYNC, 0);

    if (!rc)
        rc = mdb_env_sync(t->env, 1);
    if (!rc && rename(t->made, t->path) < 0)
        rc = errno;
    if (rc)
        return fail(t, rc, "publish");
    t->is_new = 0;
    rc = sync_folder(t->path);
    return rc ? fail(t, rc, "publish") : 0;
}

int
cold_table_lost(const struct cold_table *t)
{
    struct stat st;

    return stat(t->is_new ? t->made : t->path, &st) < 0 || st.st_dev != t->dev ||
           st.st_ino != t->ino;
}

/* --- writing --- */

/* Bring one row to what it shall be: *changed grows when it was not. */
static int
put_row(struct cold_table *t, MDB_txn *txn, const struct cold_row *row, size_t *changed)
{
    char key[COLD_KEY_MAX + 1];
    MDB_val k = {row->key.n + 1, key}, v;
    int rc;

    memcpy(key, row->key.p, row->key.n);
    key[row->key.n] = '\0';
    rc = mdb_get(txn, t->dbi, &k, &v);
    if (rc && rc != MDB_NOTFOUND)
        return rc;
    if (!row->value.p && rc == MDB_NOTFOUND)
        return 0;
    if (row->value.p && !rc && v.mv_size == row->value.n + 1 &&
        memcmp(v.mv_data, row->value.p, row->value.n) == 0)
        return 0;
    ++*changed;
    if (!row->value.p)
        return mdb_del(txn, t->dbi, &k, NULL);
    v = (MDB_val){row->value.n + 1, NULL};
    rc = mdb_put(txn, t->dbi, &k, &v, MDB_RESERVE);
    if (rc)
        return rc;
    memcpy(v.mv_data, row->value.p, row->value.n);
    ((char *)v.mv_data)[row->value.n] = '\0';
    return 0;
}

/* With the lock held. */
static int
write_rows(struct cold_table *t, const struct cold_row *rows, size_t n, size_t *changed)
{
    MDB_txn *txn;
    MDB_stat st;
    int rc = mdb_txn_begin(t->env, NULL, 0, &txn);

    *changed = 0;
    if (rc)
        return rc;
    for (size_t i = 0; i < n && !rc; i++)
        if (rows[i].key.n > 0 && rows[i].key.n <= COLD_KEY_MAX)
            rc = put_row(t, txn, &rows[i], changed);
    if (!rc)
        rc = mdb_stat(txn, t->dbi, &st);
    if (rc || *changed == 0) {
        mdb_txn_abort(txn);
        return rc;
    }
    rc = mdb_txn_commit(txn);
    if (!rc)
        t->rows = st.ms_entries;
    return rc;
}

static int
grow(struct cold_table *t)
{
    if (t->map >= MAP_MAX)
        return MDB_MAP_FULL;
    t->map *= 2;
    return mdb_env_set_mapsize(t->env, t->map);
}

int
cold_table_write(struct cold_table *t, const struct cold_row *rows, size_t n, int wait_ms,
                 size_t *changed_r)
{
    int rc;

    *changed_r = 0;
    do {
        rc = writer_lock(t, wait_ms);
        if (rc)
            return fail(t, rc, "lock");
        rc = write_rows(t, rows, n, changed_r);
        set_lock(t, F_UNLCK);
        if (rc == MDB_MAP_RESIZED) /* by another writer */
            rc = mdb_env_set_mapsize(t->env, 0) ? rc : MDB_MAP_FULL;
    } while (rc == MDB_MAP_FULL && grow(t) == 0);
    return rc ? fail(t, rc, "write") : 0;
}

/* --- looking over --- */

/* Rows that were not written by us need not look like ours: those are passed over. */
static int
is_key(const MDB_val *k)
{
    return k->mv_size > 1 &&
           memchr(k->mv_data, '\0', k->mv_size) == (const char *)k->mv_data + k->mv_size - 1;
}

static int
each_key(struct cold_table *t, struct span after, int (*fn)(void *, struct span), void *ctx,
         int *stopped)
{
    char key[COLD_KEY_MAX + 1];
    MDB_val k = {after.n + 1, key}, v;
    MDB_cursor *c;
    MDB_txn *txn;
    int rc = mdb_txn_begin(t->env, NULL, MDB_RDONLY, &txn);

    if (rc)
        return rc;
    rc = mdb_cursor_open(txn, t->dbi, &c);
    if (!rc) {
        memcpy(key, after.p ? after.p : "", after.n);
        key[after.n] = '\0';
        rc = mdb_cursor_get(c, &k, &v, after.n ? MDB_SET_RANGE : MDB_FIRST);
        if (!rc && after.n && k.mv_size == after.n + 1 && memcmp(k.mv_data, key, k.mv_size) == 0)
            rc = mdb_cursor_get(c, &k, &v, MDB_NEXT);
        for (; !rc && !*stopped; rc = *stopped ? 0 : mdb_cursor_get(c, &k, &v, MDB_NEXT))
            *stopped = is_key(&k) && fn(ctx, (struct span){k.mv_data, k.mv_size - 1});
        mdb_cursor_close(c);
    }
    mdb_txn_abort(txn);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

int
cold_table_each(struct cold_table *t, struct span after, int wait_ms,
                int (*fn)(void *, struct span key), void *ctx)
{
    int stopped = 0, rc;

    if (after.n > COLD_KEY_MAX)
        return fail(t, EINVAL, "read");
    rc = take_lock(t, F_RDLCK, wait_ms);
    if (rc)
        return fail(t, rc, "lock");
    rc = each_key(t, after, fn, ctx, &stopped);
    set_lock(t, F_UNLCK);
    return rc ? fail(t, rc, "read") : !stopped;
}
