/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * status: everything an administrator looks at first, as one JSON object: where
 * the data comes from and how old it is, what it holds, who lives, what was asked
 * and what makes no sense in the directory.
 *
 * Promises: bounded work and a bounded reply however large or broken the
 * directory is (lists are cut at STATUS_LIST, beside their true count); works,
 * and says why, while the mirror can't be read.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "access_decide.h"
#include "access_figures.h"
#include "config.h"
#include "control_compare.h"
#include "policy_role.h"
#include "status.h"
#include "trouble.h"

#define STATUS_LIST    100
#define STATUS_DOMAINS 1000

const char *
status_phase_word(unsigned phase)
{
    static const char *const words[] = {
        [PHASE_NONE] = "none",       [PHASE_CONNECTING] = "connecting", [PHASE_REFRESH] = "refresh",
        [PHASE_PERSIST] = "persist", [PHASE_LOADED] = "loaded",         [PHASE_ERROR] = "error",
        [PHASE_REFUSED] = "refused", [PHASE_UNREAD] = "unread"};

    return phase < sizeof words / sizeof *words ? words[phase] : words[PHASE_NONE];
}

void
status_confirm(struct control *c, const struct moment *now)
{
    int64_t at = vitals_confirmed_ms(&c->env->board, now);

    if (at != 0)
        c->confirmed_ms = at;
}

int64_t
status_confirmed_ms(struct control *c, const struct mirror_info *info, const struct moment *now)
{
    int64_t at = (int64_t)info->refreshed_ms;

    status_confirm(c, now);
    if ((int64_t)info->updated_ms > at)
        at = (int64_t)info->updated_ms;
    return c->confirmed_ms > at ? c->confirmed_ms : at;
}

static json_t *
source_json(const struct control *c, const struct moment *now)
{
    const struct board *b = &c->env->board;
    const struct conf *conf = c->env->conf;
    unsigned phase = (unsigned)board_get(b, BOARD_SYNC, BOARD_SYNC_PHASE);
    int64_t beat = (int64_t)board_get(b, BOARD_SYNC, BOARD_SYNC_BEAT_MS);
    size_t uri = (size_t)board_get(b, BOARD_SYNC, BOARD_SYNC_URI);
    int ldif = conf->directory.ldif && *conf->directory.ldif;
    const char *name = conf->directory.ldif;
    int failing = phase == PHASE_ERROR || phase == PHASE_REFUSED || phase == PHASE_CONNECTING ||
                  phase == PHASE_UNREAD;
    char text[BOARD_TEXT_MAX];

    if (!ldif)
        name = uri < conf->directory.uri.n ? conf->directory.uri.v[uri] : "";
    board_text(b, BOARD_SYNC, text, sizeof text);
    return json_pack("{s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "kind",
                     ldif ? "ldif" : "ldap", "name", control_text(span_of(name)), "phase",
                     status_phase_word(phase), "since",
                     control_time((int64_t)board_get(b, BOARD_SYNC, BOARD_SYNC_SINCE_MS)),
                     "last_answer_ms", beat > 0 ? json_integer(now->mono_ms - beat) : json_null(),
                     "error", failing && *text ? control_text(span_of(text)) : json_null(),
                     "would_sweep",
                     control_number(board_get(b, BOARD_SYNC, BOARD_SYNC_WOULD_SWEEP)), "connects",
                     control_number(board_get(b, BOARD_SYNC, BOARD_SYNC_CONNECTS)), "refreshes",
                     control_number(board_get(b, BOARD_SYNC, BOARD_SYNC_REFRESHES)), "changes",
                     control_number(board_get(b, BOARD_SYNC, BOARD_SYNC_ENTRIES)), "deletes",
                     control_number(board_get(b, BOARD_SYNC, BOARD_SYNC_DELETES)), "errors",
                     control_number(board_get(b, BOARD_SYNC, BOARD_SYNC_ERRORS)));
}

static json_t *
unreadable(const char *why)
{
    return json_pack("{s:b, s:b, s:o}", "readable", 0, "complete", 0, "error",
                     control_text(span_of(why)));
}

json_t *
status_mirror_json(struct control *c, const struct moment *now)
{
    const char *why = "";
    struct mirror *m = control_mirror(c, &why);
    struct mirror_info i;
    int64_t confirmed;

    if (!m)
        return unreadable(why);
    if (mirror_info(m, &i) == -1) {
        json_t *error = unreadable(mirror_error(m));

        control_mirror_end(c);
        return error;
    }
    control_mirror_end(c);
    confirmed = status_confirmed_ms(c, &i, now);
    return json_pack("{s:b, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "readable", 1,
                     "complete", i.complete, "updated", control_time((int64_t)i.updated_ms),
                     "refreshed", control_time((int64_t)i.refreshed_ms), "age_s",
                     confirmed > 0 ? control_seconds(now->wall_ms - confirmed) : json_null(),
                     "entries", control_number(i.entries), "accounts", control_number(i.accounts),
                     "addresses", control_number(i.addresses), "domains", control_number(i.domains),
                     "bytes_used", control_number(i.bytes_used), "bytes_max",
                     control_number(i.bytes_max));
}

/* NULL when none are kept. */
static json_t *
cold_json(const struct control *c, const struct moment *now)
{
    const struct board *b = &c->env->board;
    const char *dir = c->env->conf->cold.dir;
    int64_t current = (int64_t)board_get(b, BOARD_COLD, BOARD_COLD_CURRENT_MS);
    char text[BOARD_TEXT_MAX];

    if (!*dir)
        return NULL;
    board_text(b, BOARD_COLD, text, sizeof text);
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "dir", control_text(span_of(dir)), "current",
                     control_time(current), "age_s",
                     current > 0 ? control_seconds(now->wall_ms - current) : json_null(), "rows",
                     control_number(board_get(b, BOARD_COLD, BOARD_COLD_ROWS)), "errors",
                     control_number(board_get(b, BOARD_COLD, BOARD_COLD_ERRORS)), "error",
                     *text ? control_text(span_of(text)) : json_null());
}

/* NULL when none are kept. */
static json_t *
homes_json(const struct control *c, const struct moment *now)
{
    const struct board *b = &c->env->board;
    const char *dir = c->env->conf->homes.dir;
    int64_t current = (int64_t)board_get(b, BOARD_HOMES, BOARD_HOMES_CURRENT_MS);
    char text[BOARD_TEXT_MAX];

    if (!*dir)
        return NULL;
    board_text(b, BOARD_HOMES, text, sizeof text);
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "dir", control_text(span_of(dir)), "current",
                     control_time(current), "age_s",
                     current > 0 ? control_seconds(now->wall_ms - current) : json_null(), "people",
                     control_number(board_get(b, BOARD_HOMES, BOARD_HOMES_PEOPLE)), "errors",
                     control_number(board_get(b, BOARD_HOMES, BOARD_HOMES_ERRORS)), "error",
                     *text ? control_text(span_of(text)) : json_null());
}

static json_t *
roles_json(const struct control *c, const struct moment *now)
{
    const struct board *b = &c->env->board;
    json_t *list = json_array();

    for (int i = 0; i < BOARD_ROLES; i++) {
        int64_t age;

        if (!vitals_present(b, i))
            continue;
        age = vitals_beat_age(b, i, now);
        json_array_append_new(
            list, json_pack("{s:s, s:i, s:o, s:o, s:o, s:o}", "name", vitals_role(i), "number",
                            i >= BOARD_ANSWER ? i - BOARD_ANSWER : 0, "pid",
                            control_number(board_get(b, i, BOARD_PID)), "started",
                            control_time((int64_t)board_get(b, i, BOARD_STARTED_MS)), "restarts",
                            control_number(board_get(b, BOARD_PARENT, BOARD_RESTARTS + i)),
                            "beat_age_ms", age >= 0 ? json_integer(age) : json_null()));
    }
    return list;
}

static json_t *
maps_json(const struct board *b)
{
    json_t *list = json_array();

    for (int m = 0; m < MAP_N; m++) {
        int w = BOARD_LOOKUPS + 4 * m;

        json_array_append_new(list,
                              json_pack("{s:s, s:o, s:o, s:o, s:o}", "name", map_name(m), "ok",
                                        control_number(vitals_sum(b, w + SOCKETMAP_OK)), "notfound",
                                        control_number(vitals_sum(b, w + SOCKETMAP_NOTFOUND)),
                                        "temp", control_number(vitals_sum(b, w + SOCKETMAP_TEMP)),
                                        "perm", control_number(vitals_sum(b, w + SOCKETMAP_PERM))));
    }
    return list;
}

static json_t *
verdicts_json(const struct board *b)
{
    json_t *o = json_object();

    for (int v = ROUTE_OUTSIDE; v <= ROUTE_WAIT; v++)
        json_object_set_new(o, route_verdict_word(v),
                            control_number(vitals_sum(b, BOARD_VERDICTS + v)));
    return o;
}

static json_t *
connections_json(const struct board *b)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "open",
                     control_number(vitals_sum(b, BOARD_CONNECTIONS)), "accepted",
                     control_number(vitals_sum(b, BOARD_ACCEPTED)), "closed_bad",
                     control_number(vitals_sum(b, BOARD_CLOSED_BAD)), "closed_slow",
                     control_number(vitals_sum(b, BOARD_CLOSED_SLOW)), "closed_idle",
                     control_number(vitals_sum(b, BOARD_CLOSED_IDLE)), "parked",
                     control_number(vitals_sum(b, BOARD_PARKED)), "parked_total",
                     control_number(vitals_sum(b, BOARD_PARKED_TOTAL)), "parked_refused",
                     control_number(vitals_sum(b, BOARD_PARKED_FULL)));
}

static json_t *
policy_json(const struct board *b)
{
    json_t *o =
        json_pack("{s:o}", "open", control_number(board_get(b, BOARD_POLICY, BOARD_CONNECTIONS)));

    for (int a = 0; a < POLICY_ANSWER_N; a++)
        json_object_set_new(o, policy_answer_word((enum policy_answer)a),
                            control_number(board_get(b, BOARD_POLICY, BOARD_POLICY_ANSWERS + a)));
    return o;
}

/* The newest record of the audit log; null while it is being written, or there is none. */
static json_t *
audit_json(const struct board *b)
{
    uint64_t seq = board_observe(b, BOARD_ACCESS, BOARD_ACCESS_AUDIT_SEQ), hash[4];
    char text[65];

    for (int i = 0; i < 4; i++)
        hash[i] = board_observe(b, BOARD_ACCESS, BOARD_ACCESS_AUDIT_SEQ + 1 + i);
    if (seq == 0 || seq != board_observe(b, BOARD_ACCESS, BOARD_ACCESS_AUDIT_SEQ))
        return json_null();
    snprintf(text, sizeof text, "%016" PRIx64 "%016" PRIx64 "%016" PRIx64 "%016" PRIx64, hash[0],
             hash[1], hash[2], hash[3]);
    return json_pack("{s:I, s:s}", "seq", (json_int_t)seq, "hash", text);
}

/* NULL when nobody asks: there is no socket for it. */
static json_t *
access_json(const struct control *c)
{
    const struct board *b = &c->env->board;
    json_t *questions;
    char text[BOARD_TEXT_MAX];

    if (!*c->env->conf->sockets.access)
        return NULL;
    questions = json_object();
    for (int w = 0; w < WORD_N; w++)
        json_object_set_new(
            questions, access_word((enum access_word)w),
            json_pack(
                "{s:o, s:o, s:o}", "yes",
                control_number(board_get(b, BOARD_ACCESS, ACCESS_COUNTER(w, ACCESS_YES))), "no",
                control_number(board_get(b, BOARD_ACCESS, ACCESS_COUNTER(w, ACCESS_NO))), "unsure",
                control_number(board_get(b, BOARD_ACCESS, ACCESS_COUNTER(w, ACCESS_UNSURE)))));
    board_text(b, BOARD_ACCESS, text, sizeof text);
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "audit", audit_json(b), "open",
        control_number(board_get(b, BOARD_ACCESS, BOARD_CONNECTIONS)), "sessions",
        control_number(board_get(b, BOARD_ACCESS, BOARD_ACCESS_SESSIONS)), "records",
        control_number(board_get(b, BOARD_ACCESS, BOARD_ACCESS_RECORDS)), "audit_errors",
        control_number(board_get(b, BOARD_ACCESS, BOARD_ACCESS_AUDIT_ERRORS)), "audit_error",
        *text ? control_text(span_of(text)) : json_null(), "questions", questions);
}

/* What the mirror's walks need: where to put the rows, and how many yet. */
struct walk {
    struct mirror *m;
    json_t *list;
};

static int
on_digest(void *ctx, struct span domain, const struct digest *d)
{
    struct walk *w = ctx;
    char hex[2 * DIGEST_LEN + 1];

    digest_hex(d, hex);
    json_array_append_new(w->list, json_pack("{s:o, s:s, s:o}", "name", control_text(domain),
                                             "digest", hex, "entries", control_number(d->count)));
    return json_array_size(w->list) >= STATUS_DOMAINS;
}

static int
on_dup(void *ctx, struct span address, unsigned claims)
{
    struct walk *w = ctx;

    json_array_append_new(w->list, duplicate_json(w->m, address, claims, STATUS_LIST));
    return json_array_size(w->list) >= STATUS_LIST;
}

static int
on_bad(void *ctx, const unsigned char uuid[UUID_LEN], struct span why)
{
    struct walk *w = ctx;

    json_array_append_new(
        w->list, json_pack("{s:o, s:o}", "dn", control_dn(w->m, uuid), "why", control_text(why)));
    return json_array_size(w->list) >= STATUS_LIST;
}

static int
on_lost(void *ctx, struct span site, uint64_t entries)
{
    struct walk *w = ctx;

    json_array_append_new(w->list, json_pack("{s:o, s:o}", "site", control_text(site), "entries",
                                             control_number(entries)));
    return json_array_size(w->list) >= STATUS_LIST;
}

static json_t *
lost_sites(struct mirror *m)
{
    struct walk w = {m, json_array()};
    struct site_table *sites = malloc(sizeof *sites);

    if (sites && mirror_sites(m, sites) == 0)
        mirror_each_lost_site(m, sites, on_lost, &w);
    free(sites);
    return w.list;
}

static json_t *
counted(uint64_t count, json_t *list)
{
    return json_pack("{s:o, s:o}", "count", control_number(count), "list", list);
}

/* What is read out of the mirror row by row: per domain, and what makes no sense. */
static void
add_contents(struct control *c, json_t *out)
{
    const char *why;
    struct mirror *m = control_mirror(c, &why);
    struct walk domains = {m, json_array()}, dups = {m, json_array()}, bad = {m, json_array()};
    json_t *lost = NULL, *moving = NULL;
    struct mirror_info i = {0};

    if (m && mirror_info(m, &i) != -1) {
        mirror_each_digest(m, on_digest, &domains);
        mirror_each_dup(m, on_dup, &dups);
        mirror_each_bad(m, on_bad, &bad);
        lost = lost_sites(m);
        moving = moving_json(m, STATUS_LIST);
    }
    if (m)
        control_mirror_end(c);
    json_object_set_new(out, "domains", domains.list);
    json_object_set_new(out, "duplicates", counted(i.dups, dups.list));
    json_object_set_new(out, "bad", counted(i.bad, bad.list));
    json_object_set_new(out, "lost_sites", lost ? lost : json_array());
    json_object_set_new(out, "moving", moving ? moving : counted(0, json_array()));
}

json_t *
status_json(struct control *c, const struct moment *now)
{
    const struct board *b = &c->env->board;
    json_t *out =
        json_pack("{s:b, s:s, s:o, s:o}", "ok", 1, "version", PACKAGE_VERSION, "site",
                  control_text(span_of(c->env->conf->site)), "time", control_time(now->wall_ms));
    json_t *cold, *homes, *access, *hook, *held, *flow, *queue;

    if (!out)
        return NULL;
    json_object_set_new(out, "source", source_json(c, now));
    json_object_set_new(out, "proof", status_proof_json(c, now));
    if (c->compare)
        json_object_set_new(out, "compare", compare_json(c->compare));
    json_object_set_new(out, "mirror", status_mirror_json(c, now));
    cold = cold_json(c, now);
    if (cold)
        json_object_set_new(out, "cold", cold);
    homes = homes_json(c, now);
    if (homes)
        json_object_set_new(out, "homes", homes);
    access = access_json(c);
    if (access)
        json_object_set_new(out, "access", access);
    held = status_held_json(c, now);
    if (held)
        json_object_set_new(out, "held", held);
    hook = status_hook_json(c, now);
    if (hook)
        json_object_set_new(out, "hook", hook);
    flow = status_flow_json(c, now);
    if (flow)
        json_object_set_new(out, "flow", flow);
    queue = status_queue_json(c, now);
    if (queue)
        json_object_set_new(out, "queue", queue);
    json_object_set_new(out, "roles", roles_json(c, now));
    json_object_set_new(out, "maps", maps_json(b));
    json_object_set_new(out, "verdicts", verdicts_json(b));
    json_object_set_new(out, "connections", connections_json(b));
    json_object_set_new(out, "policy", policy_json(b));
    json_object_set_new(out, "rates",
                        json_pack("{s:f, s:f}", "lookups_10s", rates_per_s(&c->rates, 10),
                                  "lookups_60s", rates_per_s(&c->rates, RATES_WINDOW_S)));
    add_contents(c, out);
    return out;
}
