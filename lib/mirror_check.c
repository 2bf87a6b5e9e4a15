/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mirror_check: whether the store on disk is what it was: still there, no shorter, and
 * readable to its last row. LMDB keeps no checksums, and reads through a map: what is
 * missing of the file ends the process that touches it (SIGBUS), so the long look is
 * for a process that may die of it.
 */
#include "mirror_store.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

int
mirror_is_damage(int rc)
{
    return rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND || rc == MDB_INVALID || rc == MDB_PANIC ||
           rc == MDB_CURSOR_FULL || rc == EIO;
}

int
mirror_failed(const struct mirror *m)
{
    return m->failed;
}

int
mirror_damaged(const struct mirror *m)
{
    return m->damaged;
}

static void
file_of(char out[1100], const char *path, const char *name)
{
    snprintf(out, 1100, "%.1000s/%s", path, name);
}

/* LMDB never makes the file shorter. */
const char *
mirror_missing(struct mirror *m)
{
    char file[1100];
    struct stat st;

    file_of(file, m->path, "data.mdb");
    if (stat(file, &st) < 0)
        return errno == ENOENT ? "its file is gone" : strerror(errno);
    if ((uint64_t)st.st_dev != m->dev || (uint64_t)st.st_ino != m->ino)
        return "its file is another one";
    if (st.st_size < m->bytes)
        return "its file is shorter than it was";
    m->bytes = st.st_size;
    return NULL;
}

int
mirror_put_aside(const char *dir)
{
    static const char *const files[] = {"data.mdb", "lock.mdb"};
    char path[1100], from[1100], to[1100];

    snprintf(path, sizeof path, "%.1000s/mirror", dir);
    for (size_t i = 0; i < 2; i++) {
        file_of(from, path, files[i]);
        snprintf(to, sizeof to, "%.1000s/%s.aside", path, files[i]);
        if (rename(from, to) < 0 && errno != ENOENT)
            return -1;
    }
    return 0;
}

/* --- the long look --- */

/* Touch every byte, so that a page that is not there is found. */
static void
touch(const MDB_val *v)
{
    const volatile unsigned char *p = v->mv_data;

    for (size_t i = 0; i < v->mv_size; i++)
        (void)p[i];
}

static int
walk_table(struct mirror *m, enum table t, size_t *rows_r)
{
    MDB_cursor *c;
    MDB_val k, v;
    int rc = mdb_cursor_open(m->rtxn, m->dbi[t], &c);

    if (rc)
        return rc;
    while ((rc = mdb_cursor_get(c, &k, &v, MDB_NEXT)) == 0) {
        touch(&k);
        touch(&v);
        if (t == T_ENTRY && record_check(v.mv_data, v.mv_size) < 0)
            rc = MDB_CORRUPTED;
        if (rc)
            break;
        ++*rows_r;
    }
    mdb_cursor_close(c);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int
walk_all(struct mirror *m)
{
    MDB_stat st;
    int rc = 0;

    for (int t = 0; t < T_N && rc == 0; t++) {
        size_t rows = 0;

        rc = mdb_stat(m->rtxn, m->dbi[t], &st);
        if (rc == 0)
            rc = walk_table(m, (enum table)t, &rows);
        if (rc == 0 && rows != st.ms_entries)
            rc = MDB_CORRUPTED;
    }
    return rc;
}

/* Errors of the system that say nothing of the store: no memory, no descriptor, no permission, no room. */
static int
says_nothing(int rc)
{
    static const int list[] = {ENOMEM, EMFILE, ENFILE, EACCES, EPERM,  EROFS,
                               ENOSPC, EDQUOT, EAGAIN, EINTR,  ESTALE, MDB_READERS_FULL};

    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        if (rc == list[i])
            return 1;
    return 0;
}

int
mirror_verify(const char *dir, size_t map_mib, char *error, size_t error_n)
{
    struct mirror *m = mirror_open(dir, map_mib, error, error_n);
    int rc;

    if (!m)
        return says_nothing(errno) ? -1 : 1;
    rc = mirror_begin(m) < 0 ? MDB_CORRUPTED : walk_all(m);
    if (rc)
        snprintf(error, error_n, "%s: %s", m->path, mdb_strerror(rc));
    mirror_close(&m);
    return rc == 0 ? 0 : says_nothing(rc) ? -1 : 1;
}
