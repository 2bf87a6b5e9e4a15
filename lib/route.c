/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * route: the decision which way a message to one recipient goes.
 *
 * Promises: the same answer at every site for the same directory; "unknown" only
 * when that was proven; a mailbox whose home is in doubt waits, and is never
 * guessed at. Must not: look anything up outside its input, or fail.
 */
#include "route.h"

static struct route
route_is(int step, enum route_verdict verdict, const struct site *site, const char *why)
{
    return (struct route){.verdict = verdict, .step = step, .site = site, .why = why};
}

static struct route
route_list(void)
{
    struct route r = route_is(7, ROUTE_LOCAL, NULL, "list, expanded here");

    r.list = 1;
    return r;
}

static int
same_name(struct span a, struct span b)
{
    if (a.n != b.n || a.n == 0)
        return 0;
    for (size_t i = 0; i < a.n; i++) {
        unsigned char x = (unsigned char)a.p[i], y = (unsigned char)b.p[i];

        x = x >= 'A' && x <= 'Z' ? x + 32 : x;
        y = y >= 'A' && y <= 'Z' ? y + 32 : y;
        if (x != y)
            return 0;
    }
    return 1;
}

/* Whether the site that name stands for is our own; site may be NULL when no entry defines it. */
static int
is_own(const struct route_input *in, const struct site *site, struct span name)
{
    return same_name(site != NULL ? span_of(site->name) : name, in->own_site);
}

/* Step 6: the home site is declared failed over, so its standby receives. */
static struct route
route_standby(const struct route_input *in, const struct site *home)
{
    struct span name = in->standby.n > 0 ? in->standby : span_of(home->standby);
    const struct site *standby = site_find(in->sites, name);

    if (name.n == 0)
        return route_is(9, ROUTE_WAIT, NULL, "home site failed over, no standby site is set");
    if (standby == home)
        return route_is(9, ROUTE_WAIT, NULL, "home site failed over, its standby is itself");
    if (standby != NULL && standby->failed_over)
        return route_is(9, ROUTE_WAIT, NULL, "home site and standby site both failed over");
    if (is_own(in, standby, name))
        return route_is(6, ROUTE_LOCAL, NULL, "home site failed over, we are its standby");
    if (standby == NULL)
        return route_is(9, ROUTE_WAIT, NULL, "home site failed over, standby site is not known");
    if (standby->answer_len == 0)
        return route_is(9, ROUTE_WAIT, NULL, "home site failed over, standby has no next hop");
    return route_is(6, ROUTE_HANDOFF, standby, "home site failed over, to its standby");
}

struct route
route_decide(const struct route_input *in)
{
    const struct site *home;

    /* 1 the domain is not ours */
    if (!in->domain_ours)
        return route_is(1, ROUTE_OUTSIDE, NULL, "domain is not ours");
    /* 2 no such address, and the mirror holds all that is known anywhere */
    if (!in->found && in->proven)
        return route_is(2, ROUTE_UNKNOWN, NULL, "no such address");
    /* 3 no such address here, but it may exist */
    if (!in->found)
        return route_is(3, ROUTE_UNSURE, NULL, "no such address, mirror may be behind");
    /* 4 disabled: as if it were not there */
    if (in->state == STATE_DISABLED && in->proven)
        return route_is(4, ROUTE_UNKNOWN, NULL, "disabled");
    if (in->state == STATE_DISABLED)
        return route_is(4, ROUTE_UNSURE, NULL, "disabled, mirror may be behind");
    /* 5 the mailbox is on its way from one site to another */
    if (in->state == STATE_MOVING)
        return route_is(5, ROUTE_WAIT, NULL, "mailbox is being moved");
    /* 7 a list has no home: its members are expanded wherever it is asked for */
    if (in->kind == KIND_LIST)
        return route_list();
    home = site_find(in->sites, in->home);
    /* 6 the home site is declared failed over */
    if (home != NULL && home->failed_over)
        return route_standby(in, home);
    /* 7 the home site is ours */
    if (is_own(in, home, in->home))
        return route_is(7, ROUTE_LOCAL, NULL, "home is here");
    /* 8 the home site is another one, and we know the way to it */
    if (home != NULL && home->answer_len > 0)
        return route_is(8, ROUTE_HANDOFF, home, "home is elsewhere");
    /* 9 we don't know where to, or how */
    if (home != NULL)
        return route_is(9, ROUTE_WAIT, NULL, "home site has no next hop");
    if (in->home.n > 0)
        return route_is(9, ROUTE_WAIT, NULL, "home site is not known");
    return route_is(9, ROUTE_WAIT, NULL, "no home site is set");
}

const char *
route_verdict_word(enum route_verdict v)
{
    static const char *const words[] = {
        [ROUTE_OUTSIDE] = "outside", [ROUTE_UNKNOWN] = "unknown",  [ROUTE_UNSURE] = "unsure",
        [ROUTE_LOCAL] = "local",     [ROUTE_HANDOFF] = "hand-off", [ROUTE_WAIT] = "wait"};

    return (unsigned)v <= ROUTE_WAIT ? words[v] : "wait";
}

const char *
route_rule_text(int step)
{
    static const char *const text[] = {
        [1] = "the domain is not ours: outside",
        [2] = "nobody has the address, and the mirror is proven current: unknown",
        [3] = "nobody we know has the address, and the mirror may be behind: unsure",
        [4] = "disabled: unknown when the mirror is proven current, else unsure",
        [5] = "the mailbox is being moved: wait",
        [6] = "the home site is declared failed over: its standby site, local if that is us",
        [7] = "the home site is ours, or it is a list: local",
        [8] = "the home site is another one: hand-off to its next hops",
        [9] = "no home or standby site is known, or no next hop for it: wait"};

    return step >= 1 && step <= 9 ? text[step] : NULL;
}
