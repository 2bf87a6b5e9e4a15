/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * maps, finding: who has an address, and which settings hold for him.
 *
 * The order is that of postroad-maps(7): the address as asked, without its
 * extension, the same two at an alias domain's primary name, the domain's
 * catch-all. The catch-all only counts while the mirror is proven current: before,
 * the address may be somebody's whom we don't know yet. Addresses in domains that
 * are not ours belong to nobody, whatever an entry claims. No I/O but the mirror.
 */
#include "maps_private.h"

static int
claim_at(struct maps *m, const char *text, size_t n, const char *how, struct hit *h)
{
    struct span address = {text, n};
    int found = mirror_claim(m->mirror, address, &h->claim);

    if (found <= 0)
        return found;
    if (h->claim.kind != KIND_ACCOUNT && h->claim.kind != KIND_LIST)
        return 0;
    memcpy(h->matched, text, n);
    h->matched[n] = '\0';
    h->how = how;
    h->found = h->inherits = 1;
    return 1;
}

/* a with or without its extension, at domain (NULL: its own). */
static int
claim_rewritten(struct maps *m, const struct addr *a, int keep_ext, const char *domain,
                const char *how, struct hit *h)
{
    char text[ADDR_MAX + 1];
    int n = addr_rewrite(a, keep_ext, domain, text), found;

    if (n < 0)
        return 0;
    found = claim_at(m, text, (size_t)n, how, h);
    h->stripped = found == 1 && !keep_ext && a->base < a->at;
    return found;
}

int
maps_resolve(struct maps *m, const struct addr *a, struct hit *h)
{
    struct span name = {addr_domain(a), (size_t)a->len - a->at - 1};
    const struct domain_slot *d = maps_domain(m, name);
    int found;

    h->ours = d && d->found;
    h->found = h->proven = h->stripped = h->catch_all = h->inherits = 0;
    h->how = "";
    h->matched[0] = '\0';
    if (!h->ours)
        return d ? 0 : -1;
    h->domain = d->number;
    found = claim_at(m, a->text, a->len, "address", h);
    if (found == 0 && a->base < a->at)
        found = claim_rewritten(m, a, 0, NULL, "without extension", h);
    if (found == 0 && d->is_alias)
        found = claim_rewritten(m, a, 1, d->primary, "alias domain", h);
    if (found == 0 && d->is_alias && a->base < a->at)
        found = claim_rewritten(m, a, 0, d->primary, "alias domain", h);
    return found;
}

/* The catch-all's address of the domain that was asked for: 1, 0 none that can be used, -1. */
static int
catch_all_address(struct maps *m, const struct addr *asked, struct addr *target)
{
    struct span name = {addr_domain(asked), (size_t)asked->len - asked->at - 1}, value;
    const struct domain_slot *d = maps_domain(m, name);
    struct record r;
    int found;

    if (!d || !d->catch_all)
        return d ? 0 : -1;
    found = mirror_entry(m->mirror, d->uuid, &r);
    if (found <= 0 || !record_find(&r, TAG_CATCHALL, &value))
        return found < 0 ? -1 : 0;
    return addr_parse(target, value.p, value.n, m->conf->recipient_delimiter) == 1;
}

static int
find_catch_all(struct maps *m, const struct addr *a, struct hit *h)
{
    struct addr target;
    int found = catch_all_address(m, a, &target);

    if (found <= 0)
        return found;
    if (maps_resolve(m, &target, h) < 0)
        return -1;
    if (!h->found) { /* it leads outside, or nowhere: then its mail waits, and never bounces */
        memset(&h->claim, 0, sizeof(h->claim));
        h->claim.kind = KIND_ACCOUNT;
    }
    memcpy(h->matched, target.text, (size_t)target.len + 1);
    h->found = h->ours = h->catch_all = 1;
    h->how = "catch-all";
    return 1;
}

int
maps_find(struct maps *m, const struct addr *a, struct hit *h)
{
    int found = maps_resolve(m, a, h);

    if (found != 0 || !h->ours)
        return found;
    if (!maps_proven(m, a))
        return 0;
    found = find_catch_all(m, a, h);
    h->proven = 1;
    return found;
}

static int
stricter(int a, int b)
{
    static const unsigned char rank[STATE_LAST + 1] = {
        [STATE_SUSPENDED] = 1, [STATE_MOVING] = 2, [STATE_DISABLED] = 3};

    a = a <= STATE_LAST ? a : STATE_UNSET;
    b = b <= STATE_LAST ? b : STATE_UNSET;
    return rank[b] > rank[a] ? b : a;
}

int
maps_state(struct maps *m, const struct hit *h)
{
    const uint32_t above[2] = {h->claim.parent, h->domain};
    int state = h->claim.state;

    for (int i = 0; h->inherits && i < 2; i++) {
        const struct org_slot *o = maps_org(m, above[i]);

        if (!o)
            return -1;
        if (o->found)
            state = stricter(state, o->state);
    }
    return state;
}

static void
take(struct span *value, char *buf, struct span from)
{
    if (value->n > 0 || from.n == 0)
        return;
    value->n = from.n < MAPS_NAME_MAX ? from.n : MAPS_NAME_MAX;
    memcpy(buf, from.p, value->n);
    value->p = buf;
}

/* Home and standby: the account's, else those of where it stands, else of the address's domain. */
static int
inherit_home(struct maps *m, const struct hit *h, struct route_input *in)
{
    const uint32_t above[2] = {h->claim.parent, h->domain};

    in->home = in->standby = (struct span){m->home, 0};
    take(&in->home, m->home, h->claim.home);
    take(&in->standby, m->standby, h->claim.standby);
    for (int i = 0; h->inherits && i < 2; i++) {
        const struct org_slot *o = maps_org(m, above[i]);

        if (!o)
            return -1;
        if (!o->found)
            continue;
        take(&in->home, m->home, maps_org_name(m, o->home));
        take(&in->standby, m->standby, maps_org_name(m, o->standby));
    }
    return 0;
}

/* Fill in what the rules ask about the one who was found. 0, or -1 can't read. */
static int
found_input(struct maps *m, struct hit *h, struct route_input *in)
{
    int state = maps_state(m, h);

    if (state < 0 || inherit_home(m, h, in) < 0)
        return -1;
    in->kind = h->claim.kind;
    in->state = (enum record_state)state;
    if (state == STATE_DISABLED)
        h->proven = maps_proven(m, &m->addr);
    return 0;
}

static int
decide(struct maps *m, struct hit *h)
{
    struct route_input *in = &m->in;

    in->domain_ours = h->ours;
    in->found = h->found;
    in->own_site = m->own_site;
    in->sites = m->sites;
    if (h->found && found_input(m, h, in) < 0)
        return -1;
    in->proven = h->proven;
    m->route = route_decide(in);
    return 0;
}

/* The way of those who say nothing of their own is decided once for each container. */
static int
decide_once(struct maps *m, struct hit *h)
{
    const struct mirror_claim *c = &h->claim;
    struct way_slot *w = &m->ways[c->parent % MAPS_ORGS];

    if (w->epoch == m->epoch && w->parent == c->parent && w->domain == h->domain &&
        w->own_state == c->state && w->kind == c->kind) {
        m->route = w->route;
        m->in.state = w->state;
        m->in.kind = w->kind;
        return 0;
    }
    if (decide(m, h) < 0)
        return -1;
    if (m->in.state != STATE_DISABLED) /* that depends on what is proven by now */
        *w = (struct way_slot){
            m->epoch, c->parent, h->domain, c->state, c->kind, (uint8_t)m->in.state, m->route};
    return 0;
}

int
maps_route(struct maps *m, struct span key)
{
    struct hit *h = &m->hit;
    int rc;

    m->parsed = addr_parse(&m->addr, key.p, key.n, m->conf->recipient_delimiter);
    if (m->parsed != 1)
        return 0;
    if (maps_find(m, &m->addr, h) < 0)
        return -1;
    if (h->found && h->inherits && !m->traced && h->claim.home.n == 0 && h->claim.standby.n == 0)
        rc = decide_once(m, h);
    else
        rc = decide(m, h);
    return rc < 0 ? -1 : 1;
}
