/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy_handoff: what is said to a client of the hand-off port, for each recipient.
 *
 * Promises: only a site whose certificate is in the directory gets in, and only with
 * mail that stays here (see guard_handoff.h); to everything else the answer is temporary and
 * says what both sites think, so that whoever reads the sender's queue or log sees
 * what they disagree about. Doubt is never permission, and never a refusal for good.
 */
#include "policy_role.h"

#include <stdio.h>
#include <time.h>

#include "clock.h"
#include "guard_handoff.h"
#include "serve.h"
#include "vitals.h"

/* Into what may stand in an SMTP reply. */
static void
make_printable(char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || (unsigned char)*s > 0x7e)
            *s = '?';
}

static enum policy_answer
trouble(struct worker *w, char *action, size_t cap)
{
    snprintf(action, cap, "451 4.3.0 %s can't tell for now: %s", w->env->conf->site,
             maps_why(w->maps));
    make_printable(action);
    return POLICY_TROUBLE;
}

static enum policy_answer
stranger(struct worker *w, const struct policy_request *req, char *action, size_t cap)
{
    int client_n = req->client_address.n < 64 ? (int)req->client_address.n : 64;
    int print_n = req->ccert_fingerprint.n < 128 ? (int)req->ccert_fingerprint.n : 128;
    static struct log_limit limit;
    unsigned skipped;

    snprintf(action, cap, "454 4.7.0 %s takes mail here only from sites it knows, by certificate",
             w->env->conf->site);
    make_printable(action);
    if (log_limit(&limit, 10, 60, &skipped))
        log_warning("hand-off by a stranger deferred client=%.*s fingerprint=%.*s skipped=%u",
                    client_n, client_n ? req->client_address.p : "", print_n,
                    print_n ? req->ccert_fingerprint.p : "", skipped);
    return POLICY_STRANGER;
}

/* When the mirror was last known to hold what the directory holds, as text. */
static void
mirror_time(struct worker *w, char *out, size_t cap)
{
    struct moment now = {.mono_ms = clock_mono_ms(), .wall_ms = clock_wall_ms()};
    struct mirror_info info = {0};
    const char *why;
    struct mirror *m = maps_mirror(w->maps, &why);
    int64_t at;
    struct tm tm;
    time_t s;

    at = vitals_confirmed_ms(w->board, &now);
    if (at == 0 && m && mirror_info(m, &info) == 0)
        at = (int64_t)(info.refreshed_ms > info.updated_ms ? info.refreshed_ms : info.updated_ms);
    s = (time_t)(at / 1000);
    if (at == 0 || !gmtime_r(&s, &tm) || strftime(out, cap, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        snprintf(out, cap, "an unknown time");
}

/* What we would do with it: an enhanced status code (RFC 3463) and words. */
static const char *
our_view(const struct route *r, const char **words)
{
    if (r->verdict == ROUTE_LOCAL) {
        *words = "has a list of that address, which is expanded where mail comes in";
        return "4.4.4";
    }
    switch (r->verdict) {
    case ROUTE_HANDOFF:
        *words = "would send it to ";
        return "4.4.6";
    case ROUTE_WAIT:
        *words = "would let it wait";
        return "4.2.1";
    case ROUTE_UNKNOWN:
    case ROUTE_UNSURE:
        *words = "does not know it";
        return "4.1.1";
    default:
        *words = "does not receive for that domain";
        return "4.4.4";
    }
}

static enum policy_answer
defer(struct worker *w, const char *peer, const struct policy_request *req, const struct route *r,
      const struct guard *g, char *action, size_t cap)
{
    const char *own = w->env->conf->site, *words, *code = our_view(r, &words);
    static struct log_limit limit;
    char as_of[32];
    unsigned skipped;

    mirror_time(w, as_of, sizeof(as_of));
    snprintf(action, cap, "451 %s %s hands it over, but %s %s%s (%s; mirror as of %s)", code, peer,
             own, words, r->verdict == ROUTE_HANDOFF ? r->site->name : "", r->why, as_of);
    make_printable(action);
    if (log_limit(&limit, 10, 60, &skipped))
        log_notice("hand-off deferred peer=%s here=\"%s\" why=\"%s\" skipped=%u recipient=%.*s",
                   peer, g->why, r->why, skipped,
                   (int)(req->recipient.n < 400 ? req->recipient.n : 400),
                   req->recipient.p ? req->recipient.p : "");
    return POLICY_DEFERRED;
}

/* The site whose certificate the client has shown: 1 and its name, 0 none, -1 can't tell. */
static int
peer_of(struct worker *w, struct span print, char name[SITE_NAME_MAX + 1])
{
    size_t n;

    switch (maps_lookup(w->maps, MAP_PEER, print, w->data, sizeof(w->data), &n, NULL)) {
    case SOCKETMAP_OK:
        snprintf(name, SITE_NAME_MAX + 1, "%.*s", (int)n, w->data);
        return 1;
    case SOCKETMAP_NOTFOUND:
        return 0;
    default:
        return -1;
    }
}

enum policy_answer
policy_handoff(struct worker *w, const struct policy_request *req, char *action, size_t cap)
{
    struct route nowhere = {.verdict = ROUTE_OUTSIDE, .why = "no address"};
    struct map_trace trace;
    const struct route *r = &trace.route;
    char peer[SITE_NAME_MAX + 1];
    struct guard g;
    size_t n;
    int known = req->ccert_fingerprint.n > 0 ? peer_of(w, req->ccert_fingerprint, peer) : 0;

    if (known <= 0)
        return known < 0 ? trouble(w, action, cap) : stranger(w, req, action, cap);
    if (maps_lookup(w->maps, MAP_TRANSPORT, req->recipient, w->data, sizeof(w->data), &n, &trace) ==
        SOCKETMAP_TEMP)
        return trouble(w, action, cap);
    if (r->step == 0)
        r = &nowhere;
    g = guard_handoff(r);
    if (g.verdict != GUARD_ACCEPT)
        return defer(w, peer, req, r, &g, action, cap);
    snprintf(action, cap, "DUNNO");
    return POLICY_TAKEN;
}
