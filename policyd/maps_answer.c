/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * maps, answering: each map renders what was found in its own words, after the
 * table in postroad-maps(7).
 *
 * "Can't read the mirror" is TEMP everywhere; else transport is never TEMP, because
 * Postfix keeps a failed resolve for minutes; mailbox says TEMP where it is not
 * proven that nobody has the address. Never PERM: Postfix takes that for a broken
 * configuration and tells its postmaster.
 */
#include "maps_private.h"

static const char unreadable[] = "the mirror can't be read";

struct answer {
    char *p;
    size_t n;
};

typedef enum socketmap_status answer_fn(struct maps *m, struct span key, struct answer *a);

static enum socketmap_status
answer_text(struct answer *a, struct span text)
{
    a->n = text.n < MAPS_DATA_MAX ? text.n : MAPS_DATA_MAX;
    memcpy(a->p, text.p, a->n);
    return SOCKETMAP_OK;
}

static enum socketmap_status
answer_temp(struct maps *m, const char *why)
{
    m->why = why;
    return SOCKETMAP_TEMP;
}

static enum socketmap_status
answer_transport(struct maps *m, struct span key, struct answer *a)
{
    int routed = maps_route(m, key), list;

    if (routed <= 0)
        return routed < 0 ? answer_temp(m, unreadable) : SOCKETMAP_NOTFOUND;
    m->why = m->route.why;
    switch (m->route.verdict) {
    case ROUTE_LOCAL:
        list = m->in.kind == KIND_LIST ? maps_list_delivers(m, a->p) : 1;
        if (list != 1) {
            m->why = "list without a member to deliver to";
            return answer_text(a, m->wait);
        }
        return answer_text(a, m->local);
    case ROUTE_HANDOFF:
        return answer_text(a, (struct span){m->route.site->answer, m->route.site->answer_len});
    case ROUTE_WAIT:
    case ROUTE_UNSURE: /* accepted for somebody who has vanished since, or was never looked up */
        return answer_text(a, m->wait);
    default:
        return SOCKETMAP_NOTFOUND;
    }
}

static enum socketmap_status
answer_mailbox(struct maps *m, struct span key, struct answer *a)
{
    int routed = maps_route(m, key);

    if (routed <= 0)
        return routed < 0 ? answer_temp(m, unreadable) : SOCKETMAP_NOTFOUND;
    m->why = m->route.why;
    switch (m->route.verdict) {
    case ROUTE_OUTSIDE:
    case ROUTE_UNKNOWN:
        return SOCKETMAP_NOTFOUND;
    case ROUTE_UNSURE:
        return answer_temp(m, maps_doubt(m));
    default:
        return answer_text(a, span_of("OK"));
    }
}

static enum socketmap_status
answer_domain(struct maps *m, struct span key, struct answer *a)
{
    char name[ADDR_DOMAIN_MAX + 1];
    int n = addr_domain_canon(key.p, key.n, name);
    const struct domain_slot *d;

    m->why = "no domain name";
    if (n < 0)
        return SOCKETMAP_NOTFOUND;
    d = maps_domain(m, (struct span){name, (size_t)n});
    if (!d)
        return answer_temp(m, unreadable);
    m->why = d->found ? "domain is ours" : "domain is not ours";
    return d->found ? answer_text(a, span_of("OK")) : SOCKETMAP_NOTFOUND;
}

/*
 * Nobody's by all we know. Where there is no catch-all this map has nothing to say either way, and
 * whether the address is refused is for the mailbox map to say.
 */
static enum socketmap_status
alias_in_doubt(struct maps *m)
{
    const struct domain_slot *d = maps_domain(m, span_of(addr_domain(&m->addr)));

    if (!d)
        return answer_temp(m, unreadable);
    return m->hit.found || !d->catch_all ? SOCKETMAP_NOTFOUND : answer_temp(m, maps_doubt(m));
}

static enum socketmap_status
answer_alias(struct maps *m, struct span key, struct answer *a)
{
    int routed = maps_route(m, key);

    if (routed <= 0)
        return routed < 0 ? answer_temp(m, unreadable) : SOCKETMAP_NOTFOUND;
    m->why = m->route.why;
    switch (m->route.verdict) {
    case ROUTE_OUTSIDE:
    case ROUTE_UNKNOWN:
        return SOCKETMAP_NOTFOUND;
    case ROUTE_UNSURE:
        return alias_in_doubt(m);
    default:
        return maps_alias(m, key, a->p, &a->n);
    }
}

static enum socketmap_status
answer_sender(struct maps *m, struct span key, struct answer *a)
{
    int routed = maps_route(m, key);

    if (routed <= 0)
        return routed < 0 ? answer_temp(m, unreadable) : SOCKETMAP_NOTFOUND;
    m->why = m->route.why;
    if (m->hit.found && !m->hit.catch_all)
        return maps_logins(m, a->p, &a->n);
    if (m->route.verdict == ROUTE_UNSURE)
        return answer_temp(m, maps_doubt(m));
    m->why = m->hit.catch_all ? "a catch-all gives nobody the right to send" : m->why;
    return SOCKETMAP_NOTFOUND;
}

static enum socketmap_status
answer_peer(struct maps *m, struct span key, struct answer *a)
{
    const struct site *s = site_by_print(m->sites, key);

    m->why = s ? "the certificate of a site" : "no site has this certificate";
    return s ? answer_text(a, span_of(s->name)) : SOCKETMAP_NOTFOUND;
}

static enum socketmap_status
answer_tls(struct maps *m, struct span key, struct answer *a)
{
    const struct site *s = site_by_hop(m->sites, key);
    size_t n;

    m->why = s ? "a site without a certificate" : "no site's next hop";
    if (!s || s->nprints == 0)
        return SOCKETMAP_NOTFOUND;
    m->why = "next hop of a site";
    answer_text(a, span_of("fingerprint match="));
    for (unsigned i = 0; i < s->nprints; i++) {
        n = strnlen(s->prints[i], sizeof(s->prints[i]));
        if (i > 0)
            a->p[a->n++] = '|';
        memcpy(a->p + a->n, s->prints[i], n);
        a->n += n;
    }
    return SOCKETMAP_OK;
}

static const struct {
    const char *name;
    answer_fn *answer;
} table[MAP_N] = {
    [MAP_TRANSPORT] = {"transport", answer_transport},
    [MAP_MAILBOX] = {"mailbox", answer_mailbox},
    [MAP_DOMAIN] = {"domain", answer_domain},
    [MAP_ALIAS] = {"alias", answer_alias},
    [MAP_SENDER] = {"sender", answer_sender},
    [MAP_PEER] = {"peer", answer_peer},
    [MAP_TLS] = {"tls", answer_tls},
};

int
map_number(struct span name)
{
    for (int i = 0; i < MAP_N; i++)
        if (span_same(name, span_of(table[i].name)))
            return i;
    return -1;
}

const char *
map_name(enum map_id id)
{
    return (unsigned)id < MAP_N ? table[id].name : "";
}

int
maps_verdict(const struct maps *m)
{
    return m->route.step > 0 ? (int)m->route.verdict : -1;
}

const char *
maps_why(const struct maps *m)
{
    return m->why;
}

static void
fill_trace(const struct maps *m, struct map_trace *t)
{
    memset(t, 0, sizeof(*t));
    t->parsed = m->parsed;
    t->why = m->why;
    t->how = "";
    t->route.why = "";
    if (m->route.step == 0)
        return;
    t->addr = m->addr;
    t->found = m->hit.found;
    t->how = m->hit.how;
    memcpy(t->matched, m->hit.matched, sizeof(t->matched));
    if (m->hit.found)
        t->claim = m->hit.claim;
    t->in = m->in;
    t->route = m->route;
}

enum socketmap_status
maps_lookup(struct maps *m, enum map_id map, struct span key, char *out, size_t cap, size_t *len_r,
            struct map_trace *trace)
{
    struct answer a = {out, 0};
    enum socketmap_status s;

    m->parsed = 0;
    m->route.step = 0;
    maps_proof_begin(m);
    m->why = "no address";
    m->traced = trace != NULL;
    if (maps_begin(m) < 0)
        s = answer_temp(m, unreadable);
    else if (!m->complete)
        s = answer_temp(m, "the mirror was never filled");
    else if (cap < SOCKETMAP_REPLY_MAX)
        s = answer_temp(m, "no room for an answer");
    else
        s = table[map].answer(m, key, &a);
    if (m->mirror && mirror_failed(m->mirror))
        s = answer_temp(m, unreadable);
    maps_end(m);
    if (map == MAP_TRANSPORT)
        m->waits = 0; /* mail it is asked for was accepted: that waits, not the lookup */
    if (s != SOCKETMAP_OK)
        a.n = 0;
    *len_r = a.n;
    if (trace)
        fill_trace(m, trace);
    return s;
}

int
maps_who(struct maps *m, struct span address, struct maps_who *who)
{
    const struct hit *h = &m->hit;
    int rc = -1;

    *who = (struct maps_who){0};
    m->parsed = m->traced = 0;
    maps_proof_begin(m);
    if (maps_begin(m) == 0 && m->complete)
        rc = maps_route(m, address);
    if (m->mirror && mirror_failed(m->mirror))
        rc = -1;
    m->waits = 0;
    if (rc >= 0)
        who->parsed = m->parsed;
    if (rc == 1) {
        who->ours = h->ours;
        who->found = h->found;
        who->exact = h->found && !h->stripped && !h->catch_all;
        who->proven = !h->found && m->route.verdict != ROUTE_UNSURE;
        who->state = m->in.state;
        who->claim = h->claim;
    }
    maps_end(m);
    return rc < 0 ? -1 : 0;
}
