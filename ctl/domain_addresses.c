/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * domain_addresses: see domain_addresses.h. In two steps, with the renaming of the
 * domain between them, so that at each moment mail to every old and every new
 * address arrives, at every site: first an entry has both, then the alias domain
 * takes the place of the old one.
 *
 * Promises: one change of one entry at a time; interrupted, the same call goes on.
 */
#include "domain_addresses.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "addr.h"
#include "claim.h"

/* --- finding --- */

/* local part of text with the domain m->to, when it is in m->from. 1, or 0. */
static int
moved(const struct address_moves *m, const char *text, char out[ADDR_MAX + 1])
{
    struct addr a;

    if (addr_parse(&a, text, strlen(text), "") != 1 || strcmp(addr_domain(&a), m->from) != 0)
        return 0;
    return snprintf(out, ADDR_MAX + 1, "%.*s@%s", (int)a.at, a.text, m->to) <= ADDR_MAX;
}

static void
note(struct address_moves *m, const struct dir_entry *e, const char *attr, const char *old,
     const char *now)
{
    struct address_move *list = m->list;

    if (m->n == m->cap) {
        size_t cap = m->cap ? 2 * m->cap : 64;

        if (!(list = realloc(m->list, cap * sizeof *list))) {
            m->failed = 1;
            return;
        }
        m->list = list;
        m->cap = cap;
    }
    list[m->n] = (struct address_move){
        .dn = strdup(e->dn), .attr = attr, .old = strdup(old), .now = strdup(now)};
    list[m->n].there = dir_has(e, "mail", now) ? 2 : dir_has(e, "postroadAlias", now);
    m->failed |= !list[m->n].dn || !list[m->n].old || !list[m->n].now;
    m->n++;
}

static int
on_entry(void *ctx, const struct dir_entry *e)
{
    static const char *const attrs[] = {"mail", "postroadAlias"};
    struct address_moves *m = ctx;
    char now[ADDR_MAX + 1];

    for (size_t i = 0; i < 2; i++) {
        const struct dir_attr *a = dir_attr(e, attrs[i]);

        for (size_t j = 0; a && j < a->n; j++)
            if (moved(m, a->v[j].p, now))
                note(m, e, attrs[i], a->v[j].p, now);
    }
    return m->failed;
}

static void
leave(struct address_move *a, const char *fmt, const char *what)
{
    char text[2300];

    if (a->why)
        return;
    snprintf(text, sizeof text, fmt, what);
    a->why = strdup(text);
}

static int
by_now(const void *x, const void *y)
{
    const struct address_move *const *a = x, *const *b = y;

    return strcmp((*a)->now, (*b)->now);
}

struct claims {
    struct address_move **sorted;
    size_t n;
};

static void
on_claim(void *ctx, const char *address, const char *dn, const char *kind, const char *how)
{
    struct claims *c = ctx;
    struct address_move key = {.now = (char *)address}, *k = &key, **hit;

    (void)kind;
    (void)how;
    hit = bsearch(&k, c->sorted, c->n, sizeof *c->sorted, by_now);
    while (hit && hit > c->sorted && strcmp(hit[-1]->now, address) == 0)
        hit--;
    for (; hit && hit < c->sorted + c->n && strcmp((*hit)->now, address) == 0; hit++)
        if (dir_dn_same((*hit)->dn, dn) != 1)
            leave(*hit, "it belongs to %s", dn);
}

static int
ask_claims(struct org *o, struct address_moves *m)
{
    struct claims c = {calloc(m->n + 1, sizeof *c.sorted), m->n};
    const char **names = calloc(m->n + 1, sizeof *names);
    int code = c.sorted && names ? CTL_DONE : dir_refuse(o->d, CTL_TEMPORARY, "no memory");

    if (code == CTL_DONE) {
        for (size_t i = 0; i < m->n; i++) {
            c.sorted[i] = &m->list[i];
            names[i] = m->list[i].now;
        }
        if (m->n > 0)
            qsort(c.sorted, m->n, sizeof *c.sorted, by_now);
        if (!claim_each_mirror(o->ctl, names, m->n, on_claim, &c))
            claim_say_without_mirror(o->ctl);
        code = claim_each_server(o->d, names, m->n, on_claim, &c);
    }
    free(c.sorted);
    free(names);
    return code;
}

int
address_moves_find(struct org *o, struct address_moves *m)
{
    static const char *const attrs[] = {"mail", "postroadAlias", NULL};
    char value[1024], filter[2300];
    int code;

    if (dir_filter_escape(m->from, value, sizeof value) < 0)
        return ctl_usage("the name is too long");
    snprintf(filter, sizeof filter,
             "(&(|(objectClass=postroadAccount)(objectClass=postroadList))"
             "(|(mail=*@%s)(postroadAlias=*@%s)))",
             value, value);
    code = dir_search(o->d, dir_base(o->d), DIR_SUB, filter, attrs, on_entry, m);
    if (m->failed)
        code = dir_refuse(o->d, CTL_TEMPORARY, "no memory");
    if (code == CTL_DONE)
        code = ask_claims(o, m);
    return code == CTL_DONE ? CTL_DONE : org_fail(o, code);
}

size_t
address_moves_left(const struct address_moves *m)
{
    size_t n = 0;

    for (size_t i = 0; i < m->n; i++)
        n += m->list[i].why != NULL;
    return n;
}

void
address_moves_free(struct address_moves *m)
{
    for (size_t i = 0; i < m->n; i++) {
        free(m->list[i].dn);
        free(m->list[i].old);
        free(m->list[i].now);
        free(m->list[i].why);
    }
    free(m->list);
    m->list = NULL;
    m->n = m->cap = 0;
}

/* --- writing --- */

/* How many from i on are of the same entry. */
static size_t
same_entry(const struct address_moves *m, size_t i)
{
    size_t n = 1;

    while (i + n < m->n && strcmp(m->list[i + n].dn, m->list[i].dn) == 0)
        n++;
    return n;
}

/* Whether the entry has the address as an alias besides. */
static int
is_alias_too(const struct address_move *group, size_t n, const char *address)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(group[i].attr, "mail") != 0 && strcasecmp(group[i].old, address) == 0)
            return 1;
    return 0;
}

/* The primary address becomes another; the old one stays, as a further one. */
static void
begin_primary(struct dir_change *c, const struct address_move *group, size_t n,
              const struct address_move *a)
{
    if (a->there == 1)
        dir_change_value(c, DIR_DELETE, "postroadAlias", a->now);
    dir_change_value(c, DIR_REPLACE, "mail", a->now);
    if (!is_alias_too(group, n, a->old))
        dir_change_value(c, DIR_ADD, "postroadAlias", a->old);
}

/* Whether an address before it in the group becomes the same one. */
static int
is_second(const struct address_move *group, const struct address_move *a)
{
    for (; group < a; group++)
        if (strcmp(group->now, a->now) == 0)
            return 1;
    return 0;
}

typedef void step_fn(const struct address_moves *m, struct dir_change *c,
                     const struct address_move *group, size_t n, const struct address_move *a);

static void
step_begin(const struct address_moves *m, struct dir_change *c, const struct address_move *group,
           size_t n, const struct address_move *a)
{
    if (strcmp(a->attr, "mail") == 0 && !m->keep)
        begin_primary(c, group, n, a);
    else if (!a->there && !is_second(group, a))
        dir_change_value(c, DIR_ADD, "postroadAlias", a->now);
}

static void
step_end(const struct address_moves *m, struct dir_change *c, const struct address_move *group,
         size_t n, const struct address_move *a)
{
    (void)m;
    if (strcmp(a->attr, "mail") != 0 || !is_alias_too(group, n, a->old))
        dir_change_value(c, DIR_DELETE, "postroadAlias", a->old);
}

/* One change for each entry; dn NULL: entries are called as they were found. */
static int
each_entry(struct org *o, struct address_moves *m, step_fn *step, const char *dn, const char *to)
{
    char name[ORG_DN_MAX];
    int code = CTL_DONE;

    for (size_t i = 0, n; i < m->n && code != CTL_TEMPORARY; i += n) {
        struct dir_change *c = dir_change_new();

        n = same_entry(m, i);
        for (size_t k = i; k < i + n; k++)
            if (!m->list[k].why)
                step(m, c, &m->list[i], n, &m->list[k]);
        code = CTL_DONE;
        if (dir_change_count(c) > 0)
            code =
                dir_modify(o->d, dn ? org_renamed(m->list[i].dn, dn, to, name) : m->list[i].dn, c);
        for (size_t k = i; code != CTL_DONE && k < i + n; k++)
            leave(&m->list[k], "%s", dir_error(o->d));
        dir_change_free(&c);
    }
    return code == CTL_TEMPORARY ? org_fail(o, code) : CTL_DONE;
}

int
address_moves_begin(struct org *o, struct address_moves *m)
{
    return each_entry(o, m, step_begin, NULL, NULL);
}

/* --- what names an address --- */

struct naming {
    struct org *o;
    struct address_moves *m;
    const char *dn, *to;
    struct name {
        char *dn, *attr, *old, *now;
    } * list;
    size_t n, cap;
    int failed;
};

/* Whether the address was left with who has it. */
static int
was_left(const struct address_moves *m, const char *old)
{
    for (size_t i = 0; i < m->n; i++)
        if (m->list[i].why && strcasecmp(m->list[i].old, old) == 0)
            return 1;
    return 0;
}

static void
note_name(struct naming *w, const char *dn, const char *attr, const char *old, const char *now)
{
    struct name *list = w->list;

    if (w->n == w->cap) {
        size_t cap = w->cap ? 2 * w->cap : 64;

        if (!(list = realloc(w->list, cap * sizeof *list))) {
            w->failed = 1;
            return;
        }
        w->list = list;
        w->cap = cap;
    }
    list[w->n] = (struct name){strdup(dn), strdup(attr), strdup(old), strdup(now)};
    w->failed |= !list[w->n].dn || !list[w->n].attr || !list[w->n].old || !list[w->n].now;
    w->n++;
}

static int
on_naming(void *ctx, const struct dir_entry *e)
{
    static const char *const attrs[] = {"postroadForward", "postroadMember", "postroadSender",
                                        "postroadCatchAll"};
    struct naming *w = ctx;
    char now[ADDR_MAX + 1];

    for (size_t i = 0; i < sizeof attrs / sizeof *attrs; i++) {
        const struct dir_attr *a = dir_attr(e, attrs[i]);

        for (size_t j = 0; a && j < a->n; j++)
            if (moved(w->m, a->v[j].p, now) && !was_left(w->m, a->v[j].p))
                note_name(w, e->dn, attrs[i], a->v[j].p, now);
    }
    return w->failed;
}

/* What may not be changed is told, and does not stop the others: the alias domain still serves it. */
static int
rename_names(struct naming *w)
{
    char dn[ORG_DN_MAX];
    int code = CTL_DONE;

    for (size_t i = 0; i < w->n && code != CTL_TEMPORARY; i++) {
        struct dir_change *c = dir_change_new();
        const struct name *l = &w->list[i];

        dir_change_value(c, DIR_DELETE, l->attr, l->old);
        dir_change_value(c, DIR_ADD, l->attr, l->now);
        code = dir_modify(w->o->d, org_renamed(l->dn, w->dn, w->to, dn), c);
        if (code == CTL_NO)
            fprintf(stderr, "postroad: %s of %s still names %s: %s\n", l->attr, dn, l->old,
                    dir_error(w->o->d));
        dir_change_free(&c);
    }
    return code == CTL_TEMPORARY ? code : CTL_DONE;
}

int
address_moves_end(struct org *o, struct address_moves *m, const char *dn, const char *to)
{
    static const char *const attrs[] = {"postroadForward", "postroadMember", "postroadSender",
                                        "postroadCatchAll", NULL};
    struct naming w = {.o = o, .m = m, .dn = dn, .to = to};
    int code;

    if (m->keep)
        return CTL_DONE;
    code = dir_search(o->d, dir_base(o->d), DIR_SUB,
                      "(|(postroadForward=*)(postroadMember=*)(postroadSender=*)"
                      "(postroadCatchAll=*))",
                      attrs, on_naming, &w);
    if (w.failed)
        code = dir_refuse(o->d, CTL_TEMPORARY, "no memory");
    if (code == CTL_DONE)
        code = rename_names(&w);
    for (size_t i = 0; i < w.n; i++) {
        free(w.list[i].dn);
        free(w.list[i].attr);
        free(w.list[i].old);
        free(w.list[i].now);
    }
    free(w.list);
    return code == CTL_DONE ? each_entry(o, m, step_end, dn, to) : org_fail(o, code);
}
