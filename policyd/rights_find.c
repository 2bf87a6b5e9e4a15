/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rights_find: which entry a name stands for, see rights_find.h.
 *
 * Promises: an address that several entries claim is nobody's to act with; short
 * memory or a store that fails is "can't tell", never "there is none". Reads the
 * mirror only. Must not decide anything, or log.
 */
#include "rights_find.h"

#include <stdio.h>
#include <string.h>

#include "dn.h"

static struct span
as_span(const char *p, long n)
{
    return (struct span){p, n > 0 ? (size_t)n : 0};
}

/* --- places --- */

/* A configured DN, or rdns below the base. */
static int
place(const struct rights_places *p, const char *configured, const char *rdns, char *text,
      struct span *out)
{
    long n;

    if (*configured) {
        n = dn_normalize(span_of(configured), text, MIRROR_DN_MAX);
    } else {
        n = snprintf(text, MIRROR_DN_MAX, "%s,%.*s", rdns, (int)p->base.n, p->base.p);
        n = n < MIRROR_DN_MAX ? n : -1;
    }
    *out = as_span(text, n);
    return n > 0 ? 0 : -1;
}

int
rights_places_open(struct rights_places *p, const struct conf *conf, struct mirror *m,
                   const char **why_r)
{
    long n = mirror_meta_get(m, "base", p->text[0], sizeof p->text[0]);

    p->mirror = m;
    p->delimiters = conf->recipient_delimiter;
    p->whole = conf->directory.ldif && *conf->directory.ldif;
    p->base = as_span(p->text[0], n);
    *why_r = "the mirror was never filled";
    if (n <= 0)
        return -1;
    *why_r = "rights.admins is no usable DN";
    if (place(p, conf->rights.admins, RIGHTS_ADMINS, p->text[1], &p->admins) < 0)
        return -1;
    *why_r = "rights.domains is no usable DN";
    return place(p, conf->rights.domains, RIGHTS_DOMAINS, p->text[2], &p->domains);
}

/* --- entries --- */

static void
not_found(struct rights_entry *e, int found, const char *note)
{
    e->found = found;
    e->note = note;
}

/* The entry's record, once its UUID is known. */
static void
load(const struct rights_places *p, struct rights_entry *e)
{
    int found = mirror_entry(p->mirror, e->uuid, &e->record);

    if (found == 1)
        e->found = 1;
    else
        not_found(e, -1, "its entry can't be read");
}

static void
find_dn(const struct rights_places *p, struct rights_entry *e)
{
    int found = mirror_by_dn(p->mirror, e->dn, e->uuid);

    if (found == 1)
        load(p, e);
    else
        not_found(e, found, found < 0 ? "the mirror can't be read" : "no such entry");
}

void
rights_find_uuid(const struct rights_places *p, struct rights_entry *e)
{
    char dn[MIRROR_DN_MAX];
    long n = mirror_dn_of(p->mirror, e->uuid, dn, sizeof dn);

    n = n > 0 ? dn_normalize(as_span(dn, n), e->text, sizeof e->text) : -1;
    e->dn = as_span(e->text, n);
    if (n > 0)
        load(p, e);
    else
        not_found(e, -1, "its place in the tree can't be told");
}

struct rivals {
    const unsigned char *uuid;
    int n; /* others than uuid */
};

static int
count_rival(void *ctx, const struct mirror_claim *claim)
{
    struct rivals *r = ctx;

    r->n += memcmp(claim->uuid, r->uuid, UUID_LEN) != 0;
    return r->n;
}

/* 1 when the address has an owner, into e. */
static int
claim_at(const struct rights_places *p, const char *text, size_t n, struct rights_entry *e)
{
    struct mirror_claim claim;
    struct rivals rivals = {e->uuid, 0};
    int found = mirror_claim(p->mirror, (struct span){text, n}, &claim);

    if (found == 0)
        return 0;
    if (found < 0) {
        not_found(e, -1, "the mirror can't be read");
        return 1;
    }
    memcpy(e->uuid, claim.uuid, UUID_LEN);
    mirror_each_claim(p->mirror, (struct span){text, n}, count_rival, &rivals);
    if (rivals.n > 0)
        not_found(e, -1, "several entries claim the address");
    else
        rights_find_uuid(p, e);
    return 1;
}

/* The address with or without its extension, at domain (NULL: its own). */
static int
claim_rewritten(const struct rights_places *p, const struct addr *a, int keep_ext,
                const char *domain, struct rights_entry *e)
{
    char text[ADDR_MAX + 1];
    int n = addr_rewrite(a, keep_ext, domain, text);

    return n > 0 && claim_at(p, text, (size_t)n, e);
}

static void
find_address(const struct rights_places *p, struct span name, int exactly, struct rights_entry *e)
{
    char primary[ADDR_DOMAIN_MAX + 1];
    struct mirror_domain d;
    struct addr a;
    int ours;

    if (addr_parse(&a, name.p, name.n, exactly ? "" : p->delimiters) != 1) {
        not_found(e, 0, "no mail address");
        return;
    }
    ours = mirror_domain(p->mirror, span_of(addr_domain(&a)), &d);
    if (ours != 1 || d.primary.n >= sizeof primary) {
        not_found(e, ours, ours ? "the mirror can't be read" : "its domain is not ours");
        return;
    }
    memcpy(primary, d.primary.p, d.primary.n);
    primary[d.primary.n] = '\0';
    if (claim_at(p, a.text, a.len, e) || (a.base < a.at && claim_rewritten(p, &a, 0, NULL, e)) ||
        (d.is_alias && claim_rewritten(p, &a, 1, primary, e)) ||
        (d.is_alias && a.base < a.at && claim_rewritten(p, &a, 0, primary, e)))
        return;
    not_found(e, 0, "nobody has the address");
}

static void
find_domain(const struct rights_places *p, struct span name, struct rights_entry *e)
{
    char canon[ADDR_DOMAIN_MAX + 1];
    int n = name.n > 0 ? addr_domain_canon(name.p, name.n, canon) : -1;
    struct mirror_domain d;
    int found = n > 0 ? mirror_domain(p->mirror, as_span(canon, n), &d) : 0;

    if (found == 1) {
        memcpy(e->uuid, d.uuid, UUID_LEN);
        rights_find_uuid(p, e);
    } else {
        not_found(e, found,
                  found < 0 ? "the mirror can't be read"
                            : "neither an address, nor a DN, nor a "
                              "domain of ours");
    }
}

void
rights_find(const struct rights_places *p, struct span name, int exactly, struct rights_entry *e)
{
    unsigned long shortages = dn_shortages();
    int may_be_dn = name.n > 0 && memchr(name.p, '=', name.n) != NULL;
    long n = may_be_dn ? dn_normalize(name, e->text, sizeof e->text) : -1;

    e->note = "";
    e->dn = as_span(e->text, n);
    if (shortages != dn_shortages()) {
        not_found(e, -1, "out of memory");
        return;
    }
    if (n > 0 && rights_below(e->dn, p->base)) {
        find_dn(p, e);
        return;
    }
    if (n > 0 && !memchr(name.p, '@', name.n)) {
        not_found(e, 0, "outside the mirror's base");
        return;
    }
    e->dn = as_span(NULL, 0);
    if (name.n > 0 && memchr(name.p, '@', name.n))
        find_address(p, name, exactly, e);
    else
        find_domain(p, name, e);
}
