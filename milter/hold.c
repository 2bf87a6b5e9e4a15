/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hold: see hold.h. What the rules ask is answered while Postfix tells about the message, so a message of any
 * size takes the same memory; a message that no rule can hold any more is not looked at further.
 *
 * Promises: a record is on disk, name and all, before Postfix is told to hold the message. A record whose
 * message Postfix did not take in the end does no harm: role held finds no message for it. Must not
 * hold anything that another site handed over.
 */
#include "hold.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "charset.h"
#include "fold_text.h"
#include "hold_envelope.h"
#include "mime_scan.h"
#include "plain_text.h"

#define SUBJECT_MAX 16384 /* bytes of a subject in which words are looked for */
#define CONVERSIONS \
    4000 /* of text in some charset, in one message: each may have to load a converter */

struct hold {
    const struct conf *conf;
    struct people *people;
    int folder;
    struct hold_rules rules;
    int64_t expire_ms;
};

struct hold_work {
    struct hold *h;
    struct held_record record;
    struct hold_envelope envelope;
    const char *names_doubt, *subject_doubt; /* fixed strings */
    int in_headers, in_body, looks;          /* looks: names of attachments count */
    struct mime_scan scan;
    unsigned conversions;
};

static _Thread_local unsigned *conversions; /* of the message being looked at */

/* --- what is shared --- */

struct hold *
hold_new(const struct conf *conf, struct people *people)
{
    struct hold *h = calloc(1, sizeof *h);

    if (!h)
        return NULL;
    *h = (struct hold){.conf = conf, .people = people, .folder = -1};
    h->expire_ms = 1000 * hold_duration(span_of(conf->milter.moderate_expire));
    if (hold_rules_read(&h->rules, conf) < 0) {
        free(h);
        return NULL;
    }
    return h;
}

void
hold_open(struct hold *h, int folder)
{
    h->folder = folder;
}

/* --- one message --- */

static void
begin_work(struct hold_mail *m, struct hold *h)
{
    m->work = calloc(1, sizeof *m->work);
    m->broken = !m->work;
    if (m->work)
        m->work->h = h;
}

void
hold_begin(struct hold *h, struct hold_mail *m, const struct message *message)
{
    hold_free(m);
    *m = (struct hold_mail){0};
    if (h->rules.n > 0 && !message->handed && (*message->sender || *message->login))
        begin_work(m, h);
}

void
hold_free(struct hold_mail *m)
{
    free(m->work);
    m->work = NULL;
}

void
hold_expect(struct hold_mail *m)
{
    m->expected = 1;
    if (!m->work)
        begin_work(m, NULL);
}

static struct span
bare(const char *address)
{
    struct span s = span_of(address);

    return s.n >= 2 && s.p[0] == '<' && s.p[s.n - 1] == '>' ? (struct span){s.p + 1, s.n - 2} : s;
}

void
hold_recipient(struct hold *h, struct hold_mail *m, const char *recipient,
               const struct message_way *way)
{
    struct held_record *r = m->work ? &m->work->record : NULL;
    struct span address = bare(recipient);

    if (!r)
        return;
    if (r->recipients < HELD_RECIPIENTS)
        span_keep(r->recipient[r->recipients++], sizeof r->recipient[0], address);
    if (!*r->direction || way->direction == DIRECTION_OUTBOUND)
        span_keep(r->direction, sizeof r->direction, span_of(direction_word(way->direction)));
    hold_envelope_add(&m->work->envelope, &h->rules, h->people, address, &way->to, way->direction);
}

/* --- what is in it --- */

/* More than that is not known, which is a doubt. */
static long
to_utf8(struct span charset, struct span in, char *out, size_t cap)
{
    return ++*conversions > CONVERSIONS ? -1 : charset_utf8(charset, in, out, cap);
}

static void
on_name(void *ctx, struct span name, int best)
{
    struct hold_work *w = ctx;
    struct held_record *r = &w->record;
    char text[sizeof r->attachment[0]];

    for (unsigned i = 0; w->h && i < w->h->rules.n; i++)
        if (*w->h->rules.rule[i].attachment && w->envelope.seen[i].attachment != GUARD_YES &&
            hold_rule_attachment(&w->h->rules.rule[i], name))
            w->envelope.seen[i].attachment = GUARD_YES;
    if (!best || r->attachments == HELD_ATTACHMENTS || plain_text(text, sizeof text, name) == 0)
        return;
    for (unsigned i = 0; i < r->attachments; i++)
        if (strcmp(r->attachment[i], text) == 0)
            return;
    span_keep(r->attachment[r->attachments++], sizeof text, span_of(text));
}

/* What can't be looked through may hold any type. */
static void
on_doubt(void *ctx, const char *why)
{
    struct hold_work *w = ctx;

    if (!w->names_doubt)
        w->names_doubt = why;
    for (unsigned i = 0; w->h && i < w->h->rules.n; i++)
        if (*w->h->rules.rule[i].attachment)
            w->envelope.seen[i].attachment = GUARD_YES;
}

/* A subject that can't be read may hold any word. */
static void
take_subject(struct hold_work *w, struct span value)
{
    char decoded[SUBJECT_MAX], folded[2 * SUBJECT_MAX];
    int doubt = 0;
    long n = mime_text(decoded, sizeof decoded, value, to_utf8, &doubt);
    long folded_n =
        n < 0 ? -1 : fold_text(folded, sizeof folded, (struct span){decoded, (size_t)n});

    if (n >= 0 && !*w->record.subject)
        plain_text(w->record.subject, sizeof w->record.subject, (struct span){decoded, (size_t)n});
    if (folded_n < 0 || doubt)
        w->subject_doubt = folded_n < 0 ? "the subject is too long" : "the subject can't be read";
    for (unsigned i = 0; w->h && i < w->h->rules.n; i++)
        if (*w->h->rules.rule[i].subject &&
            (folded_n < 0 || doubt ||
             hold_rule_subject(&w->h->rules.rule[i], (struct span){folded, (size_t)folded_n})))
            w->envelope.seen[i].subject = GUARD_YES;
}

static struct guard_holding
holding(const struct hold *h, const struct hold_mail *m, const struct message *message)
{
    static const struct guard_hold_seen none[CONF_LIST_MAX];

    return (struct guard_holding){
        .handed = message->handed,
        .requested = m->requested,
        .notice = !*message->sender && !*message->login,
        .outside =
            m->work ? hold_envelope_outside(&m->work->envelope, message->inside) : !message->inside,
        .from = hold_person_of(&message->from),
        .size = message->bytes + 2,
        .rule = h->rules.rule,
        .seen = m->work ? m->work->envelope.seen : none,
        .n = h->rules.n};
}

/* The envelope is complete: can any rule still hold, and what is to be looked at for that. */
static void
begin_headers(struct hold *h, struct hold_mail *m, const struct message *message)
{
    const struct guard_holding asked = holding(h, m, message);
    struct hold_work *w = m->work;
    struct mime_sink sink = {w, to_utf8, on_name, on_doubt};
    int any = m->expected;

    for (unsigned i = 0; i < h->rules.n; i++)
        any |= guard_hold_may(&asked, i);
    if (!any) {
        hold_free(m);
        return;
    }
    w->in_headers = w->looks = 1;
    mime_scan_begin(&w->scan, &sink);
}

void
hold_header(struct hold *h, struct hold_mail *m, const struct message *message, const char *name,
            const char *value)
{
    if (m->work && !m->work->in_headers)
        begin_headers(h, m, message);
    if (!m->work)
        return;
    conversions = &m->work->conversions;
    mime_scan_header(&m->work->scan, span_of(name), span_of(value));
    if (strncasecmp(name, "Subject", 7) == 0 && name[7 + strspn(name + 7, " \t")] == '\0')
        take_subject(m->work, span_of(value));
}

void
hold_body(struct hold_mail *m, struct span bytes)
{
    struct hold_work *w = m->work;

    if (!w || !w->in_headers)
        return;
    conversions = &w->conversions;
    if (!w->in_body)
        mime_scan_headers_end(&w->scan);
    w->in_body = 1;
    mime_scan_body(&w->scan, bytes);
}

void
hold_request(struct hold_mail *m, const char *rule, const char *why)
{
    struct held_record *r = m->work ? &m->work->record : NULL;

    if (r && !m->requested) {
        plain_text(r->rule, sizeof r->rule, span_of(rule));
        plain_text(r->why, sizeof r->why, span_of(why));
    }
    m->requested = 1;
}

/* --- its end --- */

/* By which rule, and why in words. */
static void
name_rule(const struct hold *h, struct hold_work *w, unsigned i)
{
    const struct hold_rule *rule = &h->rules.rule[i];
    struct held_record *r = &w->record;
    const char *doubt = *rule->attachment && w->names_doubt  ? w->names_doubt
                        : *rule->subject && w->subject_doubt ? w->subject_doubt
                                                             : "";
    char why[sizeof rule->text + 128];

    span_keep(r->rule, sizeof r->rule, span_of(rule->name));
    snprintf(why, sizeof why, "%s%s%s", rule->text, *doubt ? "; " : "", doubt);
    plain_text(r->why, sizeof r->why, span_of(why));
    r->on_expire = rule->on_expire;
}

static int
write_record(struct hold *h, struct held_record *r, int64_t expire_ms,
             const struct message *message, const char *queue, int64_t now_ms, char *error,
             size_t error_n)
{
    if (held_id_write(r->id, h->conf->site, now_ms, queue) < 0) {
        snprintf(error, error_n, "Postfix gives no queue id");
        return -1;
    }
    span_keep(r->site, sizeof r->site, span_of(h->conf->site));
    span_keep(r->queue, sizeof r->queue, span_of(queue));
    span_keep(r->sender, sizeof r->sender, span_of(message->sender));
    span_keep(r->login, sizeof r->login, span_of(message->login));
    r->time_ms = now_ms;
    r->expires_ms = now_ms + expire_ms;
    r->recipient_count = message->recipients;
    r->size = message->bytes + 2;
    return held_record_drop(h->folder, r, error, error_n);
}

int
hold_end(struct hold *h, struct hold_mail *m, const struct message *message, const char *queue,
         int64_t now_ms, char *error, size_t error_n)
{
    struct guard_holding asked;
    struct guard_hold g;
    int64_t expire_ms = h->expire_ms;

    if (m->broken) {
        snprintf(error, error_n, "out of memory");
        return -1;
    }
    if (m->work && !m->work->in_headers)
        begin_headers(h, m, message);
    if (m->work && !m->work->in_body)
        hold_body(m, span_of(""));
    if (!m->work && m->requested)
        snprintf(error, error_n, "nobody said that it might be held");
    if (!m->work)
        return m->requested ? -1 : 0;
    conversions = &m->work->conversions;
    mime_scan_end(&m->work->scan);
    asked = holding(h, m, message);
    g = guard_hold(&asked);
    if (g.verdict == GUARD_HOLD_LATER)
        snprintf(error, error_n, "the mirror can't be read, which rule %s needs",
                 h->rules.rule[g.rule].name);
    if (g.verdict != GUARD_HOLD_HELD)
        return g.verdict == GUARD_HOLD_PASS ? 0 : -1;
    if (g.step == 4) {
        name_rule(h, m->work, g.rule);
        expire_ms =
            h->rules.rule[g.rule].expire_s ? 1000 * h->rules.rule[g.rule].expire_s : expire_ms;
    }
    span_keep(
        m->work->record.target, sizeof m->work->record.target,
        span_of(hold_envelope_target(&m->work->envelope, &g, &message->from, message->inside)));
    m->held =
        write_record(h, &m->work->record, expire_ms, message, queue, now_ms, error, error_n) == 0;
    return m->held ? 1 : -1;
}

const struct held_record *
hold_record(const struct hold_mail *m)
{
    return &m->work->record;
}

void
hold_undo(struct hold *h, struct hold_mail *m)
{
    char error[256];

    if (m->held)
        held_record_remove(h->folder, m->work->record.id, error, sizeof error);
    m->held = 0;
}
