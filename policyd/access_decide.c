/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * access_decide: who may open whose mailbox, see access_decide.h.
 *
 * Promises: rights_decide() alone says what an administrator may; what holds for an
 * account (state, withheld functions, quota) is inherited as the maps inherit; what
 * can't be read is "unsure", never a permission; an old mirror still knows owners.
 * Must not keep anything, or log.
 */
#include "access_decide.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "attrs.h"
#include "withheld.h"

/* --- words --- */

const char *
access_verdict_word(enum access_verdict v)
{
    return v == ACCESS_YES ? "yes" : v == ACCESS_NO ? "no" : "unsure";
}

const char *
access_mode_word(enum access_mode m)
{
    static const char *const words[] = {"owner", "read", "write"};

    return words[m];
}

int
access_is_withheld(unsigned withheld, const char *function)
{
    return (withheld & withheld_bit(span_of(function))) != 0;
}

size_t
access_withheld_words(unsigned withheld, char *out, size_t cap)
{
    struct span all = span_of(attrs_deny_words), word;
    size_t n = 0;

    for (unsigned bit = 1; withheld_next_word(&all, &word); bit <<= 1)
        if ((withheld & bit) && n + word.n + 2 <= cap)
            n += (size_t)snprintf(out + n, cap - n, "%s%.*s", n ? "," : "", (int)word.n, word.p);
    out[n] = '\0';
    return n;
}

/* --- what holds for an account --- */

struct holds {
    int suspended, disabled, moving;
    unsigned withheld;
    struct span quota, mail;
};

static void
take_state(unsigned state, struct holds *h)
{
    h->suspended |= state == STATE_SUSPENDED;
    h->disabled |= state == STATE_DISABLED;
    h->moving |= state == STATE_MOVING;
}

/* What is passed down to whom a container holds. A number nobody has passes down nothing. */
static void
take_org(struct mirror *m, uint32_t number, struct holds *h)
{
    struct mirror_org org;

    if (mirror_org(m, number, &org) != 1)
        return;
    take_state(org.state, h);
    if (h->quota.n == 0)
        h->quota = org.quota;
}

/* The domain of the primary address counts too: accounts need not stand below it. */
static void
take_domain(struct mirror *m, struct holds *h)
{
    const char *at = h->mail.n > 0 ? memrchr(h->mail.p, '@', h->mail.n) : NULL;
    struct mirror_domain d;

    if (at &&
        mirror_domain(m, (struct span){at + 1, h->mail.n - (size_t)(at + 1 - h->mail.p)}, &d) == 1)
        take_org(m, d.number, h);
}

static void
take_account(struct mirror *m, const struct record *r, struct holds *h)
{
    enum record_tag tag;
    struct span v;
    size_t pos = 0;

    *h = (struct holds){0};
    take_state(record_state(r), h);
    while (record_next(r, &pos, &tag, &v)) {
        if (tag == TAG_QUOTA && h->quota.n == 0)
            h->quota = v;
        else if (tag == TAG_MAIL && h->mail.n == 0)
            h->mail = v;
    }
    take_org(m, record_parent(r), h);
    take_domain(m, h);
    withheld_functions(m, r, &h->withheld); /* what can't be read makes the whole answer unsure */
}

/* --- services --- */

struct service {
    const char *word, *function; /* function: withheld, it is nobody's who lacks it */
    const char *name;            /* for people */
    int writes;                  /* there is no reading only */
};

static const struct service services[] = {
    {"imap", "imap", "IMAP", 0},
    {"pop3", "pop", "POP3", 0},
    {"submission", "submission", "submission of mail", 1},
    {"smtp", "submission", "submission of mail", 1}, /* Postfix asks Dovecot about passwords */
    {"sieve", NULL, "ManageSieve", 1},
};
static const struct service other_service = {"", NULL, "this service", 1};

static const struct service *
service_find(struct span word)
{
    for (size_t i = 0; i < sizeof services / sizeof *services; i++)
        if (span_same(word, span_of(services[i].word)))
            return &services[i];
    return &other_service;
}

/* Whether who lacks these functions may not use it. One we don't know needs all of them. */
static int
service_withheld(const struct service *s, unsigned withheld)
{
    if (s == &other_service)
        return access_is_withheld(withheld, "imap") || access_is_withheld(withheld, "pop") ||
               access_is_withheld(withheld, "submission");
    return s->function && access_is_withheld(withheld, s->function);
}

/* --- answers --- */

/* It becomes part of a reply of IMAP, POP3 or JSON. */
static void
make_printable(char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || (unsigned char)*s > 0x7e)
            *s = '?';
}

static void
says(struct access_answer *out, enum access_verdict verdict, int rule, const char *why)
{
    out->verdict = verdict;
    out->rule = rule;
    out->why = why;
}

static void __attribute__((format(printf, 4, 5)))
refuse(struct access_answer *out, int rule, const char *why, const char *format, ...)
{
    va_list ap;

    says(out, ACCESS_NO, rule, why);
    va_start(ap, format);
    vsnprintf(out->text, sizeof out->text, format, ap);
    va_end(ap);
    make_printable(out->text);
}

static void
refuse_moving(struct access_answer *out)
{
    refuse(out, 0, "the mailbox is being moved",
           "The mailbox of %s is being moved to another site. Mail waits meanwhile; please try "
           "again later.",
           out->target);
}

static void
refuse_other(struct access_answer *out, int rule, const char *why)
{
    refuse(out, rule, why, "%s may not open the mailbox of %s: %s", out->actor, out->target, why);
}

/* --- decisions --- */

struct asked {
    const struct conf *conf;
    struct mirror *mirror;
    int64_t age_ms;
    const struct access_question *q;
    const struct service *service;
    struct rights_answer *work;
    struct holds actor, target;
};

static int
is_old(const struct asked *a)
{
    int64_t max_ms = a->conf->rights.max_age * 1000LL;

    return max_ms > 0 && a->age_ms > max_ms;
}

static void
decide_own(const struct asked *a, struct access_answer *out)
{
    struct rights r = rights_decide(&a->work->in);

    out->own = 1;
    out->mode = ACCESS_OWNER;
    if (r.verdict == RIGHTS_UNSURE)
        says(out, ACCESS_UNSURE, r.rule, r.why);
    else if (a->target.suspended || a->target.disabled || r.rule == 3)
        refuse(out, 3, "the actor is suspended or disabled",
               "The account %s is suspended or disabled.", out->target);
    else if (r.verdict != RIGHTS_ALLOWED)
        refuse_other(out, r.rule, r.why);
    else if (a->target.moving)
        refuse_moving(out);
    else if (service_withheld(a->service, a->target.withheld))
        refuse(out, 5, "the function is withheld", "The account %s may not use %s.", out->target,
               a->service->name);
    else
        says(out, ACCESS_YES, 5, is_old(a) ? "the own entry, by an old mirror" : "the own entry");
}

static void
decide_right(const struct asked *a, const char *action)
{
    struct rights_question q = {
        .actor = a->q->actor, .target = a->q->target, .action = span_of(action)};

    rights_ask(a->conf, a->mirror, a->age_ms, &q, a->work);
}

static void
decide_other(const struct asked *a, struct access_answer *out)
{
    const struct rights *r = &a->work->rights;

    out->mode = ACCESS_WRITE;
    if (r->verdict == RIGHTS_REFUSED && r->rule == 14 && !a->service->writes) {
        out->mode = ACCESS_READ;
        decide_right(a, "read-mail");
    }
    if (r->verdict == RIGHTS_UNSURE)
        says(out, ACCESS_UNSURE, r->rule, r->why);
    else if (r->verdict == RIGHTS_REFUSED)
        refuse_other(out, r->rule, r->why);
    else if (service_withheld(a->service, a->actor.withheld))
        refuse_other(out, 0, "the service is withheld from the actor");
    else if (a->target.moving)
        refuse_moving(out);
    else
        says(out, ACCESS_YES, r->rule, r->why);
}

/* What is known of both: their names, and what holds for the target. */
static void
take_facts(struct asked *a, struct access_answer *out)
{
    struct rights_answer *w = a->work;

    if (w->actor.found == 1)
        take_account(a->mirror, &w->actor.record, &a->actor);
    if (w->target.found == 1)
        take_account(a->mirror, &w->target.record, &a->target);
    if (a->actor.mail.n > 0)
        span_keep(out->actor, sizeof out->actor, a->actor.mail);
    if (a->target.mail.n > 0)
        span_keep(out->target, sizeof out->target, a->target.mail);
    span_keep(out->quota, sizeof out->quota, a->target.quota);
    out->withheld = a->target.withheld;
}

void
access_unsure(const struct access_question *q, const char *why, struct access_answer *out)
{
    memset(out, 0, sizeof *out);
    says(out, ACCESS_UNSURE, 1, why);
    span_keep(out->actor, sizeof out->actor, q->actor);
    span_keep(out->target, sizeof out->target, q->target);
}

void
access_decide(const struct conf *conf, struct mirror *m, int64_t age_ms,
              const struct access_question *q, struct rights_answer *work,
              struct access_answer *out)
{
    struct asked a = {.conf = conf, .mirror = m, .age_ms = age_ms, .q = q, .work = work};

    access_unsure(q, "the mirror can't be read", out);
    a.service = service_find(q->service);
    decide_right(&a, "write-mail");
    take_facts(&a, out);
    if (work->actor.found == 1 && work->target.found == 1 &&
        memcmp(work->actor.uuid, work->target.uuid, UUID_LEN) == 0)
        decide_own(&a, out);
    else
        decide_other(&a, out);
    if (mirror_failed(m))
        says(out, ACCESS_UNSURE, 1, "the mirror can't be read");
}
