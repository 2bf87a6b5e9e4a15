/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * site: which sites and servers there are, and what is wanted of them, with the
 * reason somebody gave. Shows only: see site_change.c and site_want.c.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "site_verbs.h"
#include "text.h"

static const struct org_field fields[] = {
    {"name", "cn", 0},
    {"place", "l", 0},
    {"description", "description", 1},
    {"host", "postroadHost", 0},
    {"standby site", "postroadStandbySite", 0},
    {"wanted", "postroadDesiredState", 0},
    {"next hops", "postroadNextHop", 1},
    {"certificates", "postroadCertFingerprint", 1},
};
#define FIELDS (sizeof fields / sizeof *fields)

struct listing {
    struct org *o;
    struct text_table table;
    json_t *json, *servers;
    int code;
};

const char *
site_wanted(const struct dir_entry *e)
{
    const char *state = dir_value(e, "postroadDesiredState");

    return *state ? state : "up";
}

const char *
site_note(const struct dir_entry *e)
{
    const struct dir_attr *a = dir_attr(e, "description");

    for (size_t i = 0; a && i < a->n; i++)
        if (strncmp(a->v[i].p, SITE_NOTE, strlen(SITE_NOTE)) == 0)
            return a->v[i].p;
    return "";
}

/* What is shown of the note: without the word that marks it. */
static const char *
why(const struct dir_entry *e)
{
    const char *note = site_note(e);

    return *note ? note + strlen(SITE_NOTE) : "";
}

static void
add_wanted(json_t *j, const struct dir_entry *e)
{
    json_object_set_new(j, "wanted", json_string(site_wanted(e)));
    json_object_set_new(j, "why", *why(e) ? json_string(why(e)) : json_null());
}

static json_t *
to_json(const struct dir_entry *e)
{
    json_t *j = org_json(e, fields, FIELDS);

    add_wanted(j, e);
    return j;
}

static int
on_server(void *ctx, const struct dir_entry *e)
{
    struct listing *l = ctx;
    char name[512], site[256] = "";

    dir_rdn_value(dir_parent(e->dn), site, sizeof site);
    snprintf(name, sizeof name, "  %s/%s", site, dir_value(e, "cn"));
    json_array_append_new(l->servers, to_json(e));
    text_row(&l->table, (const char *[]){name, site_wanted(e), dir_value(e, "postroadHost"),
                                         dir_value(e, "postroadNextHop"), "", why(e)});
    return 0;
}

static int
on_site(void *ctx, const struct dir_entry *e)
{
    json_array_append_new(ctx, to_json(e));
    return 0;
}

/* A site's row, and its servers' below it. */
static int
add_site(struct listing *l, json_t *site)
{
    const char *dn = json_string_value(json_object_get(site, "dn"));
    json_t *standby = json_object_get(site, "standby_site"),
           *because = json_object_get(site, "why");
    json_t *hops = json_object_get(site, "next_hops");
    int code;

    text_row(&l->table, (const char *[]){
                            json_string_value(json_object_get(site, "name")),
                            json_string_value(json_object_get(site, "wanted")), "",
                            json_array_size(hops) ? json_string_value(json_array_get(hops, 0)) : "",
                            json_is_string(standby) ? json_string_value(standby) : "",
                            json_is_string(because) ? json_string_value(because) : ""});
    l->servers = json_array();
    code = dir_search(l->o->d, dn, DIR_ONE, "(objectClass=postroadServer)", NULL, on_server, l);
    json_object_set_new(site, "servers", l->servers);
    return code == CTL_DONE ? CTL_DONE : org_fail(l->o, code);
}

int
verb_site_list(struct ctl *ctl)
{
    struct org o = {.d = NULL};
    struct listing l = {&o, {.columns = 6, .right = "llllll"}, json_array(), NULL, 0};
    int code = org_open(&o, ctl, 0, 0, "no argument");
    json_t *site;
    size_t i;

    if (code == CTL_DONE) {
        text_row(&l.table, (const char *[]){"site, server", "wanted", "host", "next hop",
                                            "standby site", "why"});
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

/* "hebei" or "hebei/mx1", as org_site and org_server. */
static int
find_any(struct org *o, const char *name, const char *const attrs[], struct dir_entry **e_r)
{
    return strchr(name, '/') ? org_server(o, name, attrs, e_r) : org_site(o, name, attrs, e_r);
}

static const char *
name_of(const struct dir_entry *e, char *out, size_t cap)
{
    char site[256];

    if (dir_has(e, "objectClass", "postroadServer") &&
        dir_rdn_value(dir_parent(e->dn), site, sizeof site) > 0)
        snprintf(out, cap, "%s/%s", site, dir_value(e, "cn"));
    else
        snprintf(out, cap, "%s", dir_value(e, "cn"));
    return out;
}

const struct org_kind site_kind = {
    .what = "site",
    .args = "one SITE or SITE/SERVER",
    .find = find_any,
    .name = name_of,
    .fields = fields,
    .nfields = FIELDS,
};

static int
more(struct org *o, const struct dir_entry *e, json_t *j)
{
    (void)o;
    if (j)
        add_wanted(j, e);
    return CTL_DONE;
}

int
verb_site_show(struct ctl *ctl)
{
    return org_show(ctl, &site_kind, more);
}
