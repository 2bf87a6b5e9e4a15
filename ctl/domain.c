/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * domain: mail domains in the directory: what an administrator of several adds,
 * shows, changes and takes away. The name in the RDN is the domain, further values
 * of associatedDomain are alias domains of it: their addresses are the same people's.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "addr.h"
#include "guard_spoof.h"
#include "org.h"
#include "text.h"

static const struct org_field fields[] = {
    {"name", "dc", 0},
    {"domains", "associatedDomain", 1},
    {"description", "description", 0},
    {"home site", "postroadHomeSite", 0},
    {"standby site", "postroadStandbySite", 0},
    {"state", "postroadState", 0},
    {"quota", "postroadQuota", 0},
    {"withheld", "postroadDeny", 1},
    {"limits", "postroadLimit", 1},
    {"catch-all", "postroadCatchAll", 0},
    {"forged senders", "postroadSpoof", 0},
};
#define FIELDS (sizeof fields / sizeof *fields)

static const char *
name_of(const struct dir_entry *e, char *out, size_t cap)
{
    const char *dc = dir_value(e, "dc");

    snprintf(out, cap, "%s", *dc ? dc : dir_value(e, "associatedDomain"));
    return out;
}

static void
row(struct text_table *t, const struct dir_entry *e, json_t *j)
{
    const struct dir_attr *names = dir_attr(e, "associatedDomain");
    char aliases[1024] = "", name[256];
    size_t n = 0;

    (void)j;
    name_of(e, name, sizeof name);
    for (size_t i = 0; names && i < names->n && n < sizeof aliases; i++)
        if (strcasecmp(names->v[i].p, name) != 0)
            n += (size_t)snprintf(aliases + n, sizeof aliases - n, "%s%s", n ? " " : "",
                                  names->v[i].p);
    text_row(t, (const char *[]){name, dir_value(e, "postroadHomeSite"),
                                 dir_value(e, "postroadState"), aliases});
}

static const struct org_kind kind = {
    .what = "domain",
    .args = "the name of one domain",
    .find = org_domain,
    .name = name_of,
    .fields = fields,
    .nfields = FIELDS,
    .filter = "(objectClass=postroadDomain)",
    .key = "domains",
    .heading = (const char *const[]){"domain", "home site", "state", "alias domains"},
    .right = "llll",
    .row = row,
};

/* --- add --- */

static int
check_spoof(struct org *o, const char *value, char *out, size_t cap)
{
    int action = spoof_action_parse(span_of(value));

    if (action < 0)
        return ctl_fail(o->ctl, CTL_USAGE, "--spoof is off, tag, quarantine or reject, not %s",
                        value);
    snprintf(out, cap, "%s", spoof_action_word((enum spoof_action)action));
    return CTL_DONE;
}

/* --spoof; an empty value takes it away. */
static int
spoof_option(struct org *o, struct dir_change *c, enum dir_op op)
{
    return org_option(o, c, op, "spoof", "postroadSpoof", check_spoof);
}

/* Alias domains, each free and not named twice. */
static int
add_aliases(struct org *o, struct dir_change *c, const char *option, const char *name)
{
    char canon[ADDR_DOMAIN_MAX + 1];
    const char *value;
    size_t at = 0;
    int code = CTL_DONE;

    while (code == CTL_DONE && (value = ctl_next_value(o->ctl, option, &at))) {
        code = org_canon_domain(o, value, canon);
        if (code == CTL_DONE && strcasecmp(canon, name) == 0)
            continue;
        if (code == CTL_DONE)
            code = org_domain_free(o, canon);
        if (code == CTL_DONE)
            dir_change_value(c, DIR_ADD, "associatedDomain", canon);
    }
    return code;
}

static int
fill(struct org *o, struct dir_change *c, const char *name)
{
    int code;

    dir_change_value(c, DIR_ADD, "objectClass", "domain");
    dir_change_value(c, DIR_ADD, "objectClass", "postroadDomain");
    dir_change_value(c, DIR_ADD, "dc", name);
    dir_change_value(c, DIR_ADD, "associatedDomain", name);
    code = add_aliases(o, c, "alias", name);
    if (code == CTL_DONE)
        code = org_settings(o, NULL, c);
    if (code == CTL_DONE)
        code = org_option(o, c, DIR_ADD, "catch-all", "postroadCatchAll", org_check_address);
    return code == CTL_DONE ? spoof_option(o, c, DIR_ADD) : code;
}

/* Where new ones go: --under, else where the rights say that all domains are. */
static const char *
place(struct org *o, char out[ORG_DN_MAX])
{
    const char *under = ctl_value(o->ctl, "under"), *set = o->ctl->conf->rights.domains;

    if (*set)
        snprintf(out, ORG_DN_MAX, "%s", set);
    else if (dir_dn("ou=domains", dir_base(o->d), out, ORG_DN_MAX) < 0)
        return NULL;
    if (under && dir_dn_below(under, out) != 1)
        fprintf(stderr,
                "postroad: note: %s is not below %s (rights.domains): only system administrators "
                "will administer it\n",
                under, out);
    return under ? under : out;
}

static int
add_at(struct org *o, const char *name)
{
    char rdn[512], dn[ORG_DN_MAX], container[ORG_DN_MAX];
    struct dir_change *c = dir_change_new();
    const char *under = place(o, container);
    int makes = under == container && strncasecmp(container, "ou=", 3) == 0, code;

    if (!under || dir_rdn("dc", name, rdn, sizeof rdn) < 0 || dir_dn(rdn, under, dn, sizeof dn) < 0)
        code = ctl_usage("the name is too long");
    else if ((code = fill(o, c, name)) == CTL_DONE &&
             (code = org_add(o, dn, c, makes ? "organizationalUnit" : NULL)) == CTL_DONE)
        code = org_done(o, dn, "added domain %s", name);
    dir_change_free(&c);
    return code;
}

int
verb_domain_add(struct ctl *ctl)
{
    char name[ADDR_DOMAIN_MAX + 1];
    struct org o;
    int code = ctl_needs_preset(ctl, "domains", "postroad laser");

    if (code == CTL_DONE)
        code = org_open(&o, ctl, 1, 1, "the name of one domain");
    if (code != CTL_DONE)
        return code;
    code = org_canon_domain(&o, ctl->argv[0], name);
    if (code == CTL_DONE)
        code = org_domain_free(&o, name);
    if (code == CTL_DONE)
        code = add_at(&o, name);
    return org_close(&o, code);
}

/* --- show, list --- */

int
verb_domain_show(struct ctl *ctl)
{
    return org_show(ctl, &kind, org_show_people);
}

int
verb_domain_list(struct ctl *ctl)
{
    return org_list_all(ctl, &kind, 0);
}

/* --- modify, delete --- */

static int
modify(struct org *o, const struct dir_entry *e, struct dir_change *c)
{
    const char *name = dir_value(e, "dc"), *value;
    size_t at = 0;
    int code = org_settings(o, e, c);

    while (code == CTL_DONE && (value = ctl_next_value(o->ctl, "remove-alias", &at)))
        if (strcasecmp(value, name) == 0)
            code = ctl_fail(o->ctl, CTL_NO,
                            "%s is the domain itself, only alias domains can be taken away", value);
    if (code == CTL_DONE)
        code = add_aliases(o, c, "alias", name);
    if (code == CTL_DONE)
        code = org_option(o, c, DIR_DELETE, "remove-alias", "associatedDomain", org_check_domain);
    if (code == CTL_DONE)
        code = org_option(o, c, DIR_REPLACE, "catch-all", "postroadCatchAll", org_check_address);
    if (code == CTL_DONE)
        code = spoof_option(o, c, DIR_REPLACE);
    return code == CTL_DONE ? org_confirm_home(o, e->dn) : code;
}

int
verb_domain_modify(struct ctl *ctl)
{
    return org_modify(ctl, &kind, modify);
}

static int delete (struct org *o, const struct dir_entry *e)
{
    char name[256];

    return org_delete(o, e->dn, "domain", name_of(e, name, sizeof name),
                      "Mail to its addresses will be refused as relaying.");
}

int
verb_domain_delete(struct ctl *ctl)
{
    return org_one(ctl, &kind, delete);
}
