/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control_verbs: from one request line, {"verb":…}, to its reply, {"ok":…}.
 *
 * Promises: always a reply, whatever the line holds; a verb that changes
 * something needs root or the daemon's user and a reason, and is logged with
 * both before it is done. Must not act on what it could not log.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "config.h"
#include "control.h"
#include "control_access.h"
#include "control_audit.h"
#include "control_digest.h"
#include "control_held.h"
#include "control_may.h"
#include "control_taken.h"
#include "log.h"
#include "status.h"

#define REASON_MAX 200 /* characters in a log line */

json_t *
control_error(enum control_code code, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return json_pack("{s:b, s:o, s:i}", "ok", 0, "error", control_text(span_of(text)), "code",
                     (int)code);
}

json_t *
control_text(struct span s)
{
    json_t *j = json_stringn(s.p ? s.p : "", s.n);
    char buf[1024];

    if (j)
        return j;
    if (s.n > sizeof buf)
        s.n = sizeof buf;
    for (size_t i = 0; i < s.n; i++)
        buf[i] = (unsigned char)s.p[i] < 0x80 ? s.p[i] : '?';
    return json_stringn(buf, s.n);
}

json_t *
control_dn(struct mirror *m, const unsigned char uuid[UUID_LEN])
{
    char dn[MIRROR_DN_MAX];
    long n = mirror_dn_of(m, uuid, dn, sizeof dn);
    struct span s = {dn, n > 0 ? (size_t)n : 0};

    return n >= 0 ? control_text(s) : json_null();
}

json_t *
control_number(uint64_t v)
{
    return json_integer((json_int_t)v);
}

json_t *
control_seconds(int64_t ms)
{
    return json_real((double)(ms > 0 ? ms : 0) / 1000.0);
}

json_t *
control_time(int64_t wall_ms)
{
    time_t t = (time_t)(wall_ms / 1000);
    struct tm tm;
    char text[32];

    if (wall_ms <= 0 || !gmtime_r(&t, &tm))
        return json_null();
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return json_string(text);
}

struct mirror *
control_mirror(struct control *c, const char **why_r)
{
    return maps_read(c->maps, why_r);
}

void
control_mirror_end(struct control *c)
{
    maps_end(c->maps);
}

static struct span
member(json_t *request, const char *key)
{
    json_t *v = json_object_get(request, key);
    struct span s = {json_string_value(v), json_string_length(v)};

    return s;
}

static json_t *
verb_ping(struct control *c, const struct caller *who, json_t *request)
{
    (void)who;
    (void)request;
    return json_pack("{s:i, s:s, s:s}", "pid", (int)getpid(), "version", PACKAGE_VERSION, "site",
                     c->env->conf->site);
}

static json_t *
verb_status(struct control *c, const struct caller *who, json_t *request)
{
    struct moment now = control_now();

    (void)who;
    (void)request;
    return status_json(c, &now);
}

static json_t *
verb_explain(struct control *c, const struct caller *who, json_t *request)
{
    struct span address = member(request, "address");
    struct moment now = control_now();

    (void)who;
    if (!address.p || address.n == 0)
        return control_error(CONTROL_USAGE, "explain: which address?");
    return explain_json(c, address, &now);
}

static json_t *
verb_may(struct control *c, const struct caller *who, json_t *request)
{
    struct rights_question q = {.actor = member(request, "actor"),
                                .action = member(request, "action"),
                                .target = member(request, "target"),
                                .value = member(request, "value")};
    struct moment now = control_now();

    (void)who;
    if (q.actor.n == 0 || q.action.n == 0 || q.target.n == 0)
        return control_error(CONTROL_USAGE, "may: who, what, and to whom?");
    return may_json(c, &q, &now);
}

static json_t *
verb_digests(struct control *c, const struct caller *who, json_t *request)
{
    (void)who;
    return digest_domains_json(c, member(request, "after"));
}

static json_t *
verb_digest(struct control *c, const struct caller *who, json_t *request)
{
    struct span domain = member(request, "domain");

    (void)who;
    if (!domain.p)
        return control_error(CONTROL_USAGE, "digest: of which domain?");
    return digest_entries_json(c, domain, member(request, "after"));
}

static json_t *
verb_parts(struct control *c, const struct caller *who, json_t *request)
{
    json_t *uuids = json_object_get(request, "uuids");

    (void)who;
    if (!json_is_array(uuids))
        return control_error(CONTROL_USAGE, "parts: of which entries?");
    return digest_parts_json(c, uuids);
}

static json_t *
verb_taken(struct control *c, const struct caller *who, json_t *request)
{
    json_t *addresses = json_object_get(request, "addresses");

    (void)who;
    if (!json_is_array(addresses))
        return control_error(CONTROL_USAGE, "taken: which addresses?");
    return taken_json(c, addresses);
}

static json_t *
verb_opening_open(struct control *c, const struct caller *who, json_t *request)
{
    return opening_json(c, who, request, "open");
}

static json_t *
verb_opening_list(struct control *c, const struct caller *who, json_t *request)
{
    return opening_json(c, who, request, "list");
}

static json_t *
verb_opening_close(struct control *c, const struct caller *who, json_t *request)
{
    return opening_json(c, who, request, "close");
}

/* The parent hands the word to sync, which confirms nothing but the sweep it refused last. */
static json_t *
verb_sweep_accept(struct control *c, const struct caller *who, json_t *request)
{
    static const char word[] = "sweep-accept";
    struct span reason = member(request, "reason"), by = member(request, "by");
    uint64_t would = board_get(&c->env->board, BOARD_SYNC, BOARD_SYNC_WOULD_SWEEP);

    if (reason.n == 0)
        return control_error(CONTROL_USAGE, "sweep-accept needs a reason: it goes to the log");
    if (would == 0)
        return control_error(CONTROL_NO, "no sweep was refused, so there is nothing to accept");
    log_notice("sweep accepted: entries that the source no longer has will be removed "
               "entries=%llu uid=%ld pid=%ld by=\"%.*s\" reason=\"%.*s\"",
               (unsigned long long)would, (long)who->uid, (long)who->pid,
               (int)(by.n < 64 ? by.n : 64), by.p ? by.p : "",
               (int)(reason.n < REASON_MAX ? reason.n : REASON_MAX), reason.p);
    if (send(c->env->parent_fd, word, sizeof word - 1, MSG_DONTWAIT | MSG_NOSIGNAL) == -1)
        return control_error(CONTROL_TEMPORARY, "the parent did not take the message: %s",
                             strerror(errno));
    return json_pack("{s:I}", "would_sweep", (json_int_t)would);
}

json_t *
control_later(void)
{
    return json_null();
}

static const struct verb {
    const char *name;
    int changes;
    json_t *(*fn)(struct control *, const struct caller *, json_t *);
} verbs[] = {
    {"ping", 0, verb_ping},
    {"status", 0, verb_status},
    {"explain", 0, verb_explain},
    {"explain-spoof", 0, control_spoof},
    {"explain-hold", 0, control_hold},
    {"digests", 0, verb_digests},
    {"may", 0, verb_may},
    {"digest", 0, verb_digest},
    {"parts", 0, verb_parts},
    {"taken", 0, verb_taken},
    {"sweep-accept", 1, verb_sweep_accept},
    {"who", 0, control_who},
    {"audit-read", 0, audit_page_json},
    {"opening-open", 0, verb_opening_open},
    {"opening-list", 0, verb_opening_list},
    {"opening-close", 0, verb_opening_close},
    {"held-list", 0, control_held},
    {"held-show", 0, control_held},
    {"held-decide", 0, control_held},
};

static json_t *
dispatch(struct control *c, const struct caller *who, json_t *request)
{
    struct span name = member(request, "verb");

    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (!span_same(name, span_of(verbs[i].name)))
            continue;
        if (verbs[i].changes && !who->may_change) {
            log_warning("control: refused verb=%s uid=%ld pid=%ld", verbs[i].name, (long)who->uid,
                        (long)who->pid);
            return control_error(CONTROL_USAGE,
                                 "%s changes something: only root and the daemon's "
                                 "user may ask for it",
                                 verbs[i].name);
        }
        log_debug("control: asked verb=%s uid=%ld pid=%ld", verbs[i].name, (long)who->uid,
                  (long)who->pid);
        return verbs[i].fn(c, who, request);
    }
    return control_error(CONTROL_USAGE, "unknown verb \"%.*s\"", (int)(name.n < 64 ? name.n : 64),
                         name.p ? name.p : "");
}

json_t *
control_reply(struct control *c, const struct caller *who, const char *line, size_t n)
{
    json_error_t bad;
    json_t *request = json_loadb(line, n, JSON_REJECT_DUPLICATES, &bad);
    json_t *reply;

    if (!json_is_object(request)) {
        json_decref(request);
        return control_error(CONTROL_USAGE, "not a JSON object on one line");
    }
    reply = dispatch(c, who, request);
    if (json_is_object(reply) && !json_object_get(reply, "ok"))
        json_object_set_new(reply, "ok", json_true());
    json_decref(request);
    return reply;
}
