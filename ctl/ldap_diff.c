/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ldap_diff: what has to change in cn=config of a running slapd for the settings of
 * access.in to be in effect, and how to take it back.
 *
 * Promises: an overlay's module is loaded only where modules are, and are not loaded yet. A session
 * log beside several providers loses changes: it goes. Nobody is known by a new name before the rules
 * are there that say what he sees, and we replicate from others last: a copy made through the wrong
 * rules lacks what they hide, and others take it for what was meant. Must not change anything.
 */
#include <stdlib.h>
#include <string.h>

#include "ldap_edit.h"

struct server {
    struct dir *d;
    const struct ldap_request *r;
    struct dir_entry *database;
    size_t overlays;
    struct ldap_change **last;
};

/* --- entries --- */

static int
keep(struct server *s, struct edit *e)
{
    if (edit_end(e, s->last) < 0)
        return -1;
    if (*s->last)
        s->last = &(*s->last)->next;
    return 0;
}

static int
wants(const struct olc_list *list, enum olc_style style)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->v[i].style == style)
            return 1;
    return 0;
}

/* Whether this is, or becomes, one of several providers. */
static int
is_multi(const struct server *s)
{
    return dir_has(s->database, "olcMultiProvider", "TRUE") ||
           dir_has(s->database, "olcMirrorMode", "TRUE") || wants(&s->r->values, OLC_REPLICA);
}

static int
change_entry(struct server *s, const struct dir_entry *at, enum olc_where where,
             const char *overlay)
{
    const struct dir_attr *log = dir_attr(at, "olcSpSessionlog");
    struct edit e;

    if (edit_begin(&e, at->dn, at->dn, 0) == 0) {
        edit_settings(&e, at, &s->r->values, where, overlay);
        if (where == OLC_OVERLAY && log && is_multi(s))
            edit_delete_all(&e, log);
    }
    return keep(s, &e);
}

static int
add_overlay(struct server *s, const char *overlay)
{
    const struct olc_list *list = &s->r->values;
    char dn[1200], undo[1200];
    struct edit e;

    snprintf(dn, sizeof dn, "olcOverlay=%s,%s", overlay, s->database->dn);
    snprintf(undo, sizeof undo, "olcOverlay={%zu}%s,%s", s->overlays++, overlay, s->database->dn);
    if (edit_begin(&e, dn, undo, 1) == 0) {
        edit_value(&e, DIR_ADD, "objectClass", olc_overlay_class(overlay));
        edit_value(&e, DIR_ADD, "olcOverlay", overlay);
        for (size_t i = 0; i < list->n; i++)
            if (list->v[i].attr && strcmp(list->v[i].overlay, overlay) == 0)
                edit_value(&e, DIR_ADD, list->v[i].attr, list->v[i].text);
        olc_put(e.undo, "dn", undo);
        fputs("changetype: delete\n", e.undo);
    }
    return keep(s, &e);
}

static int
load_module(struct server *s, const char *dn, const char *module)
{
    struct edit e;

    if (edit_begin(&e, dn, dn, 0) == 0) {
        edit_open(&e, "add", "olcModuleLoad");
        edit_value(&e, DIR_ADD, "olcModuleLoad", module);
    }
    return keep(s, &e);
}

/* --- the server --- */

struct seek {
    const char *base, *overlay;
    struct dir_entry *best; /* not owned copies: DN only */
    char dn[1024];
    size_t length, n;
    int loaded;
};

/* The database whose suffix is the base, or nearest above it. */
static int
on_database(void *ctx, const struct dir_entry *e)
{
    struct seek *k = ctx;
    const struct dir_attr *a = dir_attr(e, "olcSuffix");

    for (size_t i = 0; a && i < a->n; i++) {
        if (!dir_dn_below(k->base, a->v[i].p) || a->v[i].n < k->length)
            continue;
        k->length = a->v[i].n;
        snprintf(k->dn, sizeof k->dn, "%s", e->dn);
        k->n++;
    }
    return 0;
}

static int
on_overlay(void *ctx, const struct dir_entry *e)
{
    struct seek *k = ctx;

    k->n++;
    if (olc_names(dir_value(e, "olcOverlay"), k->overlay))
        snprintf(k->dn, sizeof k->dn, "%s", e->dn);
    return 0;
}

static int
on_module(void *ctx, const struct dir_entry *e)
{
    struct seek *k = ctx;
    const struct dir_attr *a = dir_attr(e, "olcModuleLoad");

    for (size_t i = 0; a && i < a->n; i++)
        k->loaded |= olc_names(a->v[i].p, k->overlay);
    if (k->n++ == 0)
        snprintf(k->dn, sizeof k->dn, "%s", e->dn);
    return 0;
}

static int
no_memory(struct server *s)
{
    return ctl_fail(s->r->ctl, CTL_TEMPORARY, "no memory; nothing was changed");
}

/* An overlay: loaded, there, and as it shall be. A server without modules has them built in. */
static int
diff_overlay(struct server *s, const char *overlay)
{
    struct seek there = {.overlay = overlay}, module = {.overlay = overlay};
    struct dir_entry *e = NULL;
    int code = dir_search(s->d, s->database->dn, DIR_ONE, "(objectClass=olcOverlayConfig)", NULL,
                          on_overlay, &there);

    if (code == CTL_DONE)
        code = dir_search(s->d, "cn=config", DIR_ONE, "(objectClass=olcModuleList)", NULL,
                          on_module, &module);
    if (code == CTL_DONE && *there.dn)
        code = dir_find(s->d, there.dn, DIR_BASE, "(objectClass=*)", NULL, &e);
    if (code != CTL_DONE)
        return dir_fail(s->d, code);
    if (s->overlays < there.n)
        s->overlays = there.n;
    if (e)
        code = change_entry(s, e, OLC_OVERLAY, overlay);
    else if (module.n && !module.loaded && load_module(s, module.dn, overlay) < 0)
        code = -1;
    else
        code = add_overlay(s, overlay);
    dir_entry_free(&e);
    return code < 0 ? no_memory(s) : CTL_DONE;
}

static int
find_database(struct server *s)
{
    struct seek k = {.base = s->r->base};
    int code = dir_search(s->d, "cn=config", DIR_ONE, "(objectClass=olcDatabaseConfig)", NULL,
                          on_database, &k);

    if (code == CTL_DONE && !*k.dn)
        return ctl_fail(s->r->ctl, CTL_NO,
                        "%s shows no database that holds %s: either there is none, or you may not "
                        "see cn=config",
                        dir_uri(s->d), s->r->base);
    if (code == CTL_DONE)
        code = dir_find(s->d, k.dn, DIR_BASE, "(objectClass=*)", NULL, &s->database);
    return code == CTL_DONE ? code : dir_fail(s->d, code);
}

static int
has_global(const struct olc_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->v[i].where == OLC_GLOBAL)
            return 1;
    return 0;
}

static int
diff_global(struct server *s)
{
    struct dir_entry *e = NULL;
    int code;

    if (!has_global(&s->r->values))
        return CTL_DONE;
    code = dir_find(s->d, "cn=config", DIR_BASE, "(objectClass=*)", NULL, &e);
    if (code != CTL_DONE)
        return dir_fail(s->d, code);
    code = change_entry(s, e, OLC_GLOBAL, "");
    dir_entry_free(&e);
    return code < 0 ? no_memory(s) : CTL_DONE;
}

int
ldap_diff(struct dir *d, const struct ldap_request *r, struct ldap_change **first_r)
{
    struct server s = {.d = d, .r = r, .last = first_r};
    int code;

    *first_r = NULL;
    code = find_database(&s);
    for (size_t i = 0; i < r->values.n && code == CTL_DONE; i++)
        if (r->values.v[i].where == OLC_OVERLAY && !r->values.v[i].attr)
            code = diff_overlay(&s, r->values.v[i].text);
    if (code == CTL_DONE && change_entry(&s, s.database, OLC_DATABASE, "") < 0)
        code = no_memory(&s);
    if (code == CTL_DONE)
        code = diff_global(&s);
    if (code == CTL_DONE && change_entry(&s, s.database, OLC_REPLICATION, "") < 0)
        code = no_memory(&s);
    dir_entry_free(&s.database);
    return code;
}
