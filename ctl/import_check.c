/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * import_check: before anything is written: is each address in the file once, are
 * the domains, departments and sites there, and does anybody have one of the
 * addresses already? Each place is asked for once, addresses many at a time.
 *
 * A line whose primary address is somebody's primary address already counts as
 * done: that is what makes a rerun harmless. The server has to say so: the mirror may
 * still have who was deleted a moment ago, and is no reason to call him there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "claim.h"
#include "import.h"

/* One address of one line. */
struct wish {
    char *address;
    struct import_line *l;
    int primary;
};

struct wishes {
    struct wish *v;
    size_t n, cap;
};

static int
by_address(const void *x, const void *y)
{
    const struct wish *a = x, *b = y;
    int c = strcmp(a->address, b->address);

    return c ? c : a->l->line < b->l->line ? -1 : a->l->line > b->l->line;
}

static int
wish_add(struct wishes *w, struct import_line *l, const char *address, int primary)
{
    if (w->n == w->cap) {
        size_t cap = w->cap ? w->cap * 2 : 1024;
        struct wish *more = realloc(w->v, cap * sizeof *more);

        if (!more)
            return -1;
        w->v = more;
        w->cap = cap;
    }
    w->v[w->n].address = strdup(address);
    w->v[w->n].l = l;
    w->v[w->n].primary = primary;
    return w->v[w->n++].address ? 0 : -1;
}

/* All addresses of the lines that are still open, sorted. 0, or -1: no memory. */
static int
gather(struct import *im, struct wishes *w)
{
    for (size_t i = 0; i < im->n; i++) {
        struct import_line *l = &im->lines[i];
        const char *at = NULL;
        char value[ADDR_MAX + 1];

        if (l->fate != FATE_OPEN)
            continue;
        if (wish_add(w, l, l->u.value[USER_ADDRESS], 1) < 0)
            return -1;
        while (user_next(&l->u, USER_ALIAS, &at, value, sizeof value))
            if (wish_add(w, l, value, 0) < 0)
                return -1;
    }
    if (w->n > 0)
        qsort(w->v, w->n, sizeof *w->v, by_address);
    return 0;
}

static void
wishes_free(struct wishes *w)
{
    for (size_t i = 0; i < w->n; i++)
        free(w->v[i].address);
    free(w->v);
}

/* The first line that names an address keeps it. */
void
import_check_file(struct import *im)
{
    struct wishes w = {NULL, 0, 0};

    if (gather(im, &w) < 0)
        for (size_t i = 0; i < im->n; i++)
            import_refuse(&im->lines[i], "no memory");
    for (size_t i = 1, first = 0; i < w.n; i++) {
        if (strcmp(w.v[i].address, w.v[first].address) != 0)
            first = i;
        else if (w.v[i].l != w.v[first].l)
            import_refuse(w.v[i].l, "%s is in line %u of the file too", w.v[i].address,
                          w.v[first].l->line);
        else
            import_refuse(w.v[i].l, "%s is both the address and an alias", w.v[i].address);
    }
    wishes_free(&w);
}

/* --- places --- */

struct place {
    char *key; /* "domain\ndepartment", or a site's name */
    char *dn, *why;
};

struct places {
    struct place *v;
    size_t n, cap;
};

static struct place *
find_place(struct places *p, const char *key)
{
    for (size_t i = p->n; i > 0; i--) /* the last one is the likeliest */
        if (strcmp(p->v[i - 1].key, key) == 0)
            return &p->v[i - 1];
    return NULL;
}

static struct place *
new_place(struct places *p, const char *key, const char *dn, const char *why)
{
    struct place *more;

    if (p->n == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 16;

        if (!(more = realloc(p->v, cap * sizeof *more)))
            return NULL;
        p->v = more;
        p->cap = cap;
    }
    more = &p->v[p->n];
    more->key = strdup(key);
    more->dn = dn ? strdup(dn) : NULL;
    more->why = why ? strdup(why) : NULL;
    if (!more->key || (dn && !more->dn) || (why && !more->why))
        return NULL;
    p->n++;
    return more;
}

static void
places_free(struct places *p)
{
    for (size_t i = 0; i < p->n; i++) {
        free(p->v[i].key);
        free(p->v[i].dn);
        free(p->v[i].why);
    }
    free(p->v);
}

/* The place of a line's entry; asked for when it is a new one. */
static int
place_of(struct dir *d, struct import_line *l, struct places *known, struct place **place_r)
{
    const char *department = l->u.value[USER_DEPARTMENT];
    char key[ADDR_MAX + PLACE_DN_MAX], dn[PLACE_DN_MAX];
    int code;

    snprintf(key, sizeof key, "%s\n%s", strrchr(l->u.value[USER_ADDRESS], '@'),
             department ? department : "");
    if ((*place_r = find_place(known, key)))
        return CTL_DONE;
    code = user_place(d, &l->u, dn);
    if (code == CTL_TEMPORARY)
        return code;
    *place_r =
        new_place(known, key, code == CTL_DONE ? dn : NULL, code == CTL_DONE ? NULL : dir_error(d));
    return *place_r ? CTL_DONE : dir_refuse(d, CTL_TEMPORARY, "no memory");
}

static int
site_of(struct dir *d, struct import_line *l, enum user_field f, struct places *known)
{
    const char *site = l->u.value[f];
    struct place *p;
    int code;

    if (!site || !*site)
        return CTL_DONE;
    if (!(p = find_place(known, site))) {
        code = place_site(d, site);
        if (code == CTL_TEMPORARY)
            return code;
        if (!(p = new_place(known, site, NULL, code == CTL_DONE ? NULL : dir_error(d))))
            return dir_refuse(d, CTL_TEMPORARY, "no memory");
    }
    if (p->why)
        import_refuse(l, "%s", p->why);
    return CTL_DONE;
}

static int
place_line(struct dir *d, struct import_line *l, struct places *known, struct places *sites)
{
    char rdn[1100], dn[PLACE_DN_MAX], error[512];
    struct place *place;
    int code = place_of(d, l, known, &place);

    if (code != CTL_DONE)
        return code;
    if (place->why)
        import_refuse(l, "%s", place->why);
    else if (user_rdn(&l->u, rdn, sizeof rdn, error, sizeof error) < 0)
        import_refuse(l, "%s", error);
    else if (dir_dn(rdn, place->dn, dn, sizeof dn) < 0)
        import_refuse(l, "the name of the entry would be too long");
    else if (!(l->dn = strdup(dn)))
        return dir_refuse(d, CTL_TEMPORARY, "no memory");
    code = site_of(d, l, USER_SITE, sites);
    return code == CTL_DONE ? site_of(d, l, USER_STANDBY, sites) : code;
}

static int
check_places(struct import *im, struct dir *d)
{
    struct places known = {NULL, 0, 0}, sites = {NULL, 0, 0};
    int code = CTL_DONE;

    for (size_t i = 0; code == CTL_DONE && i < im->n; i++)
        if (im->lines[i].fate == FATE_OPEN)
            code = place_line(d, &im->lines[i], &known, &sites);
    places_free(&known);
    places_free(&sites);
    return code;
}

/* --- claims --- */

enum taken {
    TAKEN_NOT,
    TAKEN,       /* somebody claims it */
    TAKEN_MIRROR /* as the primary address it is to be; the server was not asked yet */
};

struct asking {
    struct wishes *w;
    int aliases; /* the second round: primary addresses are known */
    int server;  /* who answers now: it, or the mirror */
    char *taken; /* of each wish */
};

static void
on_claim(void *ctx, const char *address, const char *dn, const char *kind, const char *how)
{
    struct asking *a = ctx;
    struct wish key = {(char *)address, &(struct import_line){0}, 0}, *found = NULL;
    size_t low = 0, high = a->w->n;
    char *claimed;

    while (low < high) {
        size_t mid = (low + high) / 2;
        int c = strcmp(key.address, a->w->v[mid].address);

        if (c == 0)
            found = &a->w->v[mid];
        if (c <= 0)
            high = mid;
        else
            low = mid + 1;
    }
    if (!found || found->primary == a->aliases)
        return;
    claimed = &a->taken[found - a->w->v];
    if (a->server && *claimed == TAKEN_MIRROR) {
        free(found->l->there_dn);
        found->l->there_dn = NULL;
    }
    if (*claimed != TAKEN_MIRROR || !found->l->there_dn || !dir_dn_same(found->l->there_dn, dn))
        *claimed = TAKEN;
    if (found->primary && strcmp(how, "primary") == 0 && strcmp(kind, "account") == 0) {
        free(found->l->there_dn);
        found->l->there_dn = strdup(dn);
        *claimed = a->server ? TAKEN : TAKEN_MIRROR;
    } else if (!found->l->there_dn || !dir_dn_same(found->l->there_dn, dn)) {
        import_refuse(found->l, "%s is taken already, by the %s %s", address, kind, dn);
    }
}

/* Wishes of this round that are to be asked for, as a list. */
static size_t
list_wishes(const struct asking *a, const char **list)
{
    size_t n = 0;

    for (size_t i = 0; i < a->w->n; i++)
        if (a->w->v[i].primary != a->aliases && a->w->v[i].l->fate == FATE_OPEN &&
            a->taken[i] != TAKEN)
            list[n++] = a->w->v[i].address;
    return n;
}

/* Whom the mirror has, and the server doesn't show. */
static void
refuse_unseen(struct asking *a)
{
    for (size_t i = 0; i < a->w->n; i++) {
        struct import_line *l = a->w->v[i].l;

        if (a->taken[i] != TAKEN_MIRROR || l->fate != FATE_OPEN)
            continue;
        import_refuse(
            l,
            "%s is taken already as the mirror has it, by %s, which the server does not show: "
            "it is gone by now, or not for you to see",
            a->w->v[i].address, l->there_dn ? l->there_dn : "an account");
    }
}

/* One round: the mirror, then the server about what nobody is known for sure to have. */
static int
ask_round(struct import *im, struct dir *d, struct asking *a, const char **list)
{
    const char *what = a->aliases ? "looking for aliases" : "looking for addresses";
    size_t n = list_wishes(a, list);
    int code = CTL_DONE;

    if (!im->no_mirror)
        im->no_mirror = !claim_each_mirror(im->ctl, list, n, on_claim, a);
    n = list_wishes(a, list);
    a->server = 1;
    for (size_t i = 0; code == CTL_DONE && i < n; i += 1000) {
        import_progress(im, what, i, n);
        code = claim_each_server(d, list + i, n - i < 1000 ? n - i : 1000, on_claim, a);
    }
    import_progress(im, what, n, n);
    a->server = 0;
    if (code == CTL_DONE)
        refuse_unseen(a);
    return code;
}

static int
check_claims(struct import *im, struct dir *d, struct wishes *w)
{
    size_t n = w->n ? w->n : 1;
    const char **list = calloc(n, sizeof *list);
    struct asking a = {w, 0, 0, calloc(n, 1)};
    int code = list && a.taken ? CTL_DONE : dir_refuse(d, CTL_TEMPORARY, "no memory");

    for (; code == CTL_DONE && a.aliases < 2; a.aliases++)
        code = ask_round(im, d, &a, list);
    free(list);
    free(a.taken);
    return code;
}

int
import_check_directory(struct import *im, struct dir *d)
{
    struct wishes w = {NULL, 0, 0};
    int code = check_places(im, d);

    if (code == CTL_DONE && gather(im, &w) < 0)
        code = dir_refuse(d, CTL_TEMPORARY, "no memory");
    if (code == CTL_DONE)
        code = check_claims(im, d, &w);
    for (size_t i = 0; code == CTL_DONE && i < im->n; i++)
        if (im->lines[i].fate == FATE_OPEN && im->lines[i].there_dn)
            im->lines[i].fate = FATE_THERE;
    wishes_free(&w);
    return code;
}
