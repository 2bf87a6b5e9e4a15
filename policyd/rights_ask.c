/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rights_ask: from the words of a question to the input of rights_decide(), and its
 * answer.
 *
 * Promises: three results; a store that failed on the way, or that is older than
 * allowed, gives "can't tell". Must not decide anything but that, or log.
 */
#include "rights_ask.h"

#include <string.h>

static struct rights
unsure(const char *why)
{
    return (struct rights){.verdict = RIGHTS_UNSURE, .rule = 1, .why = why};
}

/* --- values --- */

/* -1: no such kind. The names of our object classes are accepted, too. */
static int
kind_parse(struct span word)
{
    static const char *const classes[RIGHTS_KIND_LAST + 1] = {
        [RIGHTS_ACCOUNT] = "postroadAccount",       [RIGHTS_LIST] = "postroadList",
        [RIGHTS_DEPARTMENT] = "postroadDepartment", [RIGHTS_CONTAINER] = "container",
        [RIGHTS_DOMAIN] = "postroadDomain",         [RIGHTS_SITE] = "postroadSite"};

    for (int k = 0; k <= RIGHTS_KIND_LAST; k++)
        if (span_same(word, span_of(rights_kind_word((enum rights_kind)k))) ||
            span_same(word, span_of(classes[k])))
            return k;
    return span_same(word, span_of("postroadServer")) ? RIGHTS_SITE : -1;
}

static const char *
read_place(const struct rights_places *p, struct span value, struct rights_answer *a)
{
    rights_find(p, value, 1, &a->value);
    a->in.value.dn = a->value.dn;
    a->in.value.dn_in_tree = rights_below(a->value.dn, p->domains);
    if (a->value.found < 0) /* in doubt about what is given we are in doubt about all of it */
        a->in.target.known = -1;
    return a->value.dn.n > 0 || a->value.found < 0
               ? NULL
               : "the value is no DN, address or domain that is known here";
}

static const char *
read_kind(struct span value, struct rights_answer *a)
{
    int kind = value.n > 0 ? kind_parse(value) : RIGHTS_ACCOUNT;

    a->in.value.kind = kind + 1;
    return kind >= 0 ? NULL
                     : "the value is no kind: account, list, department, container, domain, "
                       "site";
}

/* NULL, or why the value makes no sense. */
static const char *
read_value(const struct rights_places *p, struct span value, struct rights_answer *a)
{
    int n = 0;

    if (a->in.action == ACT_MOVE && value.n == 0)
        return "manage:move needs the DN of the new parent";
    if (a->in.action == ACT_ADD)
        return read_kind(value, a);
    if (value.n == 0)
        return NULL;
    switch (a->in.action) {
    case ACT_ROLE:
        n = rights_level_parse(value);
        a->in.value.level = (enum rights_level)n;
        return n < 0 ? "the value is no role: system, super, domain, department" : NULL;
    case ACT_RIGHT:
        n = rights_right_parse(value);
        a->in.value.right = (unsigned)n;
        return n < 0 ? "the value is no right: read-mail, write-mail, approve, audit" : NULL;
    case ACT_SCOPE:
    case ACT_MOVE:
        return read_place(p, value, a);
    case ACT_CLASS:
        return read_kind(value, a);
    case ACT_ADDRESS:
        rights_address_of(p, value, a->in.target.dn, a->address_dn, &a->in.value);
        return NULL;
    default:
        return "this action takes no value";
    }
}

/* The entry to be: what its DN and kind say of it. */
static const char *
read_new(const struct rights_places *p, struct rights_answer *a)
{
    if (a->in.target.dn.n == 0)
        return "manage:add needs the DN of the entry to be";
    a->in.target.known = 1;
    a->in.target.kind = (enum rights_kind)(a->in.value.kind - 1);
    a->in.target.level = LEVEL_USER;
    a->in.target.in_tree = rights_in_tree(a->in.target.kind, a->in.target.dn, p->domains);
    return NULL;
}

static const char *
read_question(const struct rights_places *p, const struct rights_question *q,
              struct rights_answer *a)
{
    int action = rights_action_parse(q->action);
    const char *usage;

    if (action < 0)
        return "no such action: see postroad-rights(7)";
    a->in.action = (enum rights_action)action;
    rights_find(p, q->actor, 1, &a->actor);
    rights_find(p, q->target, 0, &a->target);
    rights_actor_of(p, &a->actor, a->scopes, &a->in.actor);
    rights_target_of(p, &a->target, &a->in.target);
    usage = read_value(p, q->value, a);
    if (!usage && a->in.action == ACT_ADD)
        usage = read_new(p, a);
    return usage;
}

void
rights_ask(const struct conf *conf, struct mirror *m, int64_t age_ms,
           const struct rights_question *q, struct rights_answer *a)
{
    struct rights_places places;
    const char *why;
    int64_t max_ms = conf->rights.max_age * 1000LL;

    memset(&a->in, 0, sizeof a->in);
    a->usage = NULL;
    a->actor.found = a->target.found = a->value.found = -1;
    a->actor.dn = a->target.dn = a->value.dn = (struct span){NULL, 0};
    a->actor.note = a->target.note = a->value.note = "";
    a->rights = unsure("the mirror was never filled");
    if (age_ms < 0)
        return;
    if (rights_places_open(&places, conf, m, &why) < 0) {
        a->rights = unsure(why);
        return;
    }
    a->usage = read_question(&places, q, a);
    if (a->usage)
        return;
    a->rights = rights_decide(&a->in);
    if (mirror_failed(m))
        a->rights = unsure("the mirror can't be read");
    else if (max_ms > 0 && age_ms > max_ms && a->rights.rule != 5)
        a->rights = unsure("the mirror is older than rights.max_age");
}
