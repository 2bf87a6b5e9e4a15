/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * metrics: the counters of the board and the mirror's figures in Prometheus' text
 * format 0.0.4, each with HELP and TYPE.
 *
 * Promises: the label sets are fixed by the code (map, status, verdict, reason,
 * role, phase), so the number of series never depends on mail, addresses or the
 * directory's content. Must not put anything a stranger can choose in a label.
 */
#include <event2/buffer.h>

#include "access_decide.h"
#include "access_figures.h"
#include "config.h"
#include "control_compare.h"
#include "held_ask.h"
#include "held_record.h"
#include "http.h"
#include "metrics_private.h"
#include "policy_role.h"
#include "status.h"
#include "trouble.h"

void
metrics_head(struct evbuffer *out, const char *name, const char *type, const char *help)
{
    evbuffer_add_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void
metrics_single(struct evbuffer *out, const char *name, const char *type, const char *help, double v)
{
    metrics_head(out, name, type, help);
    evbuffer_add_printf(out, "%s %.15g\n", name, v);
}

static void
lookups(const struct board *b, struct evbuffer *out)
{
    static const char *const status[] = {"ok", "notfound", "temp", "perm"};

    metrics_head(out, "postroad_lookups_total", "counter",
                 "Lookups answered, by map and kind of answer.");
    for (int m = 0; m < MAP_N; m++)
        for (int s = 0; s < 4; s++)
            evbuffer_add_printf(out, "postroad_lookups_total{map=\"%s\",status=\"%s\"} %llu\n",
                                map_name(m), status[s],
                                (unsigned long long)vitals_sum(b, BOARD_LOOKUPS + 4 * m + s));
    metrics_head(out, "postroad_verdicts_total", "counter",
                 "Route decisions, by verdict (see postroad-maps(7)).");
    for (int v = ROUTE_OUTSIDE; v <= ROUTE_WAIT; v++)
        evbuffer_add_printf(out, "postroad_verdicts_total{verdict=\"%s\"} %llu\n",
                            route_verdict_word(v),
                            (unsigned long long)vitals_sum(b, BOARD_VERDICTS + v));
}

static void
connections(const struct board *b, struct evbuffer *out)
{
    static const struct {
        const char *reason;
        int word;
    } closed[] = {
        {"bad", BOARD_CLOSED_BAD}, {"slow", BOARD_CLOSED_SLOW}, {"idle", BOARD_CLOSED_IDLE}};

    metrics_single(out, "postroad_connections", "gauge", "Connections open to the map socket.",
                   (double)vitals_sum(b, BOARD_CONNECTIONS));
    metrics_single(out, "postroad_connections_accepted_total", "counter",
                   "Connections accepted on the map socket.",
                   (double)vitals_sum(b, BOARD_ACCEPTED));
    metrics_single(out, "postroad_parked", "gauge", "Lookups that wait for a proof now.",
                   (double)vitals_sum(b, BOARD_PARKED));
    metrics_single(out, "postroad_parked_total", "counter", "Lookups that waited for a proof.",
                   (double)vitals_sum(b, BOARD_PARKED_TOTAL));
    metrics_single(out, "postroad_parked_refused_total", "counter",
                   "Lookups that were not let wait, because too many did.",
                   (double)vitals_sum(b, BOARD_PARKED_FULL));
    metrics_head(out, "postroad_connections_closed_total", "counter",
                 "Connections we closed: protocol error, client that does not read, idle.");
    for (size_t i = 0; i < sizeof closed / sizeof *closed; i++)
        evbuffer_add_printf(out, "postroad_connections_closed_total{reason=\"%s\"} %llu\n",
                            closed[i].reason, (unsigned long long)vitals_sum(b, closed[i].word));
}

static void
policy(const struct board *b, struct evbuffer *out)
{
    metrics_head(out, "postroad_policy_requests_total", "counter",
                 "Policy requests answered, by kind of answer.");
    for (int a = 0; a < POLICY_ANSWER_N; a++)
        evbuffer_add_printf(
            out, "postroad_policy_requests_total{answer=\"%s\"} %llu\n",
            policy_answer_word((enum policy_answer)a),
            (unsigned long long)board_get(b, BOARD_POLICY, BOARD_POLICY_ANSWERS + a));
    metrics_single(out, "postroad_policy_connections", "gauge",
                   "Connections open to the policy socket.",
                   (double)board_get(b, BOARD_POLICY, BOARD_CONNECTIONS));
}

static const struct source_row {
    const char *name, *type, *help;
    int word;
} source_rows[] = {
    {"postroad_source_connects_total", "counter", "Connections made to the directory.",
     BOARD_SYNC_CONNECTS},
    {"postroad_source_refreshes_total", "counter", "Loads or refreshes that were completed.",
     BOARD_SYNC_REFRESHES},
    {"postroad_source_errors_total", "counter", "Failed connections, refreshes and loads.",
     BOARD_SYNC_ERRORS},
    {"postroad_source_changes_total", "counter", "Entries added or changed.", BOARD_SYNC_ENTRIES},
    {"postroad_source_deletes_total", "counter", "Entries removed.", BOARD_SYNC_DELETES},
    {"postroad_source_sweeps_refused_total", "counter",
     "Refreshes that would have removed too much and were held back.", BOARD_SYNC_SWEEPS_REFUSED},
    {"postroad_source_stalls_total", "counter",
     "Searches begun anew because a change the directory knew of did not come.", BOARD_SYNC_STALLS},
    {"postroad_source_would_sweep", "gauge",
     "Entries the refused sweep would remove; 0 when none is waiting for a decision.",
     BOARD_SYNC_WOULD_SWEEP},
};

static void
source(const struct board *b, const struct moment *now, struct evbuffer *out)
{
    unsigned phase = (unsigned)board_get(b, BOARD_SYNC, BOARD_SYNC_PHASE);
    int64_t beat = (int64_t)board_get(b, BOARD_SYNC, BOARD_SYNC_BEAT_MS);

    metrics_head(out, "postroad_source_phase", "gauge",
                 "1 for the phase the directory source is in.");
    for (unsigned p = PHASE_NONE; p <= PHASE_UNREAD; p++)
        evbuffer_add_printf(out, "postroad_source_phase{phase=\"%s\"} %d\n", status_phase_word(p),
                            p == phase);
    for (size_t i = 0; i < sizeof source_rows / sizeof *source_rows; i++)
        metrics_single(out, source_rows[i].name, source_rows[i].type, source_rows[i].help,
                       (double)board_get(b, BOARD_SYNC, source_rows[i].word));
    if (beat > 0)
        metrics_single(out, "postroad_source_last_answer_age_seconds", "gauge",
                       "Time since the directory's last answer.",
                       (double)(now->mono_ms - beat) / 1000.0);
}

/* One series for each provider: as many as the configuration names. */
static void
per_provider(const struct conf_list *uris, struct evbuffer *out, const char *name, size_t i,
             double v)
{
    evbuffer_add_printf(out, "%s{provider=\"", name);
    for (const char *p = uris->v[i]; *p; p++)
        evbuffer_add_printf(out, *p == '"' || *p == '\\' || *p == '\n' ? "%%%02X" : "%c", *p);
    evbuffer_add_printf(out, "\"} %.15g\n", v);
}

static void
proof(const struct control *c, const struct moment *now, struct evbuffer *out)
{
    const struct conf_list *uris = conf_providers(c->env->conf);
    const struct board *b = &c->env->board;
    int64_t ms = status_proof_ms(b);
    struct status_provider p;

    if (uris->n == 0)
        return;
    if (ms > 0)
        metrics_single(
            out, "postroad_proof_age_seconds", "gauge",
            "Time since the moment for which the mirror is proven to hold all that any provider "
            "knew.",
            (double)(now->mono_ms - ms) / 1000.0);
    metrics_single(
        out, "postroad_differing_entries", "gauge",
        "Addresses met that a provider has otherwise than the mirror, though contextCSN is equal.",
        (double)board_get(b, BOARD_SYNC, BOARD_SYNC_DIFFERS));
    metrics_single(out, "postroad_verified_addresses_total", "counter",
                   "Addresses that providers were asked for before they counted as unknown.",
                   (double)board_get(b, BOARD_SYNC, BOARD_SYNC_SEARCHED));
    metrics_head(out, "postroad_provider_up", "gauge",
                 "1 unless the provider is known not to answer.");
    for (size_t i = 0; i < uris->n; i++) {
        status_provider(b, i, &p);
        per_provider(uris, out, "postroad_provider_up", i, p.down_ms == 0);
    }
    metrics_head(
        out, "postroad_provider_ahead_seconds", "gauge",
        "For how long the provider has known something the mirror does not hold; 0: it has not.");
    for (size_t i = 0; i < uris->n; i++) {
        status_provider(b, i, &p);
        per_provider(uris, out, "postroad_provider_ahead_seconds", i,
                     p.behind_ms > 0 ? (double)(now->mono_ms - p.behind_ms) / 1000.0 : 0);
    }
}

static void
compared(const struct compare *cmp, struct evbuffer *out)
{
    struct compare_figures f;

    if (!cmp)
        return;
    metrics_head(out, "postroad_compare_differing_domains", "gauge",
                 "Domains with other content than at the other site, though both are current.");
    for (size_t i = 0; compare_figures(cmp, i, &f); i++)
        evbuffer_add_printf(out, "postroad_compare_differing_domains{site=\"%s\"} %u\n", f.site,
                            f.differ);
    metrics_head(out, "postroad_compare_timestamp_seconds", "gauge",
                 "When it was last known whether the other site has the same content; 0: never.");
    for (size_t i = 0; compare_figures(cmp, i, &f); i++)
        evbuffer_add_printf(out, "postroad_compare_timestamp_seconds{site=\"%s\"} %.3f\n", f.site,
                            (double)f.looked_ms / 1000.0);
}

static void
homes(const struct board *b, struct evbuffer *out)
{
    metrics_single(out, "postroad_homes_current_timestamp_seconds", "gauge",
                   "When Dovecot's files of home sites last held what the mirror holds.",
                   (double)board_get(b, BOARD_HOMES, BOARD_HOMES_CURRENT_MS) / 1000.0);
    metrics_single(out, "postroad_homes_people", "gauge", "Who live at another site.",
                   (double)board_get(b, BOARD_HOMES, BOARD_HOMES_PEOPLE));
    metrics_single(out, "postroad_homes_errors_total", "counter",
                   "Failures to bring the files of home sites up to date.",
                   (double)board_get(b, BOARD_HOMES, BOARD_HOMES_ERRORS));
}

static void
held(const struct board *b, struct evbuffer *out)
{
    metrics_head(out, "postroad_held_messages", "gauge",
                 "Held messages that are remembered, by state.");
    for (int s = 0; s <= HELD_FAILED; s++)
        evbuffer_add_printf(out, "postroad_held_messages{state=\"%s\"} %llu\n",
                            held_state_word((enum held_state)s),
                            (unsigned long long)board_get(b, BOARD_HELD, BOARD_HELD_STATES + s));
    metrics_single(out, "postroad_held_oldest_timestamp_seconds", "gauge",
                   "When the oldest message that waits for a verdict came; 0: none waits.",
                   (double)board_get(b, BOARD_HELD, BOARD_HELD_OLDEST_MS) / 1000.0);
    metrics_single(out, "postroad_held_directory_up", "gauge",
                   "0 while verdicts can't be heard from the directory.",
                   board_get(b, BOARD_HELD, BOARD_HELD_DIRECTORY) > 0);
    metrics_single(out, "postroad_held_rivals", "gauge",
                   "Entries of held mail of this site that another policyd keeps.",
                   (double)board_get(b, BOARD_HELD, BOARD_HELD_RIVALS));
    metrics_single(out, "postroad_held_round_timestamp_seconds", "gauge",
                   "When all that was due about held messages was looked at last.",
                   (double)board_get(b, BOARD_HELD, BOARD_HELD_ROUND_MS) / 1000.0);
    metrics_single(out, "postroad_held_errors_total", "counter",
                   "Records of held messages that could not be read or written.",
                   (double)board_get(b, BOARD_HELD, BOARD_HELD_ERRORS));
    metrics_single(out, "postroad_held_notices_lost_total", "counter",
                   "Notices to senders that the mail server did not take.",
                   (double)board_get(b, BOARD_HELD, BOARD_HELD_NOTICES_LOST));
    metrics_single(out, "postroad_held_verdicts_refused_total", "counter",
                   "Verdicts in the directory by somebody without a right to them.",
                   (double)board_get(b, BOARD_HELD, BOARD_HELD_REFUSED));
}

static void
cold(const struct board *b, struct evbuffer *out)
{
    metrics_single(out, "postroad_cold_current_timestamp_seconds", "gauge",
                   "When the cold tables last held what the mirror holds.",
                   (double)board_get(b, BOARD_COLD, BOARD_COLD_CURRENT_MS) / 1000.0);
    metrics_single(out, "postroad_cold_rows", "gauge", "Rows in all cold tables.",
                   (double)board_get(b, BOARD_COLD, BOARD_COLD_ROWS));
    metrics_single(out, "postroad_cold_written_total", "counter",
                   "Rows of the cold tables that were changed.",
                   (double)board_get(b, BOARD_COLD, BOARD_COLD_WRITTEN));
    metrics_single(out, "postroad_cold_errors_total", "counter",
                   "Failures to bring the cold tables up to date.",
                   (double)board_get(b, BOARD_COLD, BOARD_COLD_ERRORS));
}

static void
hook_targets(const struct conf *conf, const struct board *b, struct evbuffer *out)
{
    static const char *const outcome[] = {"taken", "refused", "failed"};

    metrics_head(out, "postroad_hook_tries_total", "counter",
                 "Events sent to a target, by outcome.");
    for (size_t i = 0; i < conf->hook.targets.n; i++)
        for (int o = 0; o < 3; o++)
            evbuffer_add_printf(
                out, "postroad_hook_tries_total{target=\"%.*s\",outcome=\"%s\"} %llu\n",
                (int)strcspn(conf->hook.targets.v[i], "="), conf->hook.targets.v[i], outcome[o],
                (unsigned long long)board_get(b, BOARD_HOOK,
                                              BOARD_HOOK_TARGETS + BOARD_HOOK_WORDS * (int)i + o));
}

static void
hook(const struct conf *conf, const struct board *b, struct evbuffer *out)
{
    metrics_single(out, "postroad_hook_queued", "gauge", "New-mail events that wait.",
                   (double)board_get(b, BOARD_HOOK, BOARD_HOOK_QUEUED));
    metrics_single(out, "postroad_hook_oldest_timestamp_seconds", "gauge",
                   "When the oldest of them was stored; 0: none waits.",
                   (double)board_get(b, BOARD_HOOK, BOARD_HOOK_OLDEST_MS) / 1000.0);
    metrics_single(out, "postroad_hook_stored_total", "counter",
                   "New-mail events that were acknowledged.",
                   (double)board_get(b, BOARD_HOOK, BOARD_HOOK_STORED));
    metrics_single(out, "postroad_hook_dropped_total", "counter",
                   "New-mail events given up, because the queue was full or they were too old.",
                   (double)(board_get(b, BOARD_HOOK, BOARD_HOOK_DROPPED_FULL) +
                            board_get(b, BOARD_HOOK, BOARD_HOOK_DROPPED_AGED)));
    metrics_single(out, "postroad_hook_store_errors_total", "counter",
                   "Failures to store events; they were not acknowledged.",
                   (double)board_get(b, BOARD_HOOK, BOARD_HOOK_STORE_ERRORS));
    hook_targets(conf, b, out);
}

/* Time per question as a histogram; counters are words of the board, each bucket by itself. */
static void
access_times(const struct board *b, struct evbuffer *out)
{
    unsigned long long n = 0;

    metrics_head(out, "postroad_access_seconds", "histogram",
                 "Time from a question to its answer.");
    for (int i = 0; i < ACCESS_TIMES; i++) {
        n += board_get(b, BOARD_ACCESS, BOARD_ACCESS_TIMES + i);
        if (i < ACCESS_TIMES - 1)
            evbuffer_add_printf(out, "postroad_access_seconds_bucket{le=\"%g\"} %llu\n",
                                access_times_us[i] / 1e6, n);
    }
    evbuffer_add_printf(out,
                        "postroad_access_seconds_bucket{le=\"+Inf\"} %llu\n"
                        "postroad_access_seconds_sum %.6f\npostroad_access_seconds_count %llu\n",
                        n, (double)board_get(b, BOARD_ACCESS, BOARD_ACCESS_TIME_US) / 1e6, n);
}

static void
access_metrics(const struct board *b, struct evbuffer *out)
{
    metrics_head(out, "postroad_access_questions_total", "counter",
                 "Questions of Dovecot, by word and answer (see postroad-access(5)).");
    for (int w = 0; w < WORD_N; w++)
        for (int v = ACCESS_UNSURE; v <= ACCESS_YES; v++)
            evbuffer_add_printf(
                out, "postroad_access_questions_total{word=\"%s\",answer=\"%s\"} %llu\n",
                access_word((enum access_word)w), access_verdict_word((enum access_verdict)v),
                (unsigned long long)board_get(b, BOARD_ACCESS, ACCESS_COUNTER(w, v)));
    access_times(b, out);
    metrics_single(out, "postroad_access_sessions", "gauge",
                   "Mailboxes that administrators have open who are not their owners.",
                   (double)board_get(b, BOARD_ACCESS, BOARD_ACCESS_SESSIONS));
    metrics_single(out, "postroad_access_connections", "gauge",
                   "Connections open to the access socket.",
                   (double)board_get(b, BOARD_ACCESS, BOARD_CONNECTIONS));
    metrics_single(out, "postroad_audit_records_total", "counter",
                   "Records written to the audit log.",
                   (double)board_get(b, BOARD_ACCESS, BOARD_ACCESS_RECORDS));
    metrics_single(out, "postroad_audit_errors_total", "counter",
                   "Failures to write to the audit log; administrators are kept out meanwhile.",
                   (double)board_get(b, BOARD_ACCESS, BOARD_ACCESS_AUDIT_ERRORS));
}

static void
roles(const struct board *b, const struct moment *now, struct evbuffer *out)
{
    /* answer last: its page stands for all workers */
    static const int shown[] = {BOARD_PARENT, BOARD_SYNC,   BOARD_CONTROL,
                                BOARD_POLICY, BOARD_ACCESS, BOARD_ANSWER};
    uint64_t n;

    metrics_head(out, "postroad_role_up", "gauge",
                 "Processes of the role that give a sign of life.");
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        int64_t age = vitals_beat_age(b, shown[i], now);

        n = shown[i] == BOARD_ANSWER ? (uint64_t)vitals_answering(b, now)
                                     : age >= 0 && age < VITALS_SILENCE_MS;
        evbuffer_add_printf(out, "postroad_role_up{role=\"%s\"} %llu\n", vitals_role(shown[i]),
                            (unsigned long long)n);
    }
    metrics_head(out, "postroad_role_restarts_total", "counter",
                 "Restarts of the role's processes.");
    for (size_t i = 1; i < sizeof shown / sizeof *shown; i++) {
        n = board_get(b, BOARD_PARENT, BOARD_RESTARTS + shown[i]);
        for (int w = BOARD_ANSWER + 1; shown[i] == BOARD_ANSWER && w < BOARD_ROLES; w++)
            n += board_get(b, BOARD_PARENT, BOARD_RESTARTS + w);
        evbuffer_add_printf(out, "postroad_role_restarts_total{role=\"%s\"} %llu\n",
                            vitals_role(shown[i]), (unsigned long long)n);
    }
}

static void
mirror_figures(struct control *c, const struct mirror_info *i, double moving,
               const struct moment *now, struct evbuffer *out)
{
    int64_t confirmed = status_confirmed_ms(c, i, now);

    metrics_single(out, "postroad_mirror_complete", "gauge", "1 when the mirror was filled once.",
                   i->complete);
    if (confirmed > 0)
        metrics_single(out, "postroad_mirror_age_seconds", "gauge",
                       "Time since the mirror was known to hold what the directory holds.",
                       (double)(now->wall_ms - confirmed) / 1000.0);
    metrics_single(out, "postroad_mirror_updated_timestamp_seconds", "gauge",
                   "When the mirror changed last.", (double)i->updated_ms / 1000.0);
    metrics_single(out, "postroad_mirror_refreshed_timestamp_seconds", "gauge",
                   "When the last load or refresh was completed.",
                   (double)i->refreshed_ms / 1000.0);
    metrics_single(out, "postroad_mirror_entries", "gauge", "Entries in the mirror.",
                   (double)i->entries);
    metrics_single(out, "postroad_mirror_accounts", "gauge", "Accounts in the mirror.",
                   (double)i->accounts);
    metrics_single(out, "postroad_mirror_addresses", "gauge", "Addresses in the mirror.",
                   (double)i->addresses);
    metrics_single(out, "postroad_mirror_domains", "gauge", "Domain names in the mirror.",
                   (double)i->domains);
    metrics_single(out, "postroad_mirror_duplicate_addresses", "gauge",
                   "Addresses that more than one entry claims.", (double)i->dups);
    metrics_single(out, "postroad_mirror_moving_accounts", "gauge",
                   "Accounts whose mailbox is on its way to another site; their mail waits.",
                   moving);
    metrics_single(out, "postroad_mirror_bad_entries", "gauge",
                   "Entries that make no sense in part.", (double)i->bad);
    metrics_single(out, "postroad_mirror_bytes_used", "gauge", "Bytes of the store in use.",
                   (double)i->bytes_used);
    metrics_single(out, "postroad_mirror_bytes_max", "gauge", "Bytes the store may grow to.",
                   (double)i->bytes_max);
}

void
metrics_write(struct control *c, const struct moment *now, struct evbuffer *out)
{
    const struct board *b = &c->env->board;
    const char *why = "";
    struct mirror *m = control_mirror(c, &why);
    struct mirror_info info = {0};
    int readable = m && mirror_info(m, &info) != -1;
    double moving = readable ? (double)moving_count(m) : 0;

    if (m)
        control_mirror_end(c);
    metrics_head(out, "postroad_info", "gauge", "Version of the program; always 1.");
    evbuffer_add_printf(out, "postroad_info{version=\"%s\"} 1\n", PACKAGE_VERSION);
    lookups(b, out);
    connections(b, out);
    policy(b, out);
    source(b, now, out);
    proof(c, now, out);
    compared(c->compare, out);
    if (*c->env->conf->cold.dir)
        cold(b, out);
    if (*c->env->conf->homes.dir)
        homes(b, out);
    if (c->env->conf->hook.targets.n > 0)
        hook(c->env->conf, b, out);
    if (held_ask_works(c->held))
        held(b, out);
    if (*c->env->conf->sockets.access)
        access_metrics(b, out);
    metrics_mail(c, now, out);
    roles(b, now, out);
    metrics_single(out, "postroad_mirror_readable", "gauge", "1 when the mirror can be read.",
                   readable);
    if (readable)
        mirror_figures(c, &info, moving, now, out);
}
