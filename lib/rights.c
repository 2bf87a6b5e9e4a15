/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rights: the decision who may do what to whom.
 *
 * Promises: the same answer as the directory's access rules, wherever both can be
 * asked; nothing is allowed by doubt, and what is in doubt is not called refused.
 * Each rule's number is that of postroad-rights(7) and of t/tables/rights.tbl.
 * Must not: look anything up outside its input, or fail.
 */
#include "rights.h"

static struct rights
rights_is(int rule, enum rights_verdict verdict, const char *why)
{
    return (struct rights){.verdict = verdict, .rule = rule, .why = why};
}

static struct rights
refused(int rule, const char *why)
{
    return rights_is(rule, RIGHTS_REFUSED, why);
}

/* --- what everybody may do with the own entry --- */

static int
is_self(const struct rights_input *in)
{
    return in->actor.dn.n > 0 && span_same(in->actor.dn, in->target.dn);
}

/* The directory lets people change their own entries where people are, and a password anywhere. */
static int
is_for_self(const struct rights_input *in)
{
    switch (in->action) {
    case ACT_PERSON:
    case ACT_FORWARD:
        return in->target.in_tree;
    case ACT_PASSWORD:
    case ACT_READ_MAIL:
    case ACT_WRITE_MAIL:
    case ACT_SHARE:
    case ACT_USAGE:
        return 1;
    default:
        return 0;
    }
}

static int
is_withheld(const struct rights_input *in)
{
    unsigned bit = in->action == ACT_FORWARD    ? WITHHELD_FORWARD
                   : in->action == ACT_PASSWORD ? WITHHELD_PASSWORD
                   : in->action == ACT_SHARE    ? WITHHELD_SHARE
                                                : 0;

    return (in->actor.withheld & bit) != 0;
}

/* --- kinds --- */

/* The lowest level that changes entries of this kind. */
static enum rights_level
level_for(enum rights_kind kind)
{
    switch (kind) {
    case RIGHTS_ACCOUNT:
        return LEVEL_DEPARTMENT;
    case RIGHTS_LIST:
    case RIGHTS_DEPARTMENT:
    case RIGHTS_CONTAINER:
        return LEVEL_DOMAIN;
    case RIGHTS_DOMAIN:
        return LEVEL_SUPER;
    default:
        return LEVEL_SYSTEM;
    }
}

static int
is_of_mailbox(enum rights_action a)
{
    return a == ACT_READ_MAIL || a == ACT_WRITE_MAIL || a == ACT_SHARE;
}

/* Rule 10; NULL: it is for this level. */
static const char *
wrong_kind(const struct rights_input *in)
{
    enum rights_kind kind = in->target.kind;

    if (is_of_mailbox(in->action))
        return kind == RIGHTS_ACCOUNT ? NULL : "has no mailbox";
    if (kind == RIGHTS_SITE && in->actor.level < LEVEL_SYSTEM)
        return "sites are for system administrators";
    if (!rights_in_directory(in->action))
        return NULL;
    if (in->actor.level < level_for(kind))
        return "entries of this kind are for higher administrators";
    if (rights_odd_name(in->target.dn))
        return "an entry of such a name is for system administrators";
    if (in->action == ACT_NAMES && in->actor.level < level_for(RIGHTS_DOMAIN))
        return "names of domains are for higher administrators";
    if (in->value.kind > 0 && in->actor.level < level_for((enum rights_kind)(in->value.kind - 1)))
        return "would become an entry for higher administrators";
    return NULL;
}

/* --- scopes --- */

/* Whether some scope is dn or above it; strictly: above it. A system administrator's is everything. */
static int
in_scope(const struct rights_actor *actor, struct span dn, int strictly)
{
    if (actor->level == LEVEL_SYSTEM)
        return 1;
    for (size_t i = 0; i < actor->nscopes; i++)
        if (actor->scopes[i].n > 0 && rights_below(dn, actor->scopes[i]) &&
            !(strictly && span_same(dn, actor->scopes[i])))
            return 1;
    return 0;
}

/* Domain and department administrators don't change the entry their scope begins with. */
static int
is_strict(const struct rights_actor *actor)
{
    return actor->level < LEVEL_SUPER;
}

/* The directory looks for him at the new place, and does not find him there before it is done. */
static int
moves_along(const struct rights_input *in)
{
    return in->action == ACT_MOVE && rights_below(in->actor.dn, in->target.dn);
}

/* Rule 13: an entry comes into a place, or leaves one. NULL: both ends are his. */
static const char *
wrong_place(const struct rights_input *in)
{
    enum rights_action a = in->action;

    if (a != ACT_ADD && a != ACT_DELETE && a != ACT_MOVE && a != ACT_NAMES)
        return NULL;
    if (!in_scope(&in->actor, rights_parent(in->target.dn), 0))
        return a == ACT_NAMES ? "a domain's names are for who may add domains"
                              : "the place it stands in is outside the scope";
    if (a == ACT_MOVE && (!in->value.dn_in_tree || !in_scope(&in->actor, in->value.dn, 0) ||
                          rights_odd_name(in->value.dn)))
        return "the place it goes to is outside the scope";
    if (moves_along(in))
        return "the actor stands in what would be moved";
    return NULL;
}

/* --- rights beyond managing --- */

static unsigned
with_included(unsigned rights)
{
    return rights & RIGHT_WRITE_MAIL ? rights | RIGHT_READ_MAIL : rights;
}

/* Rule 14; NULL: none is needed, or he has it. */
static const char *
missing_right(const struct rights_input *in)
{
    unsigned has = with_included(in->actor.rights);

    switch (in->action) {
    case ACT_READ_MAIL:
        return has & RIGHT_READ_MAIL ? NULL : "needs the right read-mail";
    case ACT_WRITE_MAIL:
    case ACT_SHARE:
        return has & RIGHT_WRITE_MAIL ? NULL : "needs the right write-mail";
    case ACT_APPROVE:
        return has & RIGHT_APPROVE ? NULL : "needs the right approve";
    case ACT_AUDIT:
        return has & RIGHT_AUDIT ? NULL : "needs the right audit";
    default:
        return NULL;
    }
}

static int
is_grant(enum rights_action a)
{
    return a == ACT_ROLE || a == ACT_SCOPE || a == ACT_RIGHT || a == ACT_GATE;
}

/* --- values --- */

/* What the directory can't compare inside a set, as the value becomes a part of one. */
static int
has_brackets(struct span dn)
{
    return dn.n > 0 && (memchr(dn.p, '[', dn.n) != NULL || memchr(dn.p, ']', dn.n) != NULL);
}

/* Rule 19: addresses are of the domain the entry is in, or of one that is the giver's as well. */
static int
is_foreign_address(const struct rights_input *in)
{
    const struct rights_value *v = &in->value;

    if (in->action != ACT_ADDRESS || !v->address || v->own_domain == 1)
        return 0;
    return in->actor.level < LEVEL_SUPER || v->address_domain.n == 0 ||
           !in_scope(&in->actor, v->address_domain, 0);
}

/* --- the decision --- */

/* The gate is no matter to whoever does what everybody may. */
static int
is_unreadable(const struct rights_input *in, int self)
{
    const struct rights_actor *a = &in->actor;

    return a->known < 0 || in->target.known < 0 ||
           (a->known && (a->active < 0 || (a->level > LEVEL_USER && a->gate < 0 && !self))) ||
           (in->action == ACT_ADDRESS && in->value.address < 0);
}

/* Rules 15 to 19: what is given, to someone he may otherwise administer. */
static struct rights
decide_values(const struct rights_input *in)
{
    const struct rights_actor *actor = &in->actor;
    const struct rights_value *v = &in->value;
    static const struct span nothing = {NULL, 0};

    /* 15 department administrators make no administrators */
    if (is_grant(in->action) && actor->level < LEVEL_DOMAIN)
        return refused(15, "department administrators grant nothing");
    /* 16 a role below one's own, and no gate for who has none */
    if (in->action == ACT_ROLE && v->level >= actor->level)
        return refused(16, "the role is not below one's own");
    if (in->action == ACT_GATE && in->target.level == LEVEL_USER)
        return refused(16, "holds no role");
    /* 17 a scope inside one's own */
    if (in->action == ACT_SCOPE && v->dn.n > 0 && !in_scope(actor, v->dn, is_strict(actor)))
        return refused(17, "the scope is not inside one's own");
    if (has_brackets(in->action == ACT_SCOPE  ? v->dn
                     : in->action == ACT_GATE ? in->target.dn
                                              : nothing))
        return refused(17, "a name with brackets is for system administrators");
    /* 18 a right one has */
    if (in->action == ACT_RIGHT && v->right & ~with_included(actor->rights))
        return refused(18, "a right one doesn't have");
    /* 19 an address of one's own domain */
    if (is_foreign_address(in))
        return refused(19, "an address of a domain it is not in");
    /* 20 nothing speaks against it */
    return rights_is(20, RIGHTS_ALLOWED, "below the administrator, inside the scope");
}

struct rights
rights_decide(const struct rights_input *in)
{
    const struct rights_actor *actor = &in->actor;
    int self = is_self(in) && is_for_self(in), gated, system;
    const char *why;

    /* 1 doubt is no permission, and no refusal */
    if (is_unreadable(in, self))
        return rights_is(1, RIGHTS_UNSURE, "the directory's copy can't tell");
    /* 2 nobody */
    if (!actor->known)
        return refused(2, "no such actor");
    /* 3 suspended or disabled, himself or all where he is */
    if (!actor->active)
        return refused(3, "the actor is suspended or disabled");
    /* 4 nothing there */
    if (!in->target.known)
        return refused(4, "no such target");
    gated = actor->gate > 0 && !rights_odd_name(actor->dn);
    system = actor->level == LEVEL_SYSTEM && gated;
    /* 5 what everybody may do with the own entry, unless the function is withheld */
    if (self && !is_withheld(in))
        return rights_is(5, RIGHTS_ALLOWED, "the own entry");
    if (self && !(system && rights_in_directory(in->action)))
        return refused(5, "the function is withheld");
    /* 6 users administer nobody */
    if (actor->level == LEVEL_USER)
        return refused(6, "holds no role");
    /* 7 a role counts for members of the gate group only */
    if (!actor->gate)
        return refused(7, "holds a role, but is not in the group of administrators");
    if (!gated)
        return refused(7, "no role counts at an entry of such a name");
    /* 8 the directory is open to system administrators */
    if (system && rights_in_directory(in->action) && !moves_along(in))
        return rights_is(8, RIGHTS_ALLOWED, "system administrator");
    /* 9 outside the domains nothing is for the others */
    if (!system && !in->target.in_tree)
        return refused(9, "outside the domains");
    /* 10 some kinds of entries are for higher levels */
    if ((why = wrong_kind(in)) != NULL)
        return refused(10, why);
    /* 11 nobody administers his equals, or higher ones */
    if (actor->level <= in->target.level)
        return refused(11, "of the same or a higher level");
    /* 12 inside a scope; and for changes not the entry it begins with */
    if (!in_scope(actor, in->target.dn, 0))
        return refused(12, "outside the scope");
    if (is_strict(actor) && rights_in_directory(in->action) && !in_scope(actor, in->target.dn, 1))
        return refused(12, "one's own domain or department");
    /* 13 both ends of a move, and where something is created or deleted */
    if ((why = wrong_place(in)) != NULL)
        return refused(13, why);
    /* 14 what a role doesn't bring by itself */
    if ((why = missing_right(in)) != NULL)
        return refused(14, why);
    return decide_values(in);
}

const char *
rights_rule_text(int rule)
{
    static const char *const text[RIGHTS_RULES + 1] = {
        [1] = "something that decides could not be read: can't tell",
        [2] = "the actor is nobody, or no account: refused",
        [3] = "the actor, or a department or domain he is in, is suspended or disabled: refused",
        [4] = "the target does not exist: refused",
        [5] = "one's own entry, and an action everybody has there: allowed, unless the function is "
              "withheld",
        [6] = "the actor holds no role: refused",
        [7] = "the actor holds a role, but is not in the group of administrators: refused",
        [8] = "a system administrator, in the directory: allowed",
        [9] = "the target is outside the domains: refused",
        [10] = "the target is of a kind for higher administrators, or has no mailbox: refused",
        [11] = "the target is of the actor's level or a higher one: refused",
        [12] = "the target is in none of the actor's scopes, or is the top of one and to be "
               "changed by a domain or department administrator: refused",
        [13] = "the place something is added to, deleted from or moved to is in none of the "
               "actor's scopes: refused",
        [14] = "the actor lacks the right that the action needs: refused",
        [15] = "a department administrator would make an administrator: refused",
        [16] = "the role given is not below the actor's own, or there is none to be let in for: "
               "refused",
        [17] =
            "the scope given is not inside one of the actor's, or is, like the name let into the "
            "group, one with brackets: refused",
        [18] = "the right given is not one of the actor's: refused",
        [19] = "the address given is of a domain that the target is not in: refused",
        [20] = "nothing speaks against it: allowed"};

    return rule >= 1 && rule <= RIGHTS_RULES ? text[rule] : NULL;
}
