/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * attrs_preset: the attribute names of directories we know, and what a search
 * must ask for.
 *
 * Promises: what the administrator has set stays; a preset fills in the rest. In
 * every tree Postroad's own attributes are read beside the tree's own, so that a
 * home site or "moving" can be said where the tree has no word for it.
 * Must not: leave out accounts that are not active; the mirror must tell
 * "suspended" from "unknown".
 */
#include "attrs.h"

#include <stdlib.h>

#include "attrs_text.h"

#define NAMES_MAX 4

struct preset_row {
    enum conf_class_id class;
    size_t list; /* offset in struct conf_class */
    const char *names[NAMES_MAX];
};

struct preset {
    const char *name;
    const char *filter[CLASS_N];
    const struct preset_row *rows;
    size_t n;
};

#define AT(class, field)    CLASS_##class, offsetof(struct conf_class, field)
#define ROWS(rows)          rows, sizeof(rows) / sizeof *(rows)
#define POSTROAD_ACCOUNT    "(objectClass=postroadAccount)"
#define POSTROAD_LIST       "(objectClass=postroadList)"
#define POSTROAD_DOMAIN     "(objectClass=postroadDomain)"
#define POSTROAD_DEPARTMENT "(objectClass=postroadDepartment)"

/* Added to every preset, where that says nothing. */
static const struct preset_row common[] = {
    {AT(ACCOUNT, home_site), {"postroadHomeSite"}},
    {AT(ACCOUNT, standby), {"postroadStandbySite"}},
    {AT(ACCOUNT, state), {"postroadState"}},
    {AT(ACCOUNT, deny), {"postroadDeny"}},
    {AT(ACCOUNT, quota), {"postroadQuota"}},
    {AT(ACCOUNT, forward), {"postroadForward"}},
    {AT(ACCOUNT, alias), {"postroadAlias"}},
    {AT(ACCOUNT, name), {"displayName", "cn"}},
    {AT(LIST, address), {"mail"}},
    {AT(LIST, alias), {"postroadAlias"}},
    {AT(LIST, state), {"postroadState"}},
    {AT(LIST, member), {"postroadMember"}},
    {AT(LIST, member_dn), {"member"}},
    {AT(LIST, sender), {"postroadSender"}},
    {AT(LIST, name), {"displayName", "cn"}},
    {AT(DOMAIN, domain), {"associatedDomain"}},
    {AT(DOMAIN, home_site), {"postroadHomeSite"}},
    {AT(DOMAIN, standby), {"postroadStandbySite"}},
    {AT(DOMAIN, state), {"postroadState"}},
    {AT(DOMAIN, deny), {"postroadDeny"}},
    {AT(DOMAIN, quota), {"postroadQuota"}},
    {AT(DOMAIN, catch_all), {"postroadCatchAll"}},
    {AT(DEPARTMENT, home_site), {"postroadHomeSite"}},
    {AT(DEPARTMENT, standby), {"postroadStandbySite"}},
    {AT(DEPARTMENT, state), {"postroadState"}},
    {AT(DEPARTMENT, deny), {"postroadDeny"}},
    {AT(DEPARTMENT, quota), {"postroadQuota"}},
};

static const struct preset_row postroad[] = {
    {AT(ACCOUNT, address), {"mail"}},
};

/*
 * iRedMail. Its mailing lists (mailList) keep their members elsewhere: they stay with the
 * virtual_alias_maps that are there. An account without the mail service is no account there.
 */
static const struct preset_row iredmail[] = {
    {AT(ACCOUNT, address), {"mail"}},
    {AT(ACCOUNT, alias), {"shadowAddress", "postroadAlias"}},
    {AT(ACCOUNT, forward), {"mailForwardingAddress", "postroadForward"}},
    {AT(ACCOUNT, home_host), {"mailHost"}},
    {AT(ACCOUNT, state), {"accountStatus", "postroadState"}},
    {AT(ACCOUNT, active), {"active"}},
    {AT(ACCOUNT, quota), {"mailQuota"}},
    {AT(LIST, alias), {"shadowAddress", "postroadAlias"}},
    {AT(LIST, member), {"mailForwardingAddress"}},
    {AT(LIST, state), {"accountStatus", "postroadState"}},
    {AT(LIST, active), {"active"}},
    {AT(DOMAIN, domain), {"domainName", "domainAliasName"}},
    {AT(DOMAIN, state), {"accountStatus", "domainStatus", "postroadState"}},
    {AT(DOMAIN, active), {"active"}},
};

/* Univention. Its quotas are in MiB: set directory.quota_unit to 1048576. */
static const struct preset_row univention[] = {
    {AT(ACCOUNT, address), {"mailPrimaryAddress"}},
    {AT(ACCOUNT, alias), {"mailAlternativeAddress", "postroadAlias"}},
    {AT(ACCOUNT, forward), {"mailForwardAddress", "postroadForward"}},
    {AT(ACCOUNT, home_host), {"univentionMailHomeServer"}},
    {AT(ACCOUNT, quota), {"univentionMailUserQuota"}},
    {AT(LIST, address), {"mailPrimaryAddress"}},
    {AT(LIST, member), {"univentionMailMember"}},
    {AT(LIST, member_dn), {"uniqueMember"}},
    {AT(DOMAIN, domain), {"cn"}},
};

/* draft-lachman-laser-ldap-mail-routing. It has no mail domains: mark them as postroadDomain. */
static const struct preset_row laser[] = {
    {AT(ACCOUNT, address), {"mailLocalAddress"}},
    {AT(ACCOUNT, forward), {"mailRoutingAddress", "postroadForward"}},
    {AT(ACCOUNT, home_host), {"mailHost"}},
    {AT(LIST, address), {"mailLocalAddress", "mail"}},
};

static const struct preset presets[] = {
    {"postroad",
     {POSTROAD_ACCOUNT, POSTROAD_LIST, POSTROAD_DOMAIN, POSTROAD_DEPARTMENT},
     ROWS(postroad)},
    {"iredmail",
     {"(&(objectClass=mailUser)(enabledService=mail))", "(objectClass=mailAlias)",
      "(objectClass=mailDomain)", POSTROAD_DEPARTMENT},
     ROWS(iredmail)},
    {"univention",
     {"(&(objectClass=univentionMail)(uid=*)(mailPrimaryAddress=*))",
      "(&(|(objectClass=univentionMailList)(objectClass=univentionGroup))(mailPrimaryAddress=*))",
      "(objectClass=univentionMailDomainname)", POSTROAD_DEPARTMENT},
     ROWS(univention)},
    {"laser",
     {"(&(objectClass=inetLocalMailRecipient)(!(objectClass=groupOfNames)))",
      "(&(objectClass=groupOfNames)(|(objectClass=inetLocalMailRecipient)(objectClass=postroadList)"
      "))",
      POSTROAD_DOMAIN, POSTROAD_DEPARTMENT},
     ROWS(laser)},
};

/* Static text in a place that can also hold the configuration's own; nobody writes to either. */
static char *
borrow(const char *text)
{
    return (char *)(uintptr_t)text;
}

static void
rows_fill(struct conf_class map[CLASS_N], const struct preset_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct conf_list *list = (struct conf_list *)((char *)&map[rows[i].class] + rows[i].list);

        if (list->n > 0)
            continue;
        for (size_t k = 0; k < NAMES_MAX && rows[i].names[k] != NULL; k++)
            list->v[list->n++] = borrow(rows[i].names[k]);
    }
}

int
attrs_preset(const char *preset, struct conf_class map[CLASS_N])
{
    const struct preset *p = NULL;
    int own_state[CLASS_N];

    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++)
        if (strcmp(preset, presets[i].name) == 0)
            p = &presets[i];
    if (p == NULL)
        return -1;
    for (int c = 0; c < CLASS_N; c++) {
        own_state[c] = map[c].state.n > 0 && map[c].active.n == 0;
        if (map[c].filter == NULL || map[c].filter[0] == '\0')
            map[c].filter = borrow(p->filter[c]);
    }
    rows_fill(map, p->rows, p->n);
    rows_fill(map, common, sizeof common / sizeof *common);
    for (int c = 0; c < CLASS_N; c++) /* the preset's words belong to the preset's attribute */
        if (own_state[c])
            map[c].active.n = 0;
    return 0;
}

/* --- what to ask for --- */

/* What attrs_pack reads whatever the map says. */
static const char *const fixed[] = {
    "objectClass",
    "entryUUID",
    "createTimestamp",
    "cn",
    "member",
    "owner",
    "postroadRole",
    "postroadScope",
    "postroadRight",
    "postroadStandbySite",
    "postroadDesiredState",
    "postroadNextHop",
    "postroadCertFingerprint",
    "postroadHost",
    "postroadLimit",
    "postroadDelegate",
    "postroadSpoof",
};

/* First counts, then writes: names is NULL while counting. */
struct wanted {
    const char **names;
    char *text;
    size_t n, bytes;
};

static void
want(struct wanted *w, struct span name)
{
    for (size_t i = 0; w->names != NULL && i < w->n; i++)
        if (text_same(span_of(w->names[i]), name))
            return;
    if (w->names != NULL) {
        char *at = w->text + w->bytes;

        memcpy(at, name.p, name.n);
        at[name.n] = '\0';
        w->names[w->n] = at;
    }
    w->n++;
    w->bytes += name.n + 1;
}

static void
want_class(struct wanted *w, const struct conf_class *c)
{
    const struct conf_list *lists[] = {&c->address,   &c->alias,     &c->forward,   &c->home_site,
                                       &c->home_host, &c->standby,   &c->state,     &c->deny,
                                       &c->quota,     &c->member,    &c->member_dn, &c->sender,
                                       &c->domain,    &c->catch_all, &c->name};
    struct span name;
    size_t at = 0;

    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (size_t k = 0; k < lists[i]->n; k++)
            want(w, span_of(lists[i]->v[k]));
    while (c->filter != NULL && filter_next_name(c->filter, &at, &name))
        want(w, name);
}

static void
want_all(struct wanted *w, const struct conf_class map[CLASS_N])
{
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        want(w, span_of(fixed[i]));
    for (int c = 0; c < CLASS_N; c++)
        want_class(w, &map[c]);
}

const char **
attrs_wanted(const struct conf_class map[CLASS_N])
{
    struct wanted w = {NULL, NULL, 0, 0};
    size_t room;

    want_all(&w, map);
    room = (w.n + 1) * sizeof *w.names;
    w.names = malloc(room + w.bytes);
    if (w.names == NULL)
        return NULL;
    w.text = (char *)w.names + room;
    w.n = w.bytes = 0;
    want_all(&w, map);
    w.names[w.n] = NULL;
    return w.names;
}
