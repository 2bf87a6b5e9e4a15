/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * site: which sites and servers there are, and what is wanted of them: a site that
 * is failed over, a server that is drained. What is wanted stands in the directory
 * (postroadDesiredState), so every site acts on it within a second; what is healthy
 * is the daemon's to find out, and is not overwritten here.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "org.h"
#include "text.h"

static const struct org_field fields[] = {
    {"name", "cn", 0},
    {"place", "l", 0},
    {"description", "description", 0},
    {"host", "postroadHost", 0},
    {"standby site", "postroadStandbySite", 0},
    {"wanted", "postroadDesiredState", 0},
    {"next hops", "postroadNextHop", 1},
    {"certificates", "postroadCertFingerprint", 1},
};
#define FIELDS (sizeof fields / sizeof *fields)

/* --- list, show --- */

struct listing {
    struct org *o;
    struct text_table table;
    json_t *json, *servers;
    int code;
};

static const char *
wanted(const struct dir_entry *e)
{
    const char *state = dir_value(e, "postroadDesiredState");

    return *state ? state : "up";
}

static int
on_server(void *ctx, const struct dir_entry *e)
{
    struct listing *l = ctx;
    char name[512], site[256] = "";

    dir_rdn_value(dir_parent(e->dn), site, sizeof site);
    snprintf(name, sizeof name, "  %s/%s", site, dir_value(e, "cn"));
    json_array_append_new(l->servers, org_json(e, fields, FIELDS));
    text_row(&l->table, (const char *[]){name, wanted(e), dir_value(e, "postroadHost"),
                                         dir_value(e, "postroadNextHop"), ""});
    return 0;
}

static int
on_site(void *ctx, const struct dir_entry *e)
{
    json_array_append_new(ctx, org_json(e, fields, FIELDS));
    return 0;
}

/* A site's row, and its servers' below it. */
static int
add_site(struct listing *l, json_t *site)
{
    const char *dn = json_string_value(json_object_get(site, "dn"));
    json_t *want = json_object_get(site, "wanted"),
           *standby = json_object_get(site, "standby_site");
    json_t *hops = json_object_get(site, "next_hops");
    int code;

    text_row(&l->table, (const char *[]){
                            json_string_value(json_object_get(site, "name")),
                            json_is_string(want) ? json_string_value(want) : "up", "",
                            json_array_size(hops) ? json_string_value(json_array_get(hops, 0)) : "",
                            json_is_string(standby) ? json_string_value(standby) : ""});
    l->servers = json_array();
    code = dir_search(l->o->d, dn, DIR_ONE, "(objectClass=postroadServer)", NULL, on_server, l);
    json_object_set_new(site, "servers", l->servers);
    return code == CTL_DONE ? CTL_DONE : org_fail(l->o, code);
}

int
verb_site_list(struct ctl *ctl)
{
    struct org o = {.d = NULL};
    struct listing l = {&o, {.columns = 5, .right = "lllll"}, json_array(), NULL, 0};
    int code = org_open(&o, ctl, 0, 0, "no argument");
    json_t *site;
    size_t i;

    if (code == CTL_DONE) {
        text_row(&l.table,
                 (const char *[]){"site, server", "wanted", "host", "next hop", "standby site"});
        code = dir_search(o.d, dir_base(o.d), DIR_SUB, "(objectClass=postroadSite)", NULL, on_site,
                          l.json);
        if (code != CTL_DONE)
            org_fail(&o, code);
    }
    json_array_foreach(l.json, i, site)
    {
        if (code == CTL_DONE)
            code = add_site(&l, site);
    }
    if (code == CTL_DONE && ctl->json)
        ctl_print_json(json_pack("{s:b, s:O}", "ok", 1, "sites", l.json));
    else if (code == CTL_DONE)
        text_table_end(&l.table, 0);
    text_table_drop(&l.table);
    json_decref(l.json);
    return org_close(&o, code);
}

static int
site_or_server(struct org *o, const char *name, struct dir_entry **e_r)
{
    return strchr(name, '/') ? org_server(o, name, NULL, e_r) : org_site(o, name, NULL, e_r);
}

int
verb_site_show(struct ctl *ctl)
{
    struct dir_entry *e = NULL;
    struct org o = {.d = NULL};
    int code = org_open(&o, ctl, 1, 1, "one SITE or SITE/SERVER");

    if (code == CTL_DONE)
        code = site_or_server(&o, ctl->argv[0], &e);
    if (code == CTL_DONE && ctl->json)
        ctl_print_json(org_json(e, fields, FIELDS));
    else if (code == CTL_DONE)
        org_print(e, fields, FIELDS);
    dir_entry_free(&e);
    return org_close(&o, code);
}

/* --- what is wanted --- */

static int
want(struct org *o, const struct dir_entry *e, const char *name, const char *state)
{
    struct dir_change *c;
    int code;

    if (strcasecmp(wanted(e), state) == 0)
        return org_done(o, e->dn, "%s is %s already", name, state);
    c = dir_change_new();
    dir_change_value(c, DIR_REPLACE, "postroadDesiredState", state);
    code = dir_modify(o->d, e->dn, c);
    dir_change_free(&c);
    return code == CTL_DONE ? org_done(o, e->dn, "%s: %s", name, state) : org_fail(o, code);
}

/* Whether the other site can take over. */
static int
check_standby(struct org *o, const struct dir_entry *e, const char *name)
{
    const char *standby = dir_value(e, "postroadStandbySite");
    struct dir_entry *other = NULL;
    int code;

    if (!*standby)
        return ctl_fail(o->ctl, CTL_NO,
                        "%s has no standby site (postroadStandbySite): nobody would take over, and "
                        "its mail would wait",
                        name);
    code = org_site(o, standby, NULL, &other);
    if (code == CTL_DONE && strcasecmp(wanted(other), "failed-over") == 0)
        code = ctl_fail(o->ctl, CTL_NO, "%s is failed over itself: restore it first", standby);
    dir_entry_free(&other);
    if (code != CTL_DONE)
        return code;
    return org_confirm(o,
                       "Mail for the accounts of %s will be delivered at their standby site (%s, "
                       "where none is said) from now on,\nby every site. Mail already in the "
                       "mailboxes of %s stays there. Go on?",
                       name, standby, name);
}

int
verb_site_failover(struct ctl *ctl)
{
    struct dir_entry *e = NULL;
    struct org o = {.d = NULL};
    int code = org_open(&o, ctl, 1, 1, "one site");

    if (code == CTL_DONE)
        code = org_site(&o, ctl->argv[0], NULL, &e);
    if (code == CTL_DONE && strcasecmp(wanted(e), "failed-over") != 0)
        code = check_standby(&o, e, dir_value(e, "cn"));
    if (code == CTL_DONE)
        code = want(&o, e, dir_value(e, "cn"), "failed-over");
    dir_entry_free(&e);
    return org_close(&o, code);
}

int
verb_site_restore(struct ctl *ctl)
{
    struct dir_entry *e = NULL;
    struct org o = {.d = NULL};
    int code = org_open(&o, ctl, 1, 1, "one site");

    if (code == CTL_DONE)
        code = org_site(&o, ctl->argv[0], NULL, &e);
    if (code == CTL_DONE && strcasecmp(wanted(e), "failed-over") == 0)
        code =
            org_confirm(&o,
                        "Mail for the accounts of %s will be delivered there again. What came to "
                        "the standby site meanwhile is still there:\nbring it home with doveadm "
                        "sync. Go on?",
                        dir_value(e, "cn"));
    if (code == CTL_DONE)
        code = want(&o, e, dir_value(e, "cn"), "up");
    dir_entry_free(&e);
    return org_close(&o, code);
}

/* Servers of the same site that are wanted up, e itself not counted. */
static int
others_up(struct org *o, const struct dir_entry *e, size_t *n_r)
{
    size_t up = 0;
    int code = org_count(o, dir_parent(e->dn), DIR_ONE,
                         "(&(objectClass=postroadServer)(postroadNextHop=*)"
                         "(|(postroadDesiredState=up)(!(postroadDesiredState=*))))",
                         &up, NULL);

    *n_r = up - (up > 0 && strcasecmp(wanted(e), "up") == 0);
    return code;
}

static int
server(struct ctl *ctl, const char *state)
{
    struct dir_entry *e = NULL;
    struct org o = {.d = NULL};
    size_t others = 1;
    int code = org_open(&o, ctl, 1, 1, "one SITE/SERVER");

    if (code == CTL_DONE)
        code = org_server(&o, ctl->argv[0], NULL, &e);
    if (code == CTL_DONE && strcmp(state, "up") != 0)
        code = others_up(&o, e, &others);
    if (code == CTL_DONE && others == 0)
        code =
            org_confirm(&o, "No other server of the site is up: other sites go on handing mail to "
                            "this one while there is none better. Go on?");
    if (code == CTL_DONE)
        code = want(&o, e, ctl->argv[0], state);
    dir_entry_free(&e);
    return org_close(&o, code);
}

int
verb_site_drain(struct ctl *ctl)
{
    return server(ctl, "drain");
}

int
verb_site_down(struct ctl *ctl)
{
    return server(ctl, "down");
}

int
verb_site_up(struct ctl *ctl)
{
    return server(ctl, "up");
}
