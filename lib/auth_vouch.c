/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * auth_vouch: see auth_vouch.h.
 *
 * Promises: vouches for a domain only if a result says "pass" and names it. A seal says who
 * handled the message, not that it is true what he got: with an unbroken chain, sealed
 * by none but those we trust, what they found when it came to them counts. Two verdicts of
 * DMARC that differ cancel each other. Must not decide whose a domain is.
 */
#include "auth_vouch.h"

#include <strings.h>

#include "auth_results.h"

void
vouch_begin(struct vouch *v)
{
    *v = (struct vouch){.n = 0};
}

/* name: a domain, or an address. */
static void
add(struct vouch *v, struct span name, enum vouch_by by)
{
    const char *at = memrchr(name.p, '@', name.n);

    if (at)
        name = (struct span){at + 1, name.n - (size_t)(at + 1 - name.p)};
    if (v->n < VOUCH_DOMAINS && addr_domain_canon(name.p, name.n, v->domain[v->n].name) > 0)
        v->domain[v->n++].by = by;
}

/* One result that says "pass". */
static void
add_passed(struct vouch *v, const struct auth_result *r, int sealed)
{
    struct span name;

    if (auth_is(r->method, "dmarc") && auth_result_get(r, "header.from", &name))
        add(v, name, sealed ? VOUCH_ARC : VOUCH_DMARC);
    else if (auth_is(r->method, "dkim") &&
             (auth_result_get(r, "header.d", &name) || auth_result_get(r, "header.i", &name)))
        add(v, name, sealed ? VOUCH_ARC : VOUCH_DKIM);
    else if (auth_is(r->method, "spf") && !sealed && auth_result_get(r, "smtp.mailfrom", &name))
        add(v, name, VOUCH_SPF);
    else if (auth_is(r->method, "arc") && !sealed)
        v->arc_pass = 1;
}

static void
add_results(struct vouch *v, struct auth_results *a, int sealed)
{
    struct auth_result r;

    while (auth_results_next(a, &r)) {
        int pass = auth_is(r.result, "pass");

        if (pass)
            add_passed(v, &r, sealed);
        else if (auth_is(r.method, "dmarc") && !sealed)
            v->dmarc_not = 1;
    }
}

/* Each instance of a chain, 1 to 50, is there once (RFC 8617 4.2.1). */
static void
add_instance(struct vouch *v, uint64_t *set, const char *value, size_t n)
{
    struct span i;
    unsigned number = 0;

    if (auth_tag(value, n, "i", &i))
        for (size_t at = 0; at < i.n; at++)
            number = i.p[at] >= '0' && i.p[at] <= '9' && number <= 50
                         ? 10 * number + (unsigned)(i.p[at] - '0')
                         : 51;
    if (number == 0 || number > 50 || (*set >> number & 1))
        v->stranger = 1;
    else
        *set |= UINT64_C(1) << number;
}

static void
add_seal(struct vouch *v, const struct vouch_settings *s, const char *value, size_t n)
{
    char name[ADDR_DOMAIN_MAX + 1] = "", known[ADDR_DOMAIN_MAX + 1];
    struct span d;

    v->seals++;
    add_instance(v, &v->sealed, value, n);
    if (auth_tag(value, n, "d", &d) && addr_domain_canon(d.p, d.n, name) > 0)
        for (size_t i = 0; i < s->nsealers; i++)
            if (addr_domain_canon(s->sealers[i], strlen(s->sealers[i]), known) > 0 &&
                strcmp(known, name) == 0)
                return;
    v->stranger = 1;
}

void
vouch_header(struct vouch *v, const struct vouch_settings *s, const char *name, const char *value,
             size_t n)
{
    struct auth_results a;

    if (strcasecmp(name, "Received") == 0) {
        v->below = 1;
    } else if (!*s->authserv_id) {
        return;
    } else if (strcasecmp(name, "ARC-Seal") == 0) {
        add_seal(v, s, value, n);
    } else if (strcasecmp(name, "ARC-Authentication-Results") == 0) {
        add_instance(v, &v->reported, value, n);
        if (s->nsealers > 0 && n <= VOUCH_VALUE && auth_results_begin(&a, value, n))
            add_results(v, &a, 1);
    } else if (strcasecmp(name, "Authentication-Results") == 0) {
        if ((v->below && !s->gateway) || v->fields >= s->results || n > VOUCH_VALUE ||
            !auth_results_begin(&a, value, n) || !auth_is(a.authserv_id, s->authserv_id))
            return;
        v->fields++;
        add_results(v, &a, 0);
    }
}

static int
counts(const struct vouch *v, enum vouch_by by)
{
    if (by == VOUCH_ARC)
        return v->arc_pass && v->seals > 0 && !v->stranger && v->sealed == v->reported;
    return by != VOUCH_DMARC || !v->dmarc_not;
}

const char *
vouch_domain(const struct vouch *v, unsigned *i, enum vouch_by *by)
{
    while (*i < v->n) {
        unsigned at = (*i)++;

        *by = v->domain[at].by;
        if (counts(v, *by))
            return v->domain[at].name;
    }
    return NULL;
}

const char *
vouch_word(enum vouch_by by)
{
    static const char *const words[] = {"dmarc", "dkim", "spf", "arc"};

    return (unsigned)by <= VOUCH_ARC ? words[by] : "";
}
