/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mirror_tree: where entries stand in the tree, and what they inherit from there.
 *
 * A container has a number; its children name that number, never its DN. So a
 * container that is renamed keeps its number and nothing below it is touched. A
 * container we only heard of as somebody's parent gets a number in advance.
 * Writer only; every function runs inside the write transaction.
 */
#include "mirror_store.h"

#include <errno.h>
#include <stdlib.h>

#define DEPTH_MAX 64 /* a tree deeper than this has a cycle */

static void
put_u32(unsigned char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (unsigned char)(v >> (8 * i));
}

static void
put_u32_be(unsigned char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (unsigned char)(v >> (24 - 8 * i));
}

static int
uuid_empty(const unsigned char *uuid)
{
    static const unsigned char zero[UUID_LEN];

    return memcmp(uuid, zero, UUID_LEN) == 0;
}

int
mirror_tables_put(struct mirror *m, enum table t, const void *key, size_t kn, const void *v,
                  size_t vn)
{
    MDB_val k = {kn, (void *)key}, d = {vn, (void *)v};
    int rc = mdb_put(m->wtxn, m->dbi[t], &k, &d, 0);

    return rc ? mirror_fail(m, rc, "put") : 0;
}

int
mirror_tables_del(struct mirror *m, enum table t, const void *key, size_t kn)
{
    MDB_val k = {kn, (void *)key};
    int rc = mdb_del(m->wtxn, m->dbi[t], &k, NULL);

    return rc && rc != MDB_NOTFOUND ? mirror_fail(m, rc, "delete") : 0;
}

/* --- dn rows --- */

static size_t
dn_key(unsigned char *key, uint32_t parent, struct span nrdn)
{
    put_u32_be(key, parent);
    memcpy(key + 4, nrdn.p, nrdn.n);
    return 4 + nrdn.n;
}

int
mirror_dn_row(struct mirror *m, uint32_t parent, struct span nrdn, struct dn_row *out)
{
    unsigned char key[4 + MIRROR_RDN_MAX];
    MDB_val v;
    int found;

    if (nrdn.n > MIRROR_RDN_MAX)
        return 0;
    found = mirror_get(m, T_DN, key, dn_key(key, parent, nrdn), &v);
    if (found != 1)
        return found;
    if (v.mv_size != UUID_LEN + 4)
        return mirror_fail(m, MDB_CORRUPTED, "dn");
    memcpy(out->uuid, v.mv_data, UUID_LEN);
    out->number = mirror_u32((char *)v.mv_data + UUID_LEN);
    return 1;
}

int
mirror_dn_put(struct mirror *m, uint32_t parent, struct span nrdn, const struct dn_row *row)
{
    unsigned char key[4 + MIRROR_RDN_MAX], v[UUID_LEN + 4];

    memcpy(v, row->uuid, UUID_LEN);
    put_u32(v + UUID_LEN, row->number);
    return mirror_tables_put(m, T_DN, key, dn_key(key, parent, nrdn), v, sizeof v);
}

int
mirror_dn_del(struct mirror *m, uint32_t parent, struct span nrdn)
{
    unsigned char key[4 + MIRROR_RDN_MAX];

    m->last_parent_n = 0;
    return mirror_tables_del(m, T_DN, key, dn_key(key, parent, nrdn));
}

int
mirror_has_children(struct mirror *m, uint32_t number)
{
    unsigned char prefix[4];
    MDB_val k = {4, prefix}, v;
    MDB_cursor *c;
    int rc;

    put_u32_be(prefix, number);
    rc = mdb_cursor_open(m->wtxn, m->dbi[T_DN], &c);
    if (rc)
        return mirror_fail(m, rc, "dn");
    rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
    mdb_cursor_close(c);
    if (rc && rc != MDB_NOTFOUND)
        return mirror_fail(m, rc, "dn");
    return !rc && k.mv_size >= 4 && memcmp(k.mv_data, prefix, 4) == 0;
}

/* --- org rows: parent u32, kind, state, eff_state, 0, UUID, then ORG_SPANS times length u16, bytes --- */

static struct span *
org_span(struct org_row *row, int i)
{
    struct span *const all[ORG_SPANS] = {&row->nrdn,     &row->home,        &row->standby,
                                         &row->quota,    &row->deny,        &row->domain,
                                         &row->eff_home, &row->eff_standby, &row->eff_quota,
                                         &row->eff_deny, &row->eff_domain};

    return all[i];
}

static int
org_decode(const MDB_val *v, struct org_row *row)
{
    const unsigned char *p = v->mv_data, *end = p + v->mv_size;

    if (v->mv_size < 8 + UUID_LEN)
        return -1;
    row->parent = mirror_u32(p);
    row->kind = p[4];
    row->state = p[5];
    row->eff_state = p[6];
    memcpy(row->uuid, p + 8, UUID_LEN);
    p += 8 + UUID_LEN;
    for (int i = 0; i < ORG_SPANS; i++) {
        struct span *s = org_span(row, i);

        if (end - p < 2 || end - p < 2 + (p[0] | p[1] << 8))
            return -1;
        s->n = p[0] | p[1] << 8;
        s->p = (const char *)p + 2;
        p += 2 + s->n;
    }
    return 0;
}

/* Returns the row's length in out (ORG_ROW_MAX bytes), 0 when it does not fit. */
static size_t
org_encode(const struct org_row *row, unsigned char *out)
{
    struct org_row copy = *row;
    size_t n = 8 + UUID_LEN;

    put_u32(out, row->parent);
    out[4] = row->kind;
    out[5] = row->state;
    out[6] = row->eff_state;
    out[7] = 0;
    memcpy(out + 8, row->uuid, UUID_LEN);
    for (int i = 0; i < ORG_SPANS; i++) {
        struct span *s = org_span(&copy, i);

        if (n + 2 + s->n > ORG_ROW_MAX)
            return 0;
        out[n++] = (unsigned char)s->n;
        out[n++] = (unsigned char)(s->n >> 8);
        if (s->n)
            memcpy(out + n, s->p, s->n);
        n += s->n;
    }
    return n;
}

int
mirror_org_row(struct mirror *m, uint32_t number, struct org_row *out)
{
    unsigned char key[4];
    MDB_val v;
    int found;

    put_u32_be(key, number);
    found = mirror_get(m, T_ORG, key, 4, &v);
    if (found == 1 && org_decode(&v, out) < 0)
        return mirror_fail(m, MDB_CORRUPTED, "org");
    return found;
}

int
mirror_org_put(struct mirror *m, uint32_t number, const struct org_row *row)
{
    unsigned char key[4], v[ORG_ROW_MAX];
    size_t n = org_encode(row, v);

    put_u32_be(key, number);
    if (!n)
        return mirror_fail(m, MDB_BAD_VALSIZE, "org");
    m->structure_dirty = 1; /* if only by its name */
    return mirror_tables_put(m, T_ORG, key, 4, v, n);
}

static void
join_items(const struct record *r, enum record_tag wanted, char *out, size_t cap, struct span *s)
{
    size_t pos = 0, n = 0;
    enum record_tag tag;
    struct span v;

    while (record_next(r, &pos, &tag, &v)) {
        if (tag != wanted || n + v.n + 1 > cap)
            continue;
        if (n)
            out[n++] = ' ';
        memcpy(out + n, v.p, v.n);
        n += v.n;
    }
    s->p = out;
    s->n = n;
}

int
mirror_org_from_record(struct mirror *m, uint32_t number, uint32_t parent, struct span nrdn,
                       const unsigned char uuid[UUID_LEN], const struct record *r)
{
    struct org_row row = {.parent = parent, .nrdn = nrdn};
    char deny[1024];

    memcpy(row.uuid, uuid, UUID_LEN);
    row.kind = (uint8_t)record_kind(r);
    if (row.kind == KIND_DOMAIN || row.kind == KIND_DEPARTMENT) {
        row.state = (uint8_t)record_state(r);
        record_find(r, TAG_HOME, &row.home);
        record_find(r, TAG_STANDBY, &row.standby);
        record_find(r, TAG_QUOTA, &row.quota);
        record_find(r, TAG_DOMAIN, &row.domain);
        join_items(r, TAG_DENY, deny, sizeof deny, &row.deny);
    }
    m->org_dirty = 1;
    return mirror_org_put(m, number, &row);
}

int
mirror_number_of(struct mirror *m, const unsigned char uuid[UUID_LEN], uint32_t *number)
{
    MDB_val v;
    int found = mirror_get(m, T_NUMBER, uuid, UUID_LEN, &v);

    *number = found == 1 ? mirror_u32(v.mv_data) : 0;
    return found;
}

/* Give the entry (or the yet unknown one) at this place a number. */
int
mirror_number_new(struct mirror *m, uint32_t parent, struct span nrdn, struct dn_row *row)
{
    struct org_row org = {.parent = parent, .nrdn = nrdn};
    struct record r;
    unsigned char v[4];

    row->number = m->next_number++;
    put_u32(v, row->number);
    if (!uuid_empty(row->uuid)) {
        if (mirror_entry(m, row->uuid, &r) == 1) {
            if (mirror_org_from_record(m, row->number, parent, nrdn, row->uuid, &r) < 0)
                return -1;
        } else if (mirror_org_put(m, row->number, &org) < 0) {
            return -1;
        }
        if (mirror_tables_put(m, T_NUMBER, row->uuid, UUID_LEN, v, 4) < 0)
            return -1;
    } else if (mirror_org_put(m, row->number, &org) < 0) {
        return -1;
    }
    m->org_dirty = 1;
    return mirror_dn_put(m, parent, nrdn, row);
}

int
mirror_container(struct mirror *m, struct span ndn, uint32_t *number)
{
    struct span nrdn = ndn, up;
    struct dn_row row;
    uint32_t parent = 0;
    int found;

    if (ndn.n == m->last_parent_n && memcmp(ndn.p, m->last_parent, ndn.n) == 0) {
        *number = m->last_parent_number;
        return 0;
    }
    if (!mirror_is_base(m, ndn)) {
        mirror_dn_split(ndn, &nrdn, &up);
        if (up.n == 0 || nrdn.n > MIRROR_RDN_MAX)
            return mirror_fail(m, EINVAL, "a DN outside the base");
        if (mirror_container(m, up, &parent) < 0)
            return -1;
    }
    found = mirror_dn_row(m, parent, nrdn, &row);
    if (found < 0)
        return -1;
    if (!found)
        memset(&row, 0, sizeof row);
    if (!row.number && mirror_number_new(m, parent, nrdn, &row) < 0)
        return -1;
    memcpy(m->last_parent, ndn.p, ndn.n);
    m->last_parent_n = ndn.n;
    *number = m->last_parent_number = row.number;
    return 0;
}

/* --- moving what was filed under a number given in advance --- */

static int
move_child(struct mirror *m, uint32_t from, uint32_t into, struct span nrdn, struct dn_row *row)
{
    unsigned char *copy;
    struct org_row org;
    struct record r;
    int rc = 0;

    if (mirror_dn_del(m, from, nrdn) < 0 || mirror_dn_put(m, into, nrdn, row) < 0)
        return -1;
    if (row->number) {
        if (mirror_org_row(m, row->number, &org) != 1)
            return mirror_fail(m, MDB_CORRUPTED, "org");
        org.parent = into;
        if (mirror_org_put(m, row->number, &org) < 0)
            return -1;
    }
    if (uuid_empty(row->uuid) || mirror_entry(m, row->uuid, &r) != 1)
        return 0;
    copy = malloc(r.n);
    if (!copy)
        return mirror_fail(m, ENOMEM, "move");
    memcpy(copy, r.p, r.n);
    r.p = copy;
    if (mirror_index(m, row->uuid, &r, row->number, 0) < 0)
        rc = -1;
    record_set_parent(copy, into);
    if (rc || mirror_index(m, row->uuid, &r, row->number, 1) < 0 ||
        mirror_tables_put(m, T_ENTRY, row->uuid, UUID_LEN, copy, r.n) < 0)
        rc = -1;
    free(copy);
    return rc;
}

int
mirror_org_merge(struct mirror *m, uint32_t from, uint32_t into)
{
    unsigned char prefix[4], key[4 + MIRROR_RDN_MAX];
    MDB_cursor *c;
    struct dn_row row;
    int rc;

    put_u32_be(prefix, from);
    for (;;) {
        MDB_val k = {4, prefix}, v;
        struct span nrdn;

        rc = mdb_cursor_open(m->wtxn, m->dbi[T_DN], &c);
        if (rc)
            return mirror_fail(m, rc, "dn");
        rc = mdb_cursor_get(c, &k, &v, MDB_SET_RANGE);
        mdb_cursor_close(c);
        if (rc == MDB_NOTFOUND || (!rc && memcmp(k.mv_data, prefix, 4) != 0))
            break;
        if (rc)
            return mirror_fail(m, rc, "dn");
        memcpy(key, k.mv_data, k.mv_size);
        memcpy(row.uuid, v.mv_data, UUID_LEN);
        row.number = mirror_u32((char *)v.mv_data + UUID_LEN);
        nrdn.p = (const char *)key + 4;
        nrdn.n = k.mv_size - 4;
        if (move_child(m, from, into, nrdn, &row) < 0)
            return -1;
    }
    m->org_dirty = 1;
    m->last_parent_n = 0;
    return mirror_tables_del(m, T_ORG, prefix, 4);
}

/* --- inheritance --- */

struct org_list {
    uint32_t *number;
    struct org_row *row;
    size_t n, cap;
};

static int
list_read(struct mirror *m, struct org_list *l)
{
    MDB_cursor *c = NULL;
    MDB_val k, v;
    int rc = mdb_cursor_open(m->wtxn, m->dbi[T_ORG], &c);

    for (int op = MDB_FIRST; !rc; op = MDB_NEXT) {
        rc = mdb_cursor_get(c, &k, &v, op);
        if (rc)
            break;
        if (l->n == l->cap) {
            size_t cap = l->cap ? l->cap * 2 : 256;
            uint32_t *number = realloc(l->number, cap * sizeof *number);
            struct org_row *row;

            if (number)
                l->number = number;
            row = number ? realloc(l->row, cap * sizeof *row) : NULL;
            if (!row) {
                rc = ENOMEM;
                break;
            }
            l->row = row;
            l->cap = cap;
        }
        const unsigned char *b = k.mv_data;
        l->number[l->n] = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
        rc = org_decode(&v, &l->row[l->n]) < 0 ? MDB_CORRUPTED : 0;
        l->n++;
    }
    if (c)
        mdb_cursor_close(c);
    return rc == MDB_NOTFOUND ? 0 : mirror_fail(m, rc, "org");
}

static struct org_row *
list_find(struct org_list *l, uint32_t number)
{
    size_t lo = 0, hi = l->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (l->number[mid] < number)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < l->n && l->number[lo] == number ? &l->row[lo] : NULL;
}

static uint8_t
stricter(uint8_t a, uint8_t b)
{
    static const uint8_t rank[STATE_LAST + 1] = {
        [STATE_SUSPENDED] = 1, [STATE_MOVING] = 2, [STATE_DISABLED] = 3};

    return rank[b <= STATE_LAST ? b : 0] > rank[a <= STATE_LAST ? a : 0] ? b : a;
}

/* Fill the eff_ values of a row by walking up; they point into other rows, or into deny. */
static void
inherit_one(struct org_list *l, struct org_row *row, char *deny, size_t deny_cap)
{
    struct org_row *up = row;
    size_t n = 0;

    row->eff_home = row->eff_standby = row->eff_quota = row->eff_domain = (struct span){NULL, 0};
    row->eff_state = STATE_UNSET;
    for (int depth = 0; up && depth < DEPTH_MAX; depth++) {
        if (!row->eff_home.n)
            row->eff_home = up->home;
        if (!row->eff_standby.n)
            row->eff_standby = up->standby;
        if (!row->eff_quota.n)
            row->eff_quota = up->quota;
        if (!row->eff_domain.n)
            row->eff_domain = up->domain;
        row->eff_state = stricter(row->eff_state, up->state);
        if (up->deny.n && n + up->deny.n + 1 < deny_cap) {
            if (n)
                deny[n++] = ' ';
            memcpy(deny + n, up->deny.p, up->deny.n);
            n += up->deny.n;
        }
        up = up->parent ? list_find(l, up->parent) : NULL;
    }
    row->eff_deny = (struct span){deny, n};
}

static int
inherit_store(struct mirror *m, struct org_list *l)
{
    unsigned char v[ORG_ROW_MAX], key[4];
    char deny[2048];

    /* Rows point into pages that a write may move: read all, write what differs, one by one. */
    for (size_t i = 0; i < l->n; i++) {
        struct org_row row = l->row[i];
        MDB_val old;
        size_t n;

        inherit_one(l, &row, deny, sizeof deny);
        n = org_encode(&row, v);
        put_u32_be(key, l->number[i]);
        if (!n)
            return mirror_fail(m, MDB_BAD_VALSIZE, "org");
        if (mirror_get(m, T_ORG, key, 4, &old) == 1 && old.mv_size == n &&
            memcmp(old.mv_data, v, n) == 0)
            continue;
        m->structure_dirty = 1;
        if (mirror_tables_put(m, T_ORG, key, 4, v, n) < 0)
            return -1;
    }
    return 0;
}

/* The rows' spans must outlive the writes: copy each row's bytes first. */
static int
list_own(struct mirror *m, struct org_list *l, char **pool_r)
{
    size_t total = 0, at = 0;

    for (size_t i = 0; i < l->n; i++)
        for (int s = 0; s < 6; s++)
            total += org_span(&l->row[i], s)->n;
    *pool_r = malloc(total + 1);
    if (!*pool_r)
        return mirror_fail(m, ENOMEM, "org");
    for (size_t i = 0; i < l->n; i++) {
        for (int s = 0; s < 6; s++) {
            struct span *from = org_span(&l->row[i], s);

            if (from->n)
                memcpy(*pool_r + at, from->p, from->n);
            from->p = *pool_r + at;
            at += from->n;
        }
    }
    return 0;
}

int
mirror_org_inherit(struct mirror *m)
{
    struct org_list l = {0};
    char *pool = NULL;
    int rc = list_read(m, &l);

    if (!rc)
        rc = list_own(m, &l, &pool);
    if (!rc)
        rc = inherit_store(m, &l);
    free(pool);
    free(l.number);
    free(l.row);
    return rc;
}

/* Numbers given in advance that nobody needs any more: no entry, no children. */
int
mirror_org_collect(struct mirror *m)
{
    int again = 1, rc = 0;

    while (again && !rc) {
        struct org_list l = {0};
        char *pool = NULL;

        again = 0;
        rc = list_read(m, &l);
        if (!rc)
            rc = list_own(m, &l, &pool);
        for (size_t i = 0; !rc && i < l.n; i++) {
            unsigned char key[4];
            int children;

            if (!uuid_empty(l.row[i].uuid) || l.row[i].parent == 0)
                continue;
            children = mirror_has_children(m, l.number[i]);
            if (children) {
                rc = children < 0 ? -1 : 0;
                continue;
            }
            put_u32_be(key, l.number[i]);
            rc = mirror_tables_del(m, T_ORG, key, 4);
            if (!rc)
                rc = mirror_dn_del(m, l.row[i].parent, l.row[i].nrdn);
            again = 1;
        }
        free(pool);
        free(l.number);
        free(l.row);
    }
    return rc;
}
