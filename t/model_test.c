/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model: every way in which two and three sites can disagree about one address, and what becomes of
 * a message to it. t/model.h holds the sites.
 *
 * A story is what the directory says of the address, and up to two changes, each made at one site:
 * here, there, created, deleted, moved, made twice, failed over. A world is how far each change has
 * come (not heard of; in the site's directory but not in its mirror; in both) and which lines are
 * cut. A message is offered to one of the sites by a sender, or is in the queue of one.
 *
 * From each world, with a message at each sender, all that can happen is followed to its end: the
 * message is offered, or its turn in the queue comes; a line heals; a change comes to a directory, or
 * from there to the mirror; in every order, so a message may rest while the world around it changes.
 * Worlds only grow together, so every way ends. What must hold:
 *   1 nobody is refused, nor his mail returned, whom the newest word of all directories lets receive
 *   2 no message is handed over twice, but for one more time for each change: in a world that stands
 *     still nothing goes round, and a mailbox that goes elsewhere meanwhile is followed
 *   3 when all is healed and heard, each message is delivered, refused, or waits for a named event
 *   4 mail goes into a mailbox only where the site's own mirror has somebody for it
 * Then the sites are broken on purpose, in one way at a time (enum mutation), which must be found out.
 * Last, providers that have lost a change and do not know it (LOST; there are such, see
 * postroad-policyd(8)): 1 holds all the same, since each is asked for the address itself. Without
 * that it does not, and the digests tell each time.
 */
#include "t/model.h"
#include "t/tap.h"

#include <time.h>

/* --- what must hold --- */

/* Whether comparing digests shows that a site's mirror lacks what others have. */
static int
is_noticed(const struct model *m, const struct world *w, int site)
{
    const struct digest *own = &m->digest[mirrored(w, site)];

    for (int i = 0; i < m->story->sites; i++)
        if (memcmp(own, &m->digest[held(w, i)], sizeof *own) != 0)
            return 1;
    return 0;
}

static void
violated(struct model *m, const struct world *w, const struct message *msg, const char *what)
{
    if (m->violations++ >= 3 || m->mutation != NONE || m->allow_lost)
        return;
    printf("# %d sites, %s: %s; message %s %s, handed over %d times; cut %x;", m->story->sites,
           m->story->name, what, msg->place == IN_QUEUE ? "in the queue of" : "offered to",
           site_name[msg->site], msg->handed, w->cut);
    for (int i = 0; i < m->story->sites; i++)
        printf(" %s:%d%d", site_name[i], w->heard[i][0], w->heard[i][1]);
    printf(" by %s %s\n", site_name[m->story->change[0].origin],
           site_name[m->story->change[1].origin]);
}

static int
is_settled(const struct model *m, const struct world *w)
{
    for (int i = 0; i < m->story->sites; i++)
        for (int c = 0; c < CHANGES; c++)
            if (w->heard[i][c] != SEEN && m->story->change[c].what != NOTHING)
                return 0;
    return w->cut == 0;
}

/* A message rests: may it, in this world? */
static void
check_rest(struct model *m, const struct world *w, const struct message *msg, enum rest rest)
{
    if (rest == REFUSED && receives(&m->view[ALL])) {
        violated(m, w, msg, "refused, but he exists");
        m->refused++;
        m->unnoticed += !is_noticed(m, w, msg->site);
    }
    if (rest == MISDELIVERED)
        violated(m, w, msg, "put into a mailbox nobody has");
    if (rest <= MISDELIVERED) {
        m->ended[rest]++;
        return;
    }
    if (!is_settled(m, w))
        return;
    m->ended[rest]++;
    if (rest < WAITS_MOVE)
        violated(m, w, msg, "waits for ever");
    if (rest == WAITS_RETURN && receives(&m->view[ALL]))
        violated(m, w, msg, "will be returned, but he exists");
}

/* --- all that can happen --- */

static int
is_new(const struct model *m, const struct world *w, const struct message *msg)
{
    size_t n = 0;
    unsigned char bit;

    for (int i = 0; i < m->story->sites; i++)
        for (int c = 0; c < CHANGES; c++)
            n = n * (LOST + 1) + w->heard[i][c];
    n = n * lines(m->story->sites) + w->cut;
    n = n * PLACES + (size_t)(msg->place == AT_SENDER
                                  ? msg->site
                                  : SITES + msg->site * (HANDED_MAX + 1) + msg->handed);
    bit = (unsigned char)(1u << n % 8);
    if (m->visited[n / 8] & bit)
        return 0;
    m->visited[n / 8] |= bit;
    return 1;
}

/* Changes made at one site come one after the other. */
static int
in_order(const struct model *m, const unsigned char heard[CHANGES])
{
    const struct change *c = m->story->change;

    return c[1].what == NOTHING || c[0].origin != c[1].origin || heard[1] <= heard[0];
}

/* Whether the change can come to the site's directory from another one. */
static int
can_spread(const struct model *m, const struct world *w, int site, int change)
{
    for (int i = 0; i < m->story->sites; i++)
        if ((w->heard[i][change] == HELD || w->heard[i][change] == SEEN) && connected(w, site, i))
            return 1;
    return 0;
}

static int
may_be_handed(const struct story *s)
{
    return 1 + (s->change[0].what != NOTHING) + (s->change[1].what != NOTHING);
}

static void follow(struct model *m, const struct world *w, const struct message *msg);

static void
hear_more(struct model *m, const struct world *w, const struct message *msg, int site, int change)
{
    struct world next = *w;
    unsigned char *heard = &next.heard[site][change];

    if (m->story->change[change].what == NOTHING || *heard == SEEN ||
        (*heard == UNHEARD && !can_spread(m, w, site, change)))
        return;
    *heard = *heard == UNHEARD ? HELD : SEEN; /* who has lost it gets it back by an administrator */
    if (in_order(m, next.heard[site]))
        follow(m, &next, msg);
}

static void
follow(struct model *m, const struct world *w, const struct message *msg)
{
    struct message next = *msg;
    enum rest rest;

    if (!is_new(m, w, msg))
        return;
    m->states++;
    m->handed_most = msg->handed > m->handed_most ? msg->handed : m->handed_most;
    if (msg->handed > may_be_handed(m->story)) {
        violated(m, w, msg, "handed over too often");
        return;
    }
    rest = step(m, w, &next);
    if (rest == MOVES)
        follow(m, w, &next);
    else
        check_rest(m, w, msg, rest);
    for (unsigned line = 1; line < lines(m->story->sites); line <<= 1) {
        struct world healed = *w;

        healed.cut &= ~line;
        if (w->cut & line)
            follow(m, &healed, msg);
    }
    for (int site = 0; site < m->story->sites; site++)
        for (int c = 0; c < CHANGES; c++)
            hear_more(m, w, msg, site, c);
}

/* The world with the number n, its digits how far each change has come; 0: there is no such world. */
static int
world_number(const struct model *m, int n, struct world *w)
{
    int levels = m->allow_lost ? LOST + 1 : SEEN + 1;

    for (int i = 0; i < m->story->sites; i++) {
        for (int c = 0; c < CHANGES; c++) {
            const struct change *change = &m->story->change[c];
            int heard = n % levels;

            n /= levels;
            w->heard[i][c] = (unsigned char)heard;
            if (change->what == NOTHING
                    ? heard != UNHEARD
                    : change->origin == i && (heard == UNHEARD || heard == LOST))
                return 0;
        }
        if (!in_order(m, w->heard[i]))
            return 0;
    }
    return n == 0;
}

static void
begin_everywhere(struct model *m)
{
    struct world w;
    int worlds = 1;

    for (int i = 0; i < m->story->sites * CHANGES; i++)
        worlds *= LOST + 1;
    for (int n = 0; n < worlds; n++) {
        if (!world_number(m, n, &w))
            continue;
        for (w.cut = 0; w.cut < lines(m->story->sites); w.cut++)
            for (int site = 0; site < m->story->sites; site++)
                follow(m, &w, &(struct message){AT_SENDER, site, 0});
    }
}

static void
run_story(struct model *m, const struct story *s)
{
    enum { VISITED = (1 << 2 * SITES * CHANGES) * (1 << SITES) * PLACES / 8 + 1 };
    static unsigned char visited[VISITED];

    m->story = s;
    m->visited = memset(visited, 0, sizeof visited);
    m->stories++;
    for (unsigned known = 0; known < KNOWN; known++) {
        m->view[known] = view_of(s, known);
        m->digest[known] = ask_digest(s, &m->view[known]);
        memset(m->entry[known], 0, sizeof m->entry[known]);
        for (int i = 0; i < 2; i++)
            add_owner(&m->entry[known][i], &m->view[known], i);
        for (int site = 0; site < s->sites; site++)
            for (int proven = 0; proven < 2; proven++)
                m->route[site][known][proven] = ask_route(s, &m->view[known], site, proven);
    }
    begin_everywhere(m);
}

/* --- the stories --- */

static const struct owner nobody = {STATE_UNSET, NO_SITE};

static struct owner
lives_at(int home)
{
    return (struct owner){STATE_ACTIVE, home};
}

static struct change
becomes(struct owner to, int origin)
{
    return (struct change){OLDER, to, 0, origin};
}

static struct change
another(struct owner to, int origin)
{
    return (struct change){YOUNGER, to, 0, origin};
}

static struct change
fails_over(int site, int origin)
{
    return (struct change){FAILED_OVER, nobody, site, origin};
}

static struct change
comes_back(int site, int origin)
{
    return (struct change){BACK, nobody, site, origin};
}

/* The sites of a story: homes first and then, and where the first and the second change are made. */
struct sites {
    int n, home, then, origin[CHANGES];
    unsigned failed_over;
};

static void
tell(struct model *m, const struct sites *p, const char *name, struct owner before,
     struct change first, struct change second)
{
    struct story s = {name, p->n, {{before, nobody}, p->failed_over}, {first, second}};

    run_story(m, &s);
}

static void
without_change(struct model *m, const struct sites *p)
{
    static const struct change none;
    struct owner moving = {STATE_MOVING, p->home}, disabled = {STATE_DISABLED, p->home};

    tell(m, p, "absent", nobody, none, none);
    tell(m, p, "here or there", lives_at(p->home), none, none);
    tell(m, p, "without a home", lives_at(NO_SITE), none, none);
    tell(m, p, "moving", moving, none, none);
    tell(m, p, "disabled", disabled, none, none);
}

static void
with_one_change(struct model *m, const struct sites *p)
{
    static const struct change none;
    struct owner home = lives_at(p->home), disabled = {STATE_DISABLED, p->home};
    int by = p->origin[0];

    tell(m, p, "created", nobody, becomes(home, by), none);
    tell(m, p, "deleted, or renamed", home, becomes(nobody, by), none);
    tell(m, p, "disabled later", home, becomes(disabled, by), none);
    tell(m, p, "enabled", disabled, becomes(home, by), none);
    tell(m, p, "his site failed over later", home, fails_over(p->home, by), none);
}

static void
with_two_changes(struct model *m, const struct sites *p)
{
    struct owner home = lives_at(p->home), then = lives_at(p->then);
    struct owner moving = {STATE_MOVING, p->home};
    int by = p->origin[0], next_by = p->origin[1];

    tell(m, p, "deleted and made anew", home, becomes(nobody, by), another(then, next_by));
    tell(m, p, "his site failed over, and came back", home, fails_over(p->home, by),
         comes_back(p->home, next_by));
    if (by != next_by)
        tell(m, p, "made at two sites", nobody, becomes(home, by), another(then, next_by));
    if (p->home == p->then)
        return;
    tell(m, p, "moved in steps", home, becomes(moving, by), becomes(then, next_by));
    tell(m, p, "moved, and his new site failed over", home, becomes(then, by),
         fails_over(p->then, next_by));
}

/* Who lives where makes no difference by itself, so the first home is always site a. */
static void
tell_all(struct model *m, int sites)
{
    struct sites p = {.n = sites};

    for (p.failed_over = 0; p.failed_over < 1u << sites; p.failed_over++) {
        without_change(m, &p);
        for (p.origin[0] = 0; p.origin[0] < sites; p.origin[0]++) {
            with_one_change(m, &p);
            for (p.origin[1] = 0; p.origin[1] < sites; p.origin[1]++)
                for (p.then = 0; p.then < sites; p.then++)
                    with_two_changes(m, &p);
        }
        p.origin[0] = p.origin[1] = p.then = 0;
    }
}

static double
seconds(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

static void
test_promises(void)
{
    static struct model m;
    double began = seconds();

    for (int sites = 2; sites <= SITES; sites++)
        tell_all(&m, sites);
    printf("# %ld stories, %ld states, %.1f s\n", m.stories, m.states, seconds() - began);
    for (int rest = REFUSED; rest < RESTS; rest++)
        printf("# %9ld %s\n", m.ended[rest], rest_name[rest]);
    ok(m.states >= 100000, "%ld states", m.states);
    ok(seconds() - began < 60, "in less than a minute");
    ok(m.violations == 0, "%ld violations", m.violations);
    ok(m.handed_most > 0, "messages were handed over, %ld times at most", m.handed_most);
    for (int rest = REFUSED; rest < RESTS; rest++)
        if (rest != MISDELIVERED && (rest < WAITS_PROOF || rest > WAITS_AGREEMENT))
            ok(m.ended[rest] > 0, "there are messages: %s", rest_name[rest]);
}

/* Two sites are enough to find out each. */
static void
test_mutation(enum mutation mutation)
{
    static struct model m;

    m = (struct model){.mutation = mutation};
    tell_all(&m, 2);
    ok(m.violations > 0, "found out: %s (%ld violations)", mutation_name[mutation], m.violations);
}

static void
test_lost_changes(void)
{
    static struct model m = {.allow_lost = 1}, broken = {.allow_lost = 1, .mutation = NOT_VERIFIED};

    tell_all(&m, 2);
    ok(m.refused == 0, "nobody is refused by what a directory has lost: %ld states", m.states);
    tell_all(&broken, 2);
    ok(broken.refused > 0, "found out: %s (%ld times)", mutation_name[NOT_VERIFIED],
       broken.refused);
    ok(broken.unnoticed == 0, "the digests show it each time");
}

int
main(void)
{
    make_sites();
    test_promises();
    for (int mutation = NONE + 1; mutation < NOT_VERIFIED; mutation++)
        test_mutation((enum mutation)mutation);
    test_lost_changes();
    return tap_done();
}
