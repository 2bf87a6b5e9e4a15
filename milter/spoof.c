/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spoof: see spoof.h.
 *
 * Promises: mail that another site handed over, of who logged in, and of hosts that are inside is
 * not looked at. What strangers write is bounded before it is parsed, and shown in
 * logs without control bytes. Must not look up in DNS or verify signatures: a
 * verifier before us does that, and says so in the header.
 */
#include "spoof.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "log.h"
#include "plain_text.h"
#include "spoof_people.h"

struct spoof {
    const struct conf *conf;
    struct people *people;
    struct spoof_settings settings;
    struct cidr_set forwarders, gateways;
};

static pthread_mutex_t limit_lock = PTHREAD_MUTEX_INITIALIZER;
static struct log_limit limit;

struct spoof *
spoof_new(const struct conf *conf, struct people *people)
{
    struct spoof *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->conf = conf;
    s->people = people;
    s->settings =
        spoof_settings_of(conf->spoof.action, conf->spoof.display_name, conf->spoof.subdomains);
    cidr_fill(&s->forwarders, conf->spoof.trusted_forwarders.v, conf->spoof.trusted_forwarders.n);
    cidr_fill(&s->gateways, conf->spoof.gateways.v, conf->spoof.gateways.n);
    return s;
}

/* --- what is collected --- */

void
spoof_begin(const struct spoof *s, struct spoof_mail *m, int inside, const unsigned char *ip)
{
    m->judged = !inside;
    m->tags = 0;
    m->has_ip = ip != NULL;
    if (ip)
        memcpy(m->ip, ip, sizeof m->ip);
    m->forwarder = ip && cidr_has(&s->forwarders, ip);
    m->gateway = ip && cidr_has(&s->gateways, ip);
    from_header_begin(&m->from);
    from_header_begin(&m->sender);
    vouch_begin(&m->vouch);
}

int
spoof_may_hold(const struct spoof *s, const struct spoof_mail *m)
{
    return m->judged && !m->forwarder &&
           (s->settings.action == SPOOF_QUARANTINE || s->settings.display == SPOOF_QUARANTINE ||
            people_spoof_actions(s->people) >> SPOOF_QUARANTINE & 1);
}

/* Whether a header's name is that, with blanks behind it, too. */
static int
is_named(const char *name, const char *what)
{
    size_t n = strlen(what);

    return strncasecmp(name, what, n) == 0 && name[n + strspn(name + n, " \t")] == '\0';
}

void
spoof_header(const struct spoof *s, struct spoof_mail *m, const char *name, const char *value)
{
    struct vouch_settings v = {s->conf->spoof.authserv_id,
                               (unsigned)s->conf->spoof.authserv_results,
                               (const char *const *)s->conf->spoof.arc_sealers.v,
                               s->conf->spoof.arc_sealers.n, m->gateway};

    m->tags += (unsigned)is_named(name, SPOOF_TAG_NAME);
    if (!m->judged)
        return;
    if (is_named(name, "From"))
        from_header_add(&m->from, value, strlen(value));
    else if (is_named(name, "Sender"))
        from_header_add(&m->sender, value, strlen(value));
    else
        vouch_header(&m->vouch, &v, name, value, strlen(value));
}

/* --- what becomes of it --- */

void
spoof_end(const struct spoof *s, const struct spoof_mail *m, const char *envelope,
          struct spoof_result *out)
{
    struct spoof_message message = {.inside = !m->judged,
                                    .forwarder = m->forwarder,
                                    .envelope = envelope,
                                    .from = &m->from,
                                    .sender = &m->sender,
                                    .vouch = &m->vouch};
    struct spoof_settings settings = s->settings;

    if (m->judged)
        settings.most = spoof_strictest(people_spoof_actions(s->people));
    spoof_judge(&message, &settings, spoof_people_domain, s->people, out);
}

/* --- words --- */

void
spoof_tag(const struct spoof *s, const struct spoof_result *r, char out[SPOOF_TAG_MAX])
{
    snprintf(out, SPOOF_TAG_MAX, " site=%.64s; domain=%s; where=%s; rule=%d", s->conf->site,
             *r->domain ? r->domain : "unknown", *r->where ? r->where : "From", r->guard.rule);
}

static const char *
ip_text(const struct spoof_mail *m, char out[INET6_ADDRSTRLEN])
{
    static const unsigned char v4[12] = {[10] = 0xff, [11] = 0xff};
    int is_v4 = memcmp(m->ip, v4, sizeof v4) == 0;

    if (!m->has_ip ||
        !inet_ntop(is_v4 ? AF_INET : AF_INET6, m->ip + (is_v4 ? 12 : 0), out, INET6_ADDRSTRLEN))
        return "unknown";
    return out;
}

static int
say(unsigned *skipped_r)
{
    int now;

    pthread_mutex_lock(&limit_lock);
    now = log_limit(&limit, 300, 60, skipped_r);
    pthread_mutex_unlock(&limit_lock);
    return now;
}

void
spoof_log(const struct spoof_mail *m, const struct spoof_result *r, const char *queue,
          const char *envelope)
{
    char client[INET6_ADDRSTRLEN], sender[ADDR_MAX + 1];
    const char *verdict = guard_spoof_verdict_word(r->guard.verdict);
    unsigned skipped;

    if (r->guard.verdict == SPOOF_PASSES) {
        if (r->guard.rule == 10)
            log_debug("a sender is vouched for queue=%s by=%s domain=%s", queue, r->by, r->voucher);
        return;
    }
    plain_text(sender, sizeof sender, span_of(envelope));
    if (say(&skipped))
        log_notice("mail from outside in our name verdict=%s rule=%d why=\"%s\" domain=%s where=%s "
                   "client=%s queue=%s skipped=%u sender=%s",
                   verdict, r->guard.rule, r->guard.why, r->domain, r->where, ip_text(m, client),
                   queue, skipped, sender);
}
