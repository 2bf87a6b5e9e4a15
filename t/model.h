/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model: two or three sites that disagree about one address, and what each of them does with a
 * message to it. For t/model_test.c, which walks through all of it; see there.
 *
 * What decides is the daemon's own code: route_decide, guard_handoff, freshness_decide, proof_* and
 * cookie_* with real CSNs, confirm_* and digest_update. What is written here is only what lies between: what a map
 * answers for a verdict (policyd/maps_answer.c), and what Postfix does with that answer.
 */
#ifndef POSTROAD_TEST_MODEL_H
#define POSTROAD_TEST_MODEL_H

#include "digest.h"
#include "freshness.h"
#include "guard_handoff.h"
#include "policyd/confirm.h"
#include "policyd/cookie.h"
#include "policyd/proof.h"
#include "route.h"
#include "t/build.h"

#include <stdio.h>

enum { SITES = 3, CHANGES = 2, KNOWN = 1 << CHANGES, ALL = KNOWN - 1, NO_SITE = -1 };

enum mutation {
    NONE,
    UNSURE_SAYS_UNKNOWN,    /* the mailbox map refuses whom it should be in doubt about */
    GUARD_ACCEPTS_ANYTHING, /* the hand-off port takes in what it would hand on */
    STALE_PROOF_COUNTS,     /* a proof from before the question will do */
    VANISHED_STAYS_HERE,    /* mail accepted for somebody who is gone goes to this site's Dovecot */
    NOT_VERIFIED,           /* providers are asked for contextCSN alone, not for the address */
    MUTATIONS
};

static const char *const mutation_name[MUTATIONS] = {"nothing",
                                                     "unsure says unknown",
                                                     "guard accepts what it would hand on",
                                                     "stale proof counts",
                                                     "transport of the vanished is local",
                                                     "providers are not asked for the address"};

/* --- the directory --- */

/* An entry that claims the address. */
struct owner {
    enum record_state state; /* STATE_UNSET: there is no such entry */
    int home;                /* NO_SITE: none is set */
};

/* What somebody who knows some of the changes knows. */
struct view {
    struct owner owner[2]; /* the older one has the address */
    unsigned failed_over;  /* bit per site */
};

enum what { NOTHING, OLDER, YOUNGER, FAILED_OVER, BACK };

struct change {
    enum what what;
    struct owner to; /* OLDER, YOUNGER: the entry from now on */
    int site;        /* FAILED_OVER, BACK: which */
    int origin;      /* the site at which the change was made */
};

struct story {
    const char *name;
    int sites;
    struct view before;
    struct change change[CHANGES];
};

static struct view
view_of(const struct story *s, unsigned known)
{
    struct view v = s->before;

    for (int c = 0; c < CHANGES; c++) {
        const struct change *change = &s->change[c];

        if (!(known & 1u << c) || change->what == NOTHING)
            continue;
        if (change->what == FAILED_OVER)
            v.failed_over |= 1u << change->site;
        else if (change->what == BACK)
            v.failed_over &= ~(1u << change->site);
        else
            v.owner[change->what == YOUNGER] = change->to;
    }
    return v;
}

static const struct owner *
owner_of(const struct view *v)
{
    return &v->owner[v->owner[0].state == STATE_UNSET];
}

static int
receives(const struct view *v)
{
    enum record_state state = owner_of(v)->state;

    return state != STATE_UNSET && state != STATE_DISABLED;
}

/* --- the world --- */

enum heard { UNHEARD, HELD, SEEN, LOST };

struct world {
    unsigned char heard[SITES][CHANGES]; /* enum heard */
    unsigned cut;                        /* bit per pair of sites, see line_between */
};

enum place { AT_SENDER, IN_QUEUE };

struct message {
    enum place place;
    int site;   /* the one it is offered to, or in whose queue it is */
    int handed; /* times it was handed over */
};

/* Why a message that rests does so. */
enum rest {
    MOVES, /* it doesn't rest */
    REFUSED,
    DELIVERED,
    MISDELIVERED,
    WAITS_PROOF,
    WAITS_LINE,
    WAITS_AGREEMENT,
    WAITS_MOVE,
    WAITS_SITE_BACK,
    WAITS_HOME_SET,
    WAITS_RETURN,
    RESTS
};

static const char *const rest_name[RESTS] = {
    "moves",
    "refused",
    "delivered",
    "put into a mailbox nobody has",
    "waits for a proof",
    "waits for the line",
    "waits for the sites to agree",
    "waits for the move to end",
    "waits for a failed-over site or its standby to come back",
    "waits for a home site to be set",
    "waits to be returned, the user is gone"};

enum { HANDED_MAX = 1 + CHANGES + 1, PLACES = SITES + SITES * (HANDED_MAX + 1) };

/* All that is asked about one story again and again, and what came out. */
struct model {
    const struct story *story;
    enum mutation mutation;
    int allow_lost;
    struct view view[KNOWN];
    struct digest digest[KNOWN];
    struct digest entry[KNOWN][2];       /* of each owner; count 0: there is none */
    struct route route[SITES][KNOWN][2]; /* by what the mirror knows, and whether it is proven */
    unsigned char *visited;
    /* over all stories */
    long stories, states, ended[RESTS], violations, refused, unnoticed, handed_most;
};

static struct site_table table[SITES + 1]; /* of so many sites */
static const char *const site_name[SITES] = {"a", "b", "c"};

static int
site_number(const struct site *s)
{
    return s->name[0] - 'a';
}

static unsigned
line_between(int a, int b)
{
    return 1u << (a + b - 1); /* 0-1, 0-2, 1-2 */
}

static unsigned
lines(int sites)
{
    return 1u << sites * (sites - 1) / 2;
}

static int
connected(const struct world *w, int a, int b)
{
    return a == b || !(w->cut & line_between(a, b));
}

/* The changes of which the site's directory, or its mirror, has the CSN. */
static unsigned
known_csns(const struct world *w, int site, int at_least)
{
    unsigned known = 0;

    for (int c = 0; c < CHANGES; c++)
        known |= (unsigned)(w->heard[site][c] >= at_least) << c;
    return known;
}

/* The changes the site's mirror has the content of. */
static unsigned
mirrored(const struct world *w, int site)
{
    unsigned known = 0;

    for (int c = 0; c < CHANGES; c++)
        known |= (unsigned)(w->heard[site][c] == SEEN) << c;
    return known;
}

/* The changes the site's directory has the content of. */
static unsigned
held(const struct world *w, int site)
{
    unsigned known = mirrored(w, site);

    for (int c = 0; c < CHANGES; c++)
        known |= (unsigned)(w->heard[site][c] == HELD) << c;
    return known;
}

/* --- the functions under test, each asked once for each input it can get --- */

static void
make_sites(void)
{
    static unsigned char buf[65536];

    for (int n = 2; n <= SITES; n++) {
        site_table_init(&table[n]);
        for (int i = 0; i < n; i++) {
            char standby[] = "standby=?", hop[] = "hop=10 relay:[192.0.2.?]:25";
            struct record r;

            standby[8] = *site_name[(i + 1) % n];
            hop[strlen(hop) - 5] = (char)('1' + i);
            r = record_of(buf, KIND_SITE, STATE_UNSET, standby, hop, NULL);
            site_table_add(&table[n], span_of(site_name[i]), &r);
        }
        site_table_seal(&table[n]);
    }
}

static struct route
ask_route(const struct story *s, const struct view *v, int site, int proven)
{
    const struct owner *owner = owner_of(v);
    struct site_table *t = &table[s->sites];
    struct route_input in = {
        .domain_ours = 1,
        .found = owner->state != STATE_UNSET,
        .proven = proven,
        .kind = KIND_ACCOUNT,
        .state = owner->state,
        .home = span_of(owner->home == NO_SITE ? "" : site_name[owner->home]),
        .own_site = span_of(site_name[site]),
        .sites = t,
    };

    for (int i = 0; i < s->sites; i++)
        t->sites[i].failed_over = v->failed_over >> i & 1;
    return route_decide(&in);
}

static void
add_to_digest(struct digest *d, int number, enum record_kind kind, enum record_state state,
              const char *word)
{
    static unsigned char buf[65536];
    const unsigned char uuid[UUID_LEN] = {(unsigned char)number};
    struct record r = record_of(buf, kind, state, word, NULL);

    digest_update(d, uuid, &r, 1);
}

static void
add_owner(struct digest *d, const struct view *v, int i)
{
    char home[] = "home=?";

    home[5] = (char)('a' + v->owner[i].home);
    if (v->owner[i].state != STATE_UNSET)
        add_to_digest(d, i, KIND_ACCOUNT, v->owner[i].state, home);
}

static struct digest
ask_digest(const struct story *s, const struct view *v)
{
    struct digest d = {{0}, 0};

    for (int i = 0; i < 2; i++)
        add_owner(&d, v, i);
    for (int i = 0; i < s->sites; i++)
        add_to_digest(&d, 16 + i, KIND_SITE, STATE_UNSET,
                      v->failed_over >> i & 1 ? "desired=failed-over" : "desired=up");
    return d;
}

/* The contextCSN of who has all from before the story, and these changes. */
static struct cookie
csns_of(const struct story *s, unsigned known)
{
    struct cookie c;
    char csn[64];

    cookie_init(&c);
    for (int i = 0; i < s->sites; i++) {
        snprintf(csn, sizeof csn, "20260101000000.%06dZ#000000#%03x#000000", 0, i + 1);
        cookie_merge_csn(&c, span_of(csn));
    }
    for (int i = 0; i < CHANGES; i++) {
        snprintf(csn, sizeof csn, "20260101000000.%06dZ#000000#%03x#000000", i + 1,
                 s->change[i].origin + 1);
        if (known & 1u << i)
            cookie_merge_csn(&c, span_of(csn));
    }
    return c;
}

/* What a site asks the other ones, and what it knows itself. */
struct evidence {
    unsigned mirror;           /* CSNs of its mirror */
    unsigned directory[SITES]; /* of each site's directory */
    unsigned reachable;        /* bit per site */
};

/*
 * All was proven once, before the story. Then the question comes, all providers are asked, and those
 * behind a cut line don't answer.
 */
static enum freshness_verdict
ask_freshness(const struct story *s, const struct evidence *e, enum mutation mutation)
{
    enum { BEFORE = 10, QUESTION = 1000, ASKED = 1500, NOW = 1600, WAIT = 5000 };
    static struct proof p;
    struct cookie mirror = csns_of(s, 0), knows = mirror;
    struct freshness f = {FRESHNESS_SYNCREPL, .loaded = 1, .following = 1, .asked_ms = QUESTION};
    enum freshness_verdict v;

    proof_init(&p, (unsigned)s->sites);
    for (unsigned i = 0; i < p.n; i++)
        proof_answered(&p, i, BEFORE, BEFORE, &knows);
    proof_cover(&p, &mirror);
    for (unsigned i = 0; i < p.n; i++) {
        proof_asked(&p, i, ASKED);
        knows = csns_of(s, e->directory[i]);
        if (e->reachable >> i & 1)
            proof_answered(&p, i, ASKED, NOW, &knows);
        else
            proof_failed(&p, i);
    }
    mirror = csns_of(s, e->mirror);
    proof_cover(&p, &mirror);
    f.proof_ms = proof_ms(&p);
    f.unreachable = (int)proof_count_unreachable(&p, NOW);
    if (mutation == STALE_PROOF_COUNTS)
        f.asked_ms = 0;
    v = freshness_decide(&f, NOW, WAIT, NULL);
    return v == FRESH_WAIT ? freshness_decide(&f, QUESTION + WAIT, WAIT, NULL) : v;
}

/* Whether a site can prove its "nobody": remembered by what the proof sees. */
static int
is_proven(const struct model *m, const struct world *w, int site)
{
    static signed char memory[2][SITES + 1][SITES][SITES][KNOWN][KNOWN * KNOWN * KNOWN][1 << SITES];
    const struct change *c = m->story->change;
    struct evidence e = {.mirror = known_csns(w, site, SEEN)};
    unsigned directories = 0;
    signed char *known;

    for (int i = 0; i < m->story->sites; i++) {
        e.directory[i] = known_csns(w, i, HELD);
        e.reachable |= (unsigned)connected(w, site, i) << i;
        directories = directories << CHANGES | e.directory[i];
    }
    known = &memory[m->mutation == STALE_PROOF_COUNTS][m->story->sites][c[0].origin][c[1].origin]
                   [e.mirror][directories][e.reachable];
    if (*known == 0)
        *known = ask_freshness(m->story, &e, m->mutation) == FRESH_CURRENT ? 1 : -1;
    return *known == 1;
}

/* Whether all that a provider has of the address is in the mirror just so. */
static int
has_nothing_else(const struct model *m, unsigned provider, unsigned mirror)
{
    for (int i = 0; i < 2; i++)
        if (m->entry[provider][i].count > 0 &&
            memcmp(&m->entry[provider][i], &m->entry[mirror][i], sizeof m->entry[0][0]) != 0)
            return 0;
    return 1;
}

/* Asked for the address after the question, as often as it takes, what do all providers together say? */
static int
is_verified(const struct model *m, const struct world *w, int site)
{
    enum { QUESTION = 1000, ASKED = 1500 };
    static struct confirm *confirm[SITES + 1];
    static uint64_t version;
    unsigned sites = (unsigned)m->story->sites, mirror = mirrored(w, site), provider;
    int64_t at;

    if (!confirm[sites])
        confirm[sites] = confirm_new(1, sites);
    version++;
    for (unsigned i = 0; i < sites; i++) {
        at = ASKED;
        while (connected(w, site, (int)i) && confirm_due(confirm[sites], 0, i, version, QUESTION)) {
            confirm_asked(confirm[sites], 0, i, version, at);
            confirm_result(confirm[sites], 0, i, version, at++,
                           has_nothing_else(m, held(w, (int)i), mirror));
        }
    }
    return confirm_verdict(confirm[sites], 0, version, &at, &provider) == CONFIRM_SAME;
}

/* --- what a site does with a message --- */

static const struct route *
route_at(const struct model *m, const struct world *w, int site, int proven)
{
    return &m->route[site][mirrored(w, site)][proven];
}

/* Offered at port 25: the mailbox map's answer. */
static enum rest
offer(const struct model *m, const struct world *w, int site)
{
    /* What was asked before the story, when all was the same everywhere, is as stale as that proof. */
    int verified =
        m->mutation == NOT_VERIFIED || m->mutation == STALE_PROOF_COUNTS || is_verified(m, w, site);
    int proven = verified && is_proven(m, w, site);

    switch (route_at(m, w, site, proven)->verdict) {
    case ROUTE_OUTSIDE:
    case ROUTE_UNKNOWN:
        return REFUSED;
    case ROUTE_UNSURE:
        return m->mutation == UNSURE_SAYS_UNKNOWN ? REFUSED : WAITS_PROOF;
    default:
        return MOVES;
    }
}

/* Offered at the hand-off port. */
static int
taken_from_peer(const struct model *m, const struct world *w, int site)
{
    if (m->mutation == GUARD_ACCEPTS_ANYTHING)
        return 1;
    return guard_handoff(route_at(m, w, site, 0)).verdict == GUARD_ACCEPT;
}

static enum rest
waits_for(const struct route *r)
{
    if (r->step == 5)
        return WAITS_MOVE;
    return strstr(r->why, "failed over") != NULL ? WAITS_SITE_BACK : WAITS_HOME_SET;
}

/* Its turn in the queue: the transport map's answer, which never waits for a proof. */
static enum rest
take_turn(const struct model *m, const struct world *w, int site, int *to)
{
    const struct route *r = route_at(m, w, site, 0);

    switch (r->verdict) {
    case ROUTE_LOCAL:
        return DELIVERED;
    case ROUTE_WAIT:
        return waits_for(r);
    case ROUTE_HANDOFF:
        *to = site_number(r->site);
        if (!connected(w, site, *to))
            return WAITS_LINE;
        return taken_from_peer(m, w, *to) ? MOVES : WAITS_AGREEMENT;
    default:
        return m->mutation == VANISHED_STAYS_HERE ? MISDELIVERED : WAITS_RETURN;
    }
}

/* Move the message on by one step; MOVES, or why it rests. */
static enum rest
step(const struct model *m, const struct world *w, struct message *msg)
{
    enum rest rest;
    int to = msg->site;

    if (msg->place == AT_SENDER) {
        rest = offer(m, w, msg->site);
        msg->place = rest == MOVES ? IN_QUEUE : AT_SENDER;
        return rest;
    }
    rest = take_turn(m, w, msg->site, &to);
    if (rest == MOVES) {
        msg->site = to;
        msg->handed++;
    }
    return rest;
}

#endif
