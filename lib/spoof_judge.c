/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spoof_judge: see spoof_judge.h.
 *
 * Promises: every claim is looked at, and the strictest that nobody vouches for decides. A claim
 * that can't be looked up is doubt, unless its very name is vouched for. Must not
 * decide what is done: that is guard_spoof's.
 */
#include "spoof_judge.h"

#include <stdio.h>
#include <string.h>

#define LABELS_MOST 8 /* names above a name that are looked up */

struct judging {
    const struct spoof_message *m;
    const struct spoof_settings *s;
    spoof_lookup *lookup;
    void *ctx;
    struct spoof_result *out;
};

/* --- names --- */

static const char *
above(const char *name)
{
    const char *dot = strchr(name, '.');

    return dot && dot[1] ? dot + 1 : NULL;
}

/* Whether name is below top, or top itself. */
static int
is_below(const char *name, const char *top)
{
    size_t n = strlen(name), t = strlen(top);

    return n >= t && strcmp(name + n - t, top) == 0 && (n == t || name[n - t - 1] == '.');
}

int
spoof_find(const char *name, const struct spoof_settings *s, spoof_lookup *lookup, void *ctx,
           struct spoof_domain *d)
{
    int found = lookup(ctx, span_of(name), d);

    for (int i = 0; found == 0 && s->subdomains && i < LABELS_MOST && (name = above(name)); i++)
        found = lookup(ctx, span_of(name), d);
    return found;
}

static int
find(const struct judging *j, const char *name, struct spoof_domain *d)
{
    return spoof_find(name, j->s, j->lookup, j->ctx, d);
}

/* --- who vouches --- */

/* Whether what is vouched for stands for a claim of name, which is d's. */
static int
is_aligned(const struct judging *j, const char *vouched, const char *name,
           const struct spoof_domain *d)
{
    struct spoof_domain other;
    int found;

    if (strcmp(vouched, name) == 0)
        return 1;
    if (!d)
        return 0;
    if (is_below(vouched, name) || is_below(vouched, d->primary))
        return 1;
    found = j->lookup(j->ctx, span_of(vouched), &other);
    return found == 1 && (strcmp(other.primary, d->primary) == 0 || is_below(name, vouched));
}

/* d NULL: it can't be told whose name is. */
static int
is_vouched(const struct judging *j, const char *name, const struct spoof_domain *d, int envelope)
{
    const char *vouched;
    enum vouch_by by;

    for (unsigned i = 0; j->m->vouch && (vouched = vouch_domain(j->m->vouch, &i, &by));) {
        if ((by == VOUCH_SPF && !envelope) || !is_aligned(j, vouched, name, d))
            continue;
        memcpy(j->out->voucher, vouched, strlen(vouched) + 1);
        j->out->by = vouch_word(by);
        return 1;
    }
    return 0;
}

/* --- claims --- */

/* What is known of all claims by now: what is to be done at once before doubt, doubt before the rest. */
static void
note(struct judging *j, const char *name, const char *where, int found, enum spoof_action action)
{
    struct guard_spoofing *f = &j->out->facts;
    int strict = f->claimed == GUARD_YES && f->action >= SPOOF_QUARANTINE;

    if (found < 0 && (strict || f->claimed == GUARD_UNSURE))
        return;
    if (found > 0 && f->claimed == GUARD_YES && action <= f->action)
        return;
    if (found > 0 && f->claimed == GUARD_UNSURE && action < SPOOF_QUARANTINE)
        return;
    f->claimed = found < 0 ? GUARD_UNSURE : GUARD_YES;
    f->action = found < 0 ? SPOOF_OFF : action;
    memcpy(j->out->domain, name, strlen(name) + 1);
    j->out->where = where;
}

static enum spoof_action
action_of(const struct judging *j, const struct spoof_domain *d)
{
    return d->action >= 0 && d->action < SPOOF_ACTIONS ? (enum spoof_action)d->action
                                                       : j->s->action;
}

/* sure: what a verifier says of where it stands can be about nothing else. */
static void
claim(struct judging *j, const char *name, const char *where, int envelope, int sure)
{
    struct spoof_domain d;
    int found = find(j, name, &d);

    if (found == 0)
        return;
    if (sure && is_vouched(j, name, found > 0 ? &d : NULL, envelope))
        j->out->facts.vouched = 1;
    else
        note(j, name, where, found, found > 0 ? action_of(j, &d) : SPOOF_OFF);
}

/* An address that a name shows: nobody vouches for that. */
static void
shown(struct judging *j, const char *name)
{
    struct guard_spoofing *f = &j->out->facts;
    enum spoof_action action;
    struct spoof_domain d;
    int found = find(j, name, &d);

    if (found < 0 && f->shown != GUARD_YES)
        f->shown = GUARD_UNSURE;
    if (found <= 0)
        return;
    action = action_of(j, &d);
    action = action < j->s->display ? action : j->s->display;
    if (f->shown == GUARD_YES && action <= f->shown_action)
        return;
    f->shown = GUARD_YES;
    f->shown_action = action;
    if (f->claimed == GUARD_NO) {
        memcpy(j->out->domain, name, strlen(name) + 1);
        j->out->where = "display-name";
    }
}

static void
claim_envelope(struct judging *j)
{
    const char *at = strrchr(j->m->envelope, '@');
    char name[ADDR_DOMAIN_MAX + 1];

    if (at && addr_domain_canon(at + 1, strlen(at + 1), name) > 0)
        claim(j, name, "envelope", 1, 1);
}

/* Of several fields a signature is good for one, and a program may show another. */
static void
claim_field(struct judging *j, const struct from_header *f, const char *where)
{
    for (unsigned i = 0; f && i < f->n; i++)
        if (f->domain[i].place == FROM_ADDRESS)
            claim(j, f->domain[i].name, where, 0, f->fields == 1);
    j->out->facts.too_much |= f && f->more;
}

void
spoof_judge(const struct spoof_message *m, const struct spoof_settings *s, spoof_lookup *lookup,
            void *ctx, struct spoof_result *out)
{
    struct judging j = {m, s, lookup, ctx, out};

    *out = (struct spoof_result){.where = "", .by = ""};
    out->facts = (struct guard_spoofing){.inside = m->inside,
                                         .forwarder = m->forwarder,
                                         .claimed = GUARD_NO,
                                         .shown = GUARD_NO,
                                         .otherwise = s->most > s->action ? s->most : s->action};
    if (!m->inside && !m->forwarder) {
        claim_field(&j, m->from, "From");
        claim_field(&j, m->sender, "Sender");
        claim_envelope(&j);
        for (unsigned i = 0; m->from && i < m->from->n; i++)
            if (m->from->domain[i].place == FROM_TEXT)
                shown(&j, m->from->domain[i].name);
    }
    out->guard = guard_spoof(&out->facts);
}

/* --- words --- */

static enum spoof_action
action_named(const char *word)
{
    int action = spoof_action_parse(span_of(word));

    return action >= 0 ? (enum spoof_action)action : SPOOF_OFF;
}

struct spoof_settings
spoof_settings_of(const char *action, const char *display, int subdomains)
{
    return (struct spoof_settings){action_named(action), action_named(display), subdomains,
                                   SPOOF_OFF};
}

void
spoof_reply(char out[SPOOF_REPLY], const struct spoof_result *r, const char *contact)
{
    char domain[ADDR_DOMAIN_MAX + 32] = "";

    if (*r->domain)
        snprintf(domain, sizeof domain, ", %s in %s", r->domain, r->where);
    snprintf(out, SPOOF_REPLY, "%s (rule spoof %d%s)%s%.160s", r->guard.why, r->guard.rule, domain,
             *contact ? ". " : "", contact);
}
