/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * site, changing: sites and servers made, changed and taken away. "hebei" is a site,
 * "hebei/mx1" a server of it; the verbs are the same.
 *
 * Promises: what would leave a site without a next hop is asked before, because its
 * mail waits then; a site that entries name is not deleted.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "site.h"
#include "site_verbs.h"

struct setting {
    const char *option, *attr, *remove;
    org_check *check, *check_old;
    int of; /* whose it is */
};
enum { OF_SITE = 1, OF_SERVER = 2 };

static const struct setting settings[] = {
    {"place", "l", NULL, NULL, NULL, OF_SITE},
    {"standby", "postroadStandbySite", NULL, org_check_site, NULL, OF_SITE},
    {"host", "postroadHost", NULL, site_check_host, NULL, OF_SERVER},
    {"next-hop", "postroadNextHop", "remove-next-hop", site_check_hop, NULL, OF_SITE | OF_SERVER},
    {"certificate", "postroadCertFingerprint", "remove-certificate", site_check_print,
     site_check_old_print, OF_SITE | OF_SERVER},
};
#define SETTINGS (sizeof settings / sizeof *settings)

static int
take(struct org *o, struct dir_change *c, const struct setting *s, int of, int adding)
{
    int given = ctl_value(o->ctl, s->option) || (s->remove && ctl_value(o->ctl, s->remove));
    int code;

    if (given && !(s->of & of))
        return ctl_usage("--%s is for a %s", s->option,
                         of == OF_SITE ? "server: SITE/SERVER" : "site");
    code =
        org_option(o, c, adding || s->remove ? DIR_ADD : DIR_REPLACE, s->option, s->attr, s->check);
    if (code == CTL_DONE && s->remove && !adding)
        code = org_option(o, c, DIR_DELETE, s->remove, s->attr, s->check_old);
    return code;
}

static int
take_all(struct org *o, struct dir_change *c, int of, int adding)
{
    int code = CTL_DONE;

    for (size_t i = 0; code == CTL_DONE && i < SETTINGS; i++)
        code = take(o, c, &settings[i], of, adding);
    return code;
}

/* --- add --- */

/* Beside the sites there are, else in cn=sites. */
static int
place(struct org *o, char parent[ORG_DN_MAX])
{
    char first[ORG_DN_MAX];
    size_t n;
    int code = org_count(o, dir_base(o->d), DIR_SUB, "(objectClass=postroadSite)", &n, first);

    if (code != CTL_DONE)
        return code;
    if (n > 0)
        snprintf(parent, ORG_DN_MAX, "%s", dir_parent(first));
    else if (dir_dn("cn=sites", dir_base(o->d), parent, ORG_DN_MAX) < 0)
        return ctl_usage("the base is too long");
    return CTL_DONE;
}

static int
add_below(struct org *o, const char *parent, const char *name, int of)
{
    struct dir_change *c = dir_change_new();
    char canon[SITE_NAME_MAX + 1], rdn[512], dn[ORG_DN_MAX], shown[256];
    int code;

    if (site_name_canon(span_of(name), canon) < 0)
        code = ctl_usage("\"%s\" is no name for a site or server: letters without accents, digits, "
                         "'-', '_' and '.', at most %d",
                         name, SITE_NAME_MAX);
    else if (dir_rdn("cn", canon, rdn, sizeof rdn) < 0 || dir_dn(rdn, parent, dn, sizeof dn) < 0)
        code = ctl_usage("the name is too long");
    else {
        dir_change_value(c, DIR_ADD, "objectClass",
                         of == OF_SITE ? "postroadSite" : "postroadServer");
        dir_change_value(c, DIR_ADD, "cn", canon);
        snprintf(shown, sizeof shown, "%.*s%s", (int)(name - o->ctl->argv[0]), o->ctl->argv[0],
                 canon);
        code = take_all(o, c, of, 1);
        if (code == CTL_DONE)
            code = org_option(o, c, DIR_ADD, "description", "description", NULL);
        if (code == CTL_DONE)
            code = org_add(o, dn, c, of == OF_SITE ? "organizationalRole" : NULL);
        if (code == CTL_DONE) {
            site_log(o, dn, "added");
            code = org_done(o, dn, "added %s %s", of == OF_SITE ? "site" : "server", shown);
        }
    }
    dir_change_free(&c);
    return code;
}

static int
add_site(struct org *o, const char *name)
{
    char parent[ORG_DN_MAX], value[512], filter[640];
    size_t n = 0;
    int code = place(o, parent);

    if (code == CTL_DONE && dir_filter_escape(name, value, sizeof value) < 0)
        code = ctl_usage("the name is too long");
    if (code != CTL_DONE)
        return code;
    snprintf(filter, sizeof filter, "(&(objectClass=postroadSite)(cn=%s))", value);
    code = org_count(o, dir_base(o->d), DIR_SUB, filter, &n, NULL);
    if (code == CTL_DONE && n > 0)
        return ctl_fail(o->ctl, CTL_NO, "there is a site %s already", name);
    return code == CTL_DONE ? add_below(o, parent, name, OF_SITE) : code;
}

static int
add_server(struct org *o, const char *path, const char *name)
{
    static const char *const none[] = {"1.1", NULL};
    struct dir_entry *site = NULL;
    char above[256];
    int code;

    snprintf(above, sizeof above, "%.*s", (int)(name - 1 - path), path);
    code = org_site(o, above, none, &site);
    if (code == CTL_DONE)
        code = add_below(o, site->dn, name, OF_SERVER);
    dir_entry_free(&site);
    return code;
}

int
verb_site_add(struct ctl *ctl)
{
    struct org o = {.d = NULL};
    int code = org_open(&o, ctl, 1, 1, site_kind.args);
    const char *slash = code == CTL_DONE ? strchr(ctl->argv[0], '/') : NULL;

    if (code == CTL_DONE)
        code = slash ? add_server(&o, ctl->argv[0], slash + 1) : add_site(&o, ctl->argv[0]);
    return org_close(&o, code);
}

/* --- modify, delete --- */

/* Another description: ours, which says why something is wanted, stays. */
static int
describe(struct org *o, const struct dir_entry *e, struct dir_change *c)
{
    const struct dir_attr *a = dir_attr(e, "description");
    const char *given = ctl_value(o->ctl, "description");

    if (!given)
        return CTL_DONE;
    for (size_t i = 0; a && i < a->n; i++)
        if (strncmp(a->v[i].p, SITE_NOTE, strlen(SITE_NOTE)) != 0)
            dir_change_value(c, DIR_DELETE, "description", a->v[i].p);
    if (*given)
        dir_change_value(c, DIR_ADD, "description", given);
    return CTL_DONE;
}

/* How many next hops the options leave of those e has. */
static size_t
hops_left(struct org *o, const struct dir_entry *e)
{
    const struct dir_attr *a = dir_attr(e, "postroadNextHop");
    size_t at = 0, n = a ? a->n : 0, gone = 0;
    const char *value;

    if (ctl_value(o->ctl, "next-hop") && *ctl_value(o->ctl, "next-hop"))
        return 1;
    if (ctl_value(o->ctl, "next-hop"))
        return 0;
    while ((value = ctl_next_value(o->ctl, "remove-next-hop", &at)))
        gone += *value ? (size_t)dir_has(e, "postroadNextHop", value) : n;
    return gone < n ? n - gone : 0;
}

/* Ask, when e was the last way to its site. */
static int
confirm_last(struct org *o, const struct dir_entry *e, size_t left)
{
    int of_server = dir_has(e, "objectClass", "postroadServer");
    const char *site = of_server ? dir_parent(e->dn) : e->dn;
    char filter[] = "(postroadNextHop=*)";
    size_t all = 0;
    int code;

    if (left > 0 || !dir_attr(e, "postroadNextHop"))
        return CTL_DONE;
    code = org_count(o, site, DIR_SUB, filter, &all, NULL);
    if (code != CTL_DONE || all > 1)
        return code;
    return org_confirm(o, "No next hop of the site is left then: at other sites its mail waits. "
                          "Go on?");
}

static int
modify(struct org *o, const struct dir_entry *e, struct dir_change *c)
{
    int of = dir_has(e, "objectClass", "postroadServer") ? OF_SERVER : OF_SITE;
    int code = take_all(o, c, of, 0);

    if (code == CTL_DONE)
        code = describe(o, e, c);
    return code == CTL_DONE ? confirm_last(o, e, hops_left(o, e)) : code;
}

int
verb_site_modify(struct ctl *ctl)
{
    return org_modify(ctl, &site_kind, modify);
}

static int delete (struct org *o, const struct dir_entry *e)
{
    char name[256];
    int is_server = dir_has(e, "objectClass", "postroadServer");
    int code = site_check_unused(o, e);

    if (code == CTL_DONE)
        code = confirm_last(o, e, 0);
    if (code == CTL_DONE)
        code = org_delete(o, e->dn, is_server ? "server" : "site",
                          site_kind.name(e, name, sizeof name),
                          "Other sites hand no mail to it any more.");
    if (code == CTL_DONE)
        site_log(o, e->dn, "deleted");
    return code;
}

int
verb_site_delete(struct ctl *ctl)
{
    return org_one(ctl, &site_kind, delete);
}
