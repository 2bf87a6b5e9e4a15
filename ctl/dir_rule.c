/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dir_rule: which rule a refusal of the server comes from, as the daemon's own
 * decision on rights tells it. The server has decided; this only explains, and
 * says nothing when the daemon can't be asked.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "dir_private.h"

static const struct {
    const char *attr, *action;
} actions[] = {
    {"mail", "manage:address"},
    {"postroadAlias", "manage:address"},
    {"postroadForward", "manage:forward"},
    {"postroadHomeSite", "manage:placement"},
    {"postroadStandbySite", "manage:placement"},
    {"postroadState", "manage:state"},
    {"postroadQuota", "quota"},
    {"postroadDeny", "functions"},
    {"postroadRole", "grant:role"},
    {"postroadScope", "grant:scope"},
    {"postroadRight", "grant:right"},
    {"member", "manage:members"},
    {"postroadMember", "manage:members"},
    {"owner", "manage:members"},
    {"postroadSender", "manage:senders"},
    {"associatedDomain", "manage:names"},
    {"userPassword", "password"},
    {"displayName", "manage:person"},
    {"mobile", "manage:person"},
    {"telephoneNumber", "manage:person"},
    {"postroadHeldVerdict", ""}, /* the question is about another entry: see held_may */
};

static const struct {
    const char *class, *kind;
} kinds[] = {
    {"postroadAccount", "account"}, {"postroadList", "list"}, {"postroadDepartment", "department"},
    {"postroadDomain", "domain"},   {"postroadSite", "site"}, {"postroadServer", "site"}};

static void
append(struct dir *d, json_t *reply)
{
    size_t n = strlen(d->error);
    json_t *allowed = json_object_get(reply, "allowed");
    const char *text = json_string_value(json_object_get(reply, "text"));
    const char *why = json_string_value(json_object_get(reply, "why"));

    if (json_is_false(allowed) && text)
        snprintf(d->error + n, sizeof d->error - n, "\n  By rule %d: %s",
                 (int)json_integer_value(json_object_get(reply, "rule")), text);
    else if (json_is_false(allowed) && why)
        snprintf(d->error + n, sizeof d->error - n, "\n  Because: %s", why);
}

/* Ask once. 1 when that is what is refused, and it was said. */
static int
ask(struct dir *d, const char *action, const char *dn, const char *value)
{
    json_t *reply;
    int refused;

    if (daemon_ask_quietly(d->ctl,
                           json_pack("{s:s, s:s, s:s, s:s, s:s}", "verb", "may", "actor", d->self,
                                     "action", action, "target", dn, "value", value),
                           &reply) < 0)
        return 0;
    refused = json_is_false(json_object_get(reply, "allowed"));
    append(d, reply);
    json_decref(reply);
    return refused;
}

int
dir_rule(struct dir *d, int code, const char *action, const char *dn, const char *value)
{
    if (d->code == LDAP_INSUFFICIENT_ACCESS && *d->self)
        ask(d, action, dn, value);
    return code;
}

/* What is given, where the rules ask for it: an address, a role, a scope or a right. */
static const char *
given(const struct dir_mod *m, const char *action)
{
    int asked = strcmp(action, "manage:address") == 0 || strncmp(action, "grant", 5) == 0;

    return asked && m->n > 0 && m->op != LDAP_MOD_DELETE ? m->v[0].bv_val : "";
}

static const char *
action_of(const char *attr)
{
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        if (strcasecmp(actions[i].attr, attr) == 0)
            return actions[i].action;
    return "manage";
}

int
dir_rule_modify(struct dir *d, int code, const char *dn, const struct dir_change *c)
{
    if (d->code != LDAP_INSUFFICIENT_ACCESS || !*d->self)
        return code;
    for (size_t i = 0; i < c->n; i++) {
        const char *action = action_of(c->mods[i].attr);

        if (!*action || ask(d, action, dn, given(&c->mods[i], action)))
            break;
    }
    return code;
}

int
dir_rule_add(struct dir *d, int code, const char *dn, const struct dir_change *c)
{
    const char *kind = "account";

    if (d->code != LDAP_INSUFFICIENT_ACCESS || !*d->self)
        return code;
    for (size_t i = 0; i < c->n; i++)
        for (size_t j = 0; strcasecmp(c->mods[i].attr, "objectClass") == 0 && j < c->mods[i].n; j++)
            for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
                if (strcasecmp(kinds[k].class, c->mods[i].v[j].bv_val) == 0)
                    kind = kinds[k].kind;
    if (ask(d, "manage:add", dn, kind))
        return code;
    for (size_t i = 0; i < c->n; i++) {
        const char *action = action_of(c->mods[i].attr);

        if (strcmp(action, "manage:address") == 0 &&
            ask(d, action, dir_parent(dn), given(&c->mods[i], action)))
            break;
    }
    return code;
}
