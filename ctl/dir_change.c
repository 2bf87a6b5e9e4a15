/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dir_change: what is to be written, collected value by value, and handed over as
 * the library wants it. Values may be passwords: they are wiped when freed.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dir_private.h"

struct dir_change *
dir_change_new(void)
{
    return calloc(1, sizeof(struct dir_change));
}

void
dir_change_free(struct dir_change **c)
{
    if (!*c)
        return;
    for (size_t i = 0; i < (*c)->n; i++) {
        struct dir_mod *m = &(*c)->mods[i];

        for (size_t j = 0; j < m->n; j++) {
            explicit_bzero(m->v[j].bv_val, m->v[j].bv_len);
            free(m->v[j].bv_val);
        }
        free(m->v);
        free(m->attr);
    }
    free((*c)->mods);
    free(*c);
    *c = NULL;
}

size_t
dir_change_count(const struct dir_change *c)
{
    return c->n;
}

/* Room for one more of size bytes in *array. 0, or -1. */
static int
grow(void **array, size_t n, size_t *cap, size_t size)
{
    size_t more = *cap ? *cap * 2 : 4;
    void *p;

    if (n < *cap)
        return 0;
    if (!(p = realloc(*array, more * size)))
        return -1;
    *array = p;
    *cap = more;
    return 0;
}

/* The present change when it is of the same kind, else a new one. */
static struct dir_mod *
mod_for(struct dir_change *c, int op, const char *attr)
{
    struct dir_mod *m = c->n ? &c->mods[c->n - 1] : NULL;
    void *mods = c->mods;

    if (m && m->op == op && strcasecmp(m->attr, attr) == 0)
        return m;
    if (grow(&mods, c->n, &c->cap, sizeof *m) < 0)
        return NULL;
    c->mods = mods;
    m = &c->mods[c->n];
    memset(m, 0, sizeof *m);
    m->op = op;
    m->attr = strdup(attr);
    if (!m->attr)
        return NULL;
    c->n++;
    return m;
}

void
dir_change_value(struct dir_change *c, enum dir_op op, const char *attr, const char *value)
{
    static const int ops[] = {
        [DIR_ADD] = LDAP_MOD_ADD, [DIR_DELETE] = LDAP_MOD_DELETE, [DIR_REPLACE] = LDAP_MOD_REPLACE};
    struct dir_mod *m = c && !c->failed ? mod_for(c, ops[op], attr) : NULL;
    void *values = m ? m->v : NULL;
    char *copy = NULL;

    if (m && !value)
        return;
    if (!m || grow(&values, m->n, &m->cap, sizeof *m->v) < 0 || !(copy = strdup(value))) {
        if (m)
            m->v = values;
        if (c)
            c->failed = 1;
        return;
    }
    m->v = values;
    m->v[m->n].bv_val = copy;
    m->v[m->n++].bv_len = strlen(copy);
}

/* One block: the pointers, the mods, the pointers to values. */
LDAPMod **
dir_change_mods(const struct dir_change *c, int add)
{
    size_t n = c ? c->n : 0, nv = n;
    LDAPMod **list, *mods;
    struct berval **v;

    if (!c || c->failed)
        return NULL;
    for (size_t i = 0; i < n; i++)
        nv += c->mods[i].n;
    list = calloc(1, (n + 1) * sizeof *list + n * sizeof *mods + nv * sizeof *v);
    if (!list)
        return NULL;
    mods = (LDAPMod *)(list + n + 1);
    v = (struct berval **)(mods + n);
    for (size_t i = 0; i < n; i++) {
        const struct dir_mod *m = &c->mods[i];

        list[i] = &mods[i];
        mods[i].mod_op = (add ? 0 : m->op) | LDAP_MOD_BVALUES;
        mods[i].mod_type = m->attr;
        mods[i].mod_bvalues = m->n ? v : NULL;
        for (size_t j = 0; j < m->n; j++)
            *v++ = &m->v[j];
        if (m->n)
            *v++ = NULL;
    }
    return list;
}
