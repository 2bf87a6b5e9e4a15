/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * access_share: whom folders of a mailbox may be shared with, see access_share.h.
 *
 * Promises: who may not share, shares with nobody; a group, whose members we don't
 * know, is let in only where anybody may be. Reads the mirror only.
 */
#include "access_share.h"

#include <string.h>

#define DEPTH_MAX 64

static void
says(struct access_shared *out, enum access_verdict verdict, int rule, const char *why,
     const char *text)
{
    *out = (struct access_shared){verdict, rule, why, text};
}

/* Take the prefix off when it is there. */
static int
strip(struct span *s, const char *prefix)
{
    size_t n = strlen(prefix);

    if (s->n < n || memcmp(s->p, prefix, n) != 0)
        return 0;
    s->p += n;
    s->n -= n;
    return 1;
}

static int
is_crowd(struct span s)
{
    return strip(&s, "$") || strip(&s, "group=") || strip(&s, "group-override=") ||
           span_same(s, span_of("anyone")) || span_same(s, span_of("anonymous")) ||
           span_same(s, span_of("authenticated"));
}

/* The nearest department above an entry, 0 when it is in none; *domain_r: the domain it is in. */
static uint32_t
department_of(struct mirror *m, const struct record *r, struct span *domain_r)
{
    uint32_t number = record_parent(r);
    struct mirror_org org;

    *domain_r = (struct span){"", 0};
    for (int depth = 0; number != 0 && depth < DEPTH_MAX; depth++, number = org.parent) {
        if (mirror_org(m, number, &org) != 1)
            return 0;
        if (depth == 0)
            *domain_r = org.domain;
        if (org.kind == KIND_DEPARTMENT)
            return number;
    }
    return 0;
}

static int
is_below(struct mirror *m, const struct record *r, uint32_t top)
{
    uint32_t number = record_parent(r);
    struct mirror_org org;

    for (int depth = 0; number != 0 && depth < DEPTH_MAX; depth++, number = org.parent) {
        if (number == top)
            return 1;
        if (mirror_org(m, number, &org) != 1)
            return 0;
    }
    return 0;
}

/* Its primary domain, as the tree or else its address says. */
static struct span
domain_of(struct mirror *m, const struct record *r, struct span by_tree)
{
    struct mirror_domain d;
    struct span mail;
    const char *at;

    if (by_tree.n > 0 || !record_find(r, TAG_MAIL, &mail))
        return by_tree;
    at = memrchr(mail.p, '@', mail.n);
    if (!at || mirror_domain(m, (struct span){at + 1, mail.n - (size_t)(at + 1 - mail.p)}, &d) != 1)
        return by_tree;
    return d.primary;
}

static void
compare(struct mirror *m, int departments, const struct record *owner, const struct record *other,
        struct access_shared *out)
{
    struct span own, others;
    uint32_t department = department_of(m, owner, &own);

    department_of(m, other, &others);
    if (departments && department != 0) {
        if (!is_below(m, other, department))
            says(out, ACCESS_NO, 0, "outside the own department",
                 "Sharing outside your own department is not permitted");
        return;
    }
    own = domain_of(m, owner, own);
    others = domain_of(m, other, others);
    if (own.n == 0 || !span_same(own, others))
        says(out, ACCESS_NO, 0, "outside the own domain",
             "Sharing outside your own domain is not permitted");
}

/* Whether actor may share at all; sets out when not. */
static int
may_share(const struct conf *conf, struct mirror *m, int64_t age_ms, struct span actor,
          struct span target, struct rights_answer *w, struct access_shared *out)
{
    struct rights_question q = {.actor = actor, .target = target, .action = span_of("share")};
    struct access_question mailbox = {actor, target, span_of("imap")};
    struct access_answer a;

    access_decide(conf, m, age_ms, &mailbox, w, &a);
    if (access_is_withheld(a.withheld, "share")) {
        says(out, ACCESS_NO, 5, "the function is withheld",
             "Sharing folders is not permitted for this account");
        return 0;
    }
    rights_ask(conf, m, age_ms, &q, w);
    if (w->rights.verdict == RIGHTS_UNSURE)
        says(out, ACCESS_UNSURE, w->rights.rule, w->rights.why, "");
    else if (w->rights.verdict == RIGHTS_REFUSED)
        says(out, ACCESS_NO, w->rights.rule, w->rights.why,
             "Sharing folders of this account is not permitted to you");
    return w->rights.verdict == RIGHTS_ALLOWED;
}

void
access_share(const struct conf *conf, struct mirror *m, int64_t age_ms, struct span actor,
             struct span target, struct span identifier, struct rights_answer *w,
             struct access_shared *out)
{
    const char *limit = conf->access.share;
    struct rights_places places;
    const char *why;

    says(out, ACCESS_YES, 0, "as access.share says", "");
    strip(&identifier, "-");
    if (!may_share(conf, m, age_ms, actor, target, w, out) ||
        span_same(identifier, span_of("owner")))
        return;
    if (strcmp(limit, "none") == 0) {
        says(out, ACCESS_NO, 0, "nobody may share", "Sharing folders is not permitted here");
        return;
    }
    if (strcmp(limit, "any") == 0)
        return;
    if (is_crowd(identifier)) {
        says(out, ACCESS_NO, 0, "a group, or everybody",
             "Sharing with groups or with everybody is not permitted");
        return;
    }
    strip(&identifier, "user=");
    if (rights_places_open(&places, conf, m, &why) < 0) {
        says(out, ACCESS_UNSURE, 1, why, "");
        return;
    }
    rights_find(&places, identifier, 1, &w->value);
    if (w->value.found == 1 && record_kind(&w->value.record) == KIND_ACCOUNT)
        compare(m, strcmp(limit, "department") == 0, &w->target.record, &w->value.record, out);
    else if (w->value.found < 0)
        says(out, ACCESS_UNSURE, 1, "who that is can't be told", "");
    else
        says(out, ACCESS_NO, 0, "no such account", "There is no account of that name");
    if (mirror_failed(m))
        says(out, ACCESS_UNSURE, 1, "the mirror can't be read", "");
}
