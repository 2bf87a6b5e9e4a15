/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hook_store: key: the row's number, 8 bytes big-endian; value: one byte format, 8 bytes
 * time, then target, account and event, each with its length in two bytes. Number 0
 * holds the number of the next row, so that an empty queue does not begin anew.
 */
#include "hook_store.h"

#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FORMAT    1
#define MODE      0600
#define VALUE_MAX (9 + 3 * 2 + HOOK_NAME_MAX + 512 + HOOK_EVENT_MAX)

struct hook_store {
    MDB_env *env;
    MDB_txn *txn; /* between begin and commit */
    MDB_dbi rows;
    uint64_t next, committed;
    int broken;
    char error[256];
};

static int
fail(struct hook_store *s, int rc, const char *what)
{
    snprintf(s->error, sizeof s->error, "%s: %s", what, mdb_strerror(rc));
    s->broken |= rc == MDB_PANIC;
    if (s->txn)
        mdb_txn_abort(s->txn);
    s->txn = NULL;
    s->next = s->committed;
    return -1;
}

static void
put64(unsigned char *p, uint64_t v)
{
    for (int i = 7; i >= 0; i--, v >>= 8)
        p[i] = (unsigned char)v;
}

static uint64_t
get64(const unsigned char *p)
{
    uint64_t v = 0;

    for (int i = 0; i < 8; i++)
        v = v << 8 | p[i];
    return v;
}

/* --- rows --- */

static size_t
put_span(unsigned char *p, struct span s)
{
    p[0] = (unsigned char)(s.n >> 8);
    p[1] = (unsigned char)s.n;
    memcpy(p + 2, s.p ? s.p : "", s.n);
    return 2 + s.n;
}

/* 0, or -1: it ends too early. */
static int
get_span(const unsigned char **p, const unsigned char *end, struct span *out)
{
    size_t n;

    if (end - *p < 2)
        return -1;
    n = (size_t)(*p)[0] << 8 | (*p)[1];
    if ((size_t)(end - *p - 2) < n)
        return -1;
    *out = (struct span){(const char *)*p + 2, n};
    *p += 2 + n;
    return 0;
}

static int
unpack(const MDB_val *k, const MDB_val *v, struct hook_row *r)
{
    const unsigned char *p = v->mv_data, *end = p + v->mv_size;

    if (k->mv_size != 8 || v->mv_size < 9 || *p != FORMAT)
        return -1;
    r->seq = get64(k->mv_data);
    r->stored_ms = get64(p + 1);
    p += 9;
    return get_span(&p, end, &r->target) < 0 || get_span(&p, end, &r->account) < 0 ||
                   get_span(&p, end, &r->event) < 0
               ? -1
               : 0;
}

static int
put_row(struct hook_store *s, uint64_t seq, const void *value, size_t n)
{
    unsigned char key[8];
    MDB_val k = {sizeof key, key}, v = {n, (void *)value};
    int rc;

    put64(key, seq);
    rc = mdb_put(s->txn, s->rows, &k, &v, 0);
    return rc ? fail(s, rc, "put") : 0;
}

int
hook_store_put(struct hook_store *s, const struct hook_row *r)
{
    unsigned char value[VALUE_MAX];
    size_t n = 9;

    if (r->target.n > HOOK_NAME_MAX || r->account.n > 512 || r->event.n > HOOK_EVENT_MAX)
        return fail(s, MDB_BAD_VALSIZE, "put");
    value[0] = FORMAT;
    put64(value + 1, r->stored_ms);
    n += put_span(value + n, r->target);
    n += put_span(value + n, r->account);
    n += put_span(value + n, r->event);
    if (put_row(s, r->seq, value, n) < 0)
        return -1;
    s->next = r->seq + 1;
    return 0;
}

int
hook_store_remove(struct hook_store *s, uint64_t seq)
{
    unsigned char key[8];
    MDB_val k = {sizeof key, key};
    int rc;

    put64(key, seq);
    rc = mdb_del(s->txn, s->rows, &k, NULL);
    return rc && rc != MDB_NOTFOUND ? fail(s, rc, "remove") : 0;
}

int
hook_store_begin(struct hook_store *s)
{
    int rc = mdb_txn_begin(s->env, NULL, 0, &s->txn);

    if (rc)
        s->txn = NULL;
    return rc ? fail(s, rc, "begin") : 0;
}

int
hook_store_commit(struct hook_store *s)
{
    unsigned char next[8];
    int rc;

    put64(next, s->next);
    if (s->next != s->committed && put_row(s, 0, next, sizeof next) < 0)
        return -1;
    rc = mdb_txn_commit(s->txn);
    s->txn = NULL;
    if (rc)
        return fail(s, rc, "commit");
    s->committed = s->next;
    return 0;
}

/* --- reading --- */

static int
each(struct hook_store *s, MDB_txn *txn, int (*fn)(void *, const struct hook_row *), void *ctx)
{
    struct hook_row r;
    MDB_cursor *c;
    MDB_val k, v;
    int rc = mdb_cursor_open(txn, s->rows, &c);

    if (rc)
        return rc;
    for (rc = mdb_cursor_get(c, &k, &v, MDB_FIRST); rc == 0;
         rc = mdb_cursor_get(c, &k, &v, MDB_NEXT))
        if (k.mv_size == 8 && get64(k.mv_data) != 0 && unpack(&k, &v, &r) == 0 && fn(ctx, &r))
            break;
    mdb_cursor_close(c);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

int
hook_store_each(struct hook_store *s, int (*fn)(void *, const struct hook_row *), void *ctx)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn);

    if (rc)
        return fail(s, rc, "read");
    rc = each(s, txn, fn, ctx);
    mdb_txn_abort(txn);
    return rc ? fail(s, rc, "read") : 0;
}

int
hook_store_event(struct hook_store *s, uint64_t seq, char out[HOOK_EVENT_MAX], size_t *n_r)
{
    unsigned char key[8];
    MDB_val k = {sizeof key, key}, v;
    struct hook_row r;
    MDB_txn *txn;
    int rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn);

    if (rc)
        return fail(s, rc, "read");
    put64(key, seq);
    rc = mdb_get(txn, s->rows, &k, &v);
    if (rc == 0 && (unpack(&k, &v, &r) < 0 || r.event.n > HOOK_EVENT_MAX))
        rc = MDB_CORRUPTED;
    if (rc == 0) {
        memcpy(out, r.event.p, r.event.n);
        *n_r = r.event.n;
    }
    mdb_txn_abort(txn);
    if (rc == MDB_NOTFOUND)
        return 0;
    return rc ? fail(s, rc, "read") : 1;
}

uint64_t
hook_store_next(const struct hook_store *s)
{
    return s->next;
}

int
hook_store_is_broken(const struct hook_store *s)
{
    return s->broken;
}

const char *
hook_store_error(const struct hook_store *s)
{
    return s->error;
}

/* --- opening --- */

/* Where the numbers go on; seq 0 when the store is new. */
static int
load_next(struct hook_store *s)
{
    unsigned char key[8] = {0};
    MDB_val k = {sizeof key, key}, v;
    int rc = mdb_txn_begin(s->env, NULL, 0, &s->txn);

    if (rc == 0)
        rc = mdb_dbi_open(s->txn, NULL, 0, &s->rows);
    if (rc == 0) {
        rc = mdb_get(s->txn, s->rows, &k, &v);
        s->next = rc == 0 && v.mv_size == 8 ? get64(v.mv_data) : 1;
        rc = rc == MDB_NOTFOUND ? 0 : rc;
    }
    if (rc) {
        mdb_txn_abort(s->txn);
        s->txn = NULL;
        return rc;
    }
    s->committed = s->next;
    rc = mdb_txn_commit(s->txn);
    s->txn = NULL;
    return rc;
}

/* Room for all rows twice, as pages are used again only after a commit; and for half-full pages. */
static int
open_env(struct hook_store *s, const char *dir, uint64_t max_bytes)
{
    int rc = mdb_env_create(&s->env);

    if (rc == 0)
        rc = mdb_env_set_mapsize(s->env, (size_t)(3 * max_bytes + (16u << 20)));
    if (rc == 0)
        rc = mdb_env_open(s->env, dir, MDB_NOTLS, MODE);
    return rc ? rc : load_next(s);
}

struct hook_store *
hook_store_open(const char *dir, uint64_t max_bytes, char *error, size_t error_n)
{
    struct hook_store *s = calloc(1, sizeof *s);
    int rc;

    if (!s) {
        snprintf(error, error_n, "no memory");
        return NULL;
    }
    mkdir(dir, 0700);
    rc = open_env(s, dir, max_bytes);
    if (rc == 0)
        return s;
    snprintf(error, error_n, "%s: %s", dir, mdb_strerror(rc));
    hook_store_close(&s);
    return NULL;
}

void
hook_store_close(struct hook_store **s)
{
    if (!*s)
        return;
    if ((*s)->txn)
        mdb_txn_abort((*s)->txn);
    if ((*s)->env)
        mdb_env_close((*s)->env);
    free(*s);
    *s = NULL;
}
