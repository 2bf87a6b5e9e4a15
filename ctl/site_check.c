/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * site, checks: what is written of sites and servers, held against what the others
 * have. A certificate, host or next hop that two sites claim would make one of them
 * pass for the other, or its mail wait: it is refused. So is deleting what entries
 * still name.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "attrs.h"
#include "site.h"
#include "site_verbs.h"

#define UNUSED_FILTER_MAX 4096

/* --- values two sites must not share --- */

struct clash {
    const char *attr, *value;
    char name[SITE_NAME_MAX + 1]; /* of the site that is changed */
    char dn[ORG_DN_MAX];          /* who has it */
};

/* "hebei" of "hebei" and "hebei/mx1". */
static void
site_part(const char *arg, char out[SITE_NAME_MAX + 1])
{
    char name[256];

    if (dir_is_dn(arg)) {
        out[0] = '\0';
        return;
    }
    snprintf(name, sizeof name, "%.*s", (int)strcspn(arg, "/"), arg);
    if (site_name_canon(span_of(name), out) < 0)
        out[0] = '\0';
}

/* Without the priority and the transport: by these alone nobody is told apart. */
static int
same_value(const char *attr, const char *a, const char *b)
{
    struct site_hop x, y;

    if (strcmp(attr, "postroadNextHop") != 0)
        return strcasecmp(a, b) == 0;
    return site_hop_parse(span_of(a), &x) == 1 && site_hop_parse(span_of(b), &y) == 1 &&
           strcasecmp(x.hop, y.hop) == 0;
}

static int
on_other(void *ctx, const struct dir_entry *e)
{
    struct clash *c = ctx;
    const struct dir_attr *a = dir_attr(e, c->attr);
    int is_server = dir_has(e, "objectClass", "postroadServer");
    char site[256] = "";

    dir_rdn_value(is_server ? dir_parent(e->dn) : e->dn, site, sizeof site);
    for (size_t i = 0; a && i < a->n; i++)
        if (strcasecmp(site, c->name) != 0 && same_value(c->attr, a->v[i].p, c->value))
            snprintf(c->dn, sizeof c->dn, "%s", e->dn);
    return 0;
}

static int
check_free(struct org *o, const char *attr, const char *value)
{
    static const char all[] = "(|(objectClass=postroadSite)(objectClass=postroadServer))";
    struct clash c = {.attr = attr, .value = value};
    int code;

    site_part(o->ctl->argv[0], c.name);
    if (!*c.name) /* given as a DN: slapd and the daemon's status are left */
        return CTL_DONE;
    code = dir_search(o->d, dir_base(o->d), DIR_SUB, all, NULL, on_other, &c);
    if (code != CTL_DONE)
        return org_fail(o, code);
    if (*c.dn)
        return ctl_fail(o->ctl, CTL_NO, "%s belongs to another site already: %s", value, c.dn);
    return CTL_DONE;
}

int
site_check_hop(struct org *o, const char *value, char *out, size_t cap)
{
    struct site_hop hop;

    if (site_hop_parse(span_of(value), &hop) != 1)
        return ctl_usage("\"%s\" is no next hop: write priority, transport and where to, like "
                         "\"10 relay:[192.0.2.1]:25\"",
                         value);
    snprintf(out, cap, "%lu %s:%s", (unsigned long)hop.priority, hop.transport, hop.hop);
    return check_free(o, "postroadNextHop", out);
}

int
site_check_host(struct org *o, const char *value, char *out, size_t cap)
{
    char host[256];

    if (site_host_canon(span_of(value), host) < 0)
        return ctl_usage("\"%s\" is no host name or address", value);
    snprintf(out, cap, "%s", host);
    return check_free(o, "postroadHost", out);
}

int
site_check_old_print(struct org *o, const char *value, char *out, size_t cap)
{
    char print[SITE_PRINT_MAX + 1];

    (void)o;
    if (site_print_canon(span_of(value), print) < 0)
        return ctl_usage("\"%s\" is no fingerprint: openssl x509 -noout -fingerprint -sha256 -in "
                         "FILE prints one",
                         value);
    snprintf(out, cap, "%s", print);
    return CTL_DONE;
}

int
site_check_print(struct org *o, const char *value, char *out, size_t cap)
{
    int code = site_check_old_print(o, value, out, cap);

    return code == CTL_DONE ? check_free(o, "postroadCertFingerprint", out) : code;
}

/* --- what entries name --- */

/* (attr=value) for each attribute of the list, after what is in out. */
static size_t
add_terms(char *out, size_t n, const struct conf_list *attrs, const char *value)
{
    for (size_t i = 0; i < attrs->n && n < UNUSED_FILTER_MAX; i++)
        n += (size_t)snprintf(out + n, UNUSED_FILTER_MAX - n, "(%s=%s)", attrs->v[i], value);
    return n;
}

/* Entries that have value as their site, or as their home host. -1: it does not fit. */
static int
user_filter(const struct conf *conf, const char *value, int is_host, char *out)
{
    struct conf_class map[CLASS_N];
    char escaped[1024];
    size_t n = 2;

    memcpy(map, conf->directory.map, sizeof map);
    if (attrs_preset(conf->directory.preset, map) < 0 ||
        dir_filter_escape(value, escaped, sizeof escaped) < 0)
        return -1;
    memcpy(out, "(|", 3);
    for (int i = 0; i < CLASS_N; i++) {
        n = add_terms(out, n, is_host ? &map[i].home_host : &map[i].home_site, escaped);
        if (!is_host)
            n = add_terms(out, n, &map[i].standby, escaped);
    }
    if (!is_host && n < UNUSED_FILTER_MAX) /* also other sites' */
        n += (size_t)snprintf(out + n, UNUSED_FILTER_MAX - n, "(postroadStandbySite=%s)", escaped);
    if (n + 2 > UNUSED_FILTER_MAX)
        return -1;
    memcpy(out + n, ")", 2);
    return n > 2;
}

static int
check_unused(struct org *o, const char *value, int is_host)
{
    char filter[UNUSED_FILTER_MAX], first[ORG_DN_MAX];
    size_t n = 0;
    int code, some = user_filter(o->ctl->conf, value, is_host, filter);

    if (some < 0)
        return ctl_usage("\"%s\" is too long", value);
    code = some ? org_count(o, dir_base(o->d), DIR_SUB, filter, &n, first) : CTL_DONE;
    if (code != CTL_DONE || n == 0)
        return code;
    return ctl_fail(o->ctl, CTL_NO,
                    "%zu entries name %s as their %s, %s among them: their mail would wait. Change "
                    "them first, accounts with \"postroad user move-site\"",
                    n, value, is_host ? "home host" : "home or standby site", first);
}

int
site_check_unused(struct org *o, const struct dir_entry *e)
{
    const struct dir_attr *hosts = dir_attr(e, "postroadHost");
    const char *name = dir_value(e, "cn");
    int code = CTL_DONE;

    for (size_t i = 0; code == CTL_DONE && hosts && i < hosts->n; i++)
        code = check_unused(o, hosts->v[i].p, 1);
    if (code != CTL_DONE || dir_has(e, "objectClass", "postroadServer"))
        return code;
    if (strcasecmp(name, o->ctl->conf->site) == 0)
        return ctl_fail(o->ctl, CTL_NO, "%s is the site that this configuration is for (site)",
                        name);
    return check_unused(o, name, 0);
}
