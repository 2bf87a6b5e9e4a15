/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hold_envelope: see hold_envelope.h.
 *
 * Promises: the milter and who explains it go by the same answers. Takes the same memory for any number of
 * recipients. Must not decide whether a message is held: that is guard_hold's.
 */
#include "hold_envelope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
hold_rules_read(struct hold_rules *r, const struct conf *conf)
{
    const struct conf_list *list = &conf->milter.moderate;
    char error[256];

    *r = (struct hold_rules){.members = -1};
    r->rule = list->n ? calloc(list->n, sizeof *r->rule) : NULL;
    if (list->n && !r->rule)
        return -1;
    /* conf_load has read them once: none is wrong. */
    for (; r->n < list->n; r->n++) {
        hold_rule_parse(&r->rule[r->n], list->v[r->n], error, sizeof error);
        if (r->rule[r->n].members > r->members)
            r->members = r->rule[r->n].members;
    }
    return 0;
}

void
hold_rules_free(struct hold_rules *r)
{
    free(r->rule);
    *r = (struct hold_rules){.members = -1};
}

struct hold_person
hold_person_of(const struct person *p)
{
    return (struct hold_person){p->verdict == ROUTE_UNSURE, p->account, p->domain, p->department};
}

static void
seen_at(enum guard_known *seen, enum guard_known now)
{
    if (*seen != GUARD_YES && now != GUARD_NO)
        *seen = now;
}

/* What the rules say of one recipient; a stranger is known by his address. */
static void
ask_rules(struct hold_envelope *e, const struct hold_rules *r, struct people *people,
          struct span address, const struct person *person, enum direction direction)
{
    struct hold_recipient to = {hold_person_of(person), direction, person->is_list, 0};
    struct addr a;

    if (person->verdict == ROUTE_OUTSIDE && addr_parse(&a, address.p, address.n, "") == 1) {
        to.who.account = a.text;
        to.who.domain = addr_domain(&a);
    }
    if (to.is_list && r->members >= 0)
        to.members = people_members(people, span_of(person->account), r->members + 1);
    for (unsigned i = 0; i < r->n; i++) {
        enum guard_known known = hold_rule_recipient(&r->rule[i], &to);

        seen_at(&e->seen[i].recipient, known);
        if (known == GUARD_YES && !*e->list[i] && hold_rule_means_list(&r->rule[i], &to))
            snprintf(e->list[i], sizeof e->list[i], "%s", to.who.account);
    }
}

void
hold_envelope_add(struct hold_envelope *e, const struct hold_rules *r, struct people *people,
                  struct span address, const struct person *to, enum direction direction)
{
    int at_home = to->verdict == ROUTE_LOCAL;

    if (*to->account && (!*e->ours || (at_home && !e->at_home))) {
        memcpy(e->ours, to->account, sizeof e->ours);
        e->at_home = at_home;
    }
    e->outbound |= direction == DIRECTION_OUTBOUND;
    ask_rules(e, r, people, address, to, direction);
}

int
hold_envelope_outside(const struct hold_envelope *e, int inside)
{
    return !inside && !e->outbound;
}

const char *
hold_envelope_target(const struct hold_envelope *e, const struct guard_hold *g,
                     const struct person *from, int inside)
{
    if (g->step == 4 && *e->list[g->rule])
        return e->list[g->rule];
    if (g->step == 4 && !hold_envelope_outside(e, inside) && *from->account)
        return from->account;
    return e->ours;
}
