/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * access_words: from one request of postroad-access(5) to its answer.
 *
 * Promises: one answer for each request, in order; nobody is let into another's mailbox
 * before that is in the audit log; what can't be told is "unsure". A request that makes
 * no sense ends the connection. Must not decide by itself who may what, or wait for
 * anything but the audit log's disk.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "access_request.h"
#include "access_share.h"
#include "vitals.h"

static int64_t
now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* --- what the words share --- */

static int64_t
mirror_age(struct access *a, struct mirror *m)
{
    struct moment now = {.mono_ms = (int64_t)board_now_ms(), .wall_ms = clock_wall_ms()};

    return vitals_mirror_age(a->board, m, &now, &a->confirmed_ms);
}

/* The mirror, until mirror_done; NULL: it can't be read, and nothing is to be done. */
static struct mirror *
mirror_for(struct access *a)
{
    const char *why;

    return maps_read(a->maps, &why);
}

static void
mirror_done(struct access *a)
{
    maps_end(a->maps);
}

void
access_ask(struct access *a, const struct access_question *q, struct access_answer *answer)
{
    struct mirror *m = mirror_for(a);

    if (!m) {
        access_unsure(q, "the mirror can't be read", answer);
        return;
    }
    access_decide(a->env->conf, m, mirror_age(a, m), q, a->work, answer);
    mirror_done(a);
}

/* --- opening a mailbox --- */

static void
log_decision(struct request *r, const struct access_answer *answer)
{
    struct access *a = r->access;
    struct span service = request_field(r, "service"), remote = request_field(r, "remote");
    unsigned skipped = 0;

    if (answer->verdict == ACCESS_YES && answer->own)
        return;
    if (answer->verdict != ACCESS_YES && !log_limit(&a->refused_limit, 50, 60, &skipped))
        return;
    log_info("access %s actor=%s target=%s service=%.*s remote=%.*s mode=%s rule=%d why=\"%s\" "
             "unlogged=%u",
             access_verdict_word(answer->verdict), answer->actor, answer->target,
             (int)(service.n < 32 ? service.n : 32), service.p,
             (int)(remote.n < 64 ? remote.n : 64), remote.p, access_mode_word(answer->mode),
             answer->rule, answer->why, skipped);
}

static int
record_decision(struct request *r, const char *action, const struct access_answer *answer,
                const struct opening *opening)
{
    char detail[64];
    struct audit_record record = {.action = action,
                                  .actor = span_of(answer->actor),
                                  .target = span_of(answer->target),
                                  .service = request_field(r, "service"),
                                  .remote = request_field(r, "remote"),
                                  .session = request_field(r, "session"),
                                  .why = span_of(answer->why),
                                  .reason = span_of(opening->reason),
                                  .rule = answer->rule};

    snprintf(detail, sizeof detail, "%s%s%s", access_mode_word(answer->mode),
             *opening->id ? " opening=" : "", opening->id);
    if (answer->verdict == ACCESS_YES)
        record.detail = span_of(detail);
    return access_log_add(r->access, &record);
}

static void
say_answer(struct request *r, const struct access_answer *answer)
{
    char withheld[256];

    if (answer->verdict == ACCESS_NO) {
        request_no(r, answer->rule, answer->why, answer->text);
        return;
    }
    if (answer->verdict == ACCESS_UNSURE) {
        request_unsure(r, answer->why);
        return;
    }
    access_withheld_words(answer->withheld, withheld, sizeof withheld);
    r->verdict = ACCESS_YES;
    request_say(r, "yes");
    request_text(r, "mode", access_mode_word(answer->mode));
    request_text(r, "withheld", withheld);
    request_number(r, "rule", answer->rule);
    request_text(r, "why", answer->why);
    request_text(r, "actor", answer->actor);
    request_text(r, "target", answer->target);
    request_text(r, "quota", answer->quota);
}

/* 0, or -1: the request makes no sense. */
static int
take_question(struct request *r, struct access_question *q)
{
    struct span master = request_field(r, "master");

    *q = (struct access_question){request_needed(r, "actor"), request_needed(r, "target"),
                                  request_needed(r, "service")};
    if (master.n > 0 && !span_same(master, span_of("yes")) && !span_same(master, span_of("no")))
        r->bad = "master is neither yes nor no";
    return r->bad ? -1 : 0;
}

static void
word_session(struct request *r)
{
    struct access_question q;
    struct access_answer answer;
    struct opening opening;

    if (r->conn->session)
        r->bad = "a session was begun already";
    if (take_question(r, &q) < 0)
        return;
    access_ask(r->access, &q, &answer);
    access_opening_apply(r->access, &answer, &opening);
    log_decision(r, &answer);
    if (answer.verdict == ACCESS_NO)
        record_decision(r, "refused", &answer, &opening);
    if (answer.verdict == ACCESS_YES && !answer.own &&
        record_decision(r, "open", &answer, &opening) < 0) {
        request_unsure(r, "the audit log can't be written");
        return;
    }
    if (answer.verdict == ACCESS_YES) {
        r->conn->session = access_session_new(r->access, &answer, r->line, opening.reason);
        if (!r->conn->session) {
            request_unsure(r, "out of memory");
            return;
        }
    }
    say_answer(r, &answer);
}

/* Whether its mailbox is at another site, which the login is handed on to. */
static int
is_elsewhere(struct access *a, const char *address)
{
    static char out[SOCKETMAP_REPLY_MAX];
    struct map_trace trace = {0};
    size_t n;

    return maps_lookup(a->maps, MAP_TRANSPORT, span_of(address), out, sizeof out, &n, &trace) ==
               SOCKETMAP_OK &&
           trace.route.verdict == ROUTE_HANDOFF;
}

/* The same before there is a session: at the login. Openings are known where the mailbox is. */
static void
word_allow(struct request *r)
{
    struct access_question q;
    struct access_answer answer;
    struct opening opening;

    if (!access_conn_is_policyd(r->conn))
        r->bad = "only policyd itself asks that";
    if (take_question(r, &q) < 0)
        return;
    access_ask(r->access, &q, &answer);
    memset(&opening, 0, sizeof opening);
    if (answer.verdict == ACCESS_YES && !answer.own && !is_elsewhere(r->access, answer.target))
        access_opening_apply(r->access, &answer, &opening);
    log_decision(r, &answer);
    if (answer.verdict == ACCESS_NO)
        record_decision(r, "refused", &answer, &opening);
    say_answer(r, &answer);
}

/* The names of who logged in in their one form, so that owners find them in the audit log. */
static void
take_names(struct request *r, struct audit_record *record, struct access_answer *answer)
{
    struct access_question q = {record->actor, record->target, record->service};

    access_ask(r->access, &q, answer);
    record->actor = span_of(answer->actor);
    record->target = span_of(answer->target);
}

static void
word_report(struct request *r)
{
    struct span master = request_field(r, "master"), login = request_needed(r, "login");
    struct access_answer answer;
    struct span success = request_needed(r, "success");
    int good = span_same(success, span_of("yes"));
    struct audit_record record = {.action = good ? "login" : "login-failed",
                                  .actor = master.n > 0 ? master : login,
                                  .target = login,
                                  .service = request_field(r, "protocol"),
                                  .remote = request_field(r, "remote"),
                                  .session = request_field(r, "session")};

    if (!access_conn_is_policyd(r->conn))
        r->bad = "only policyd itself asks that";
    if (r->bad)
        return;
    if (span_same(request_field(r, "refused"), span_of("yes")))
        record.detail = span_of("refused by us");
    if (good)
        take_names(r, &record, &answer);
    if (access_log_login(r->access, &record, good, master.n == 0) < 0)
        request_unsure(r, "the audit log can't be written");
    else
        request_ok(r);
}

/* --- while it is open --- */

static void
word_record(struct request *r)
{
    static const char actions[] = " read flags append copy move expunge create delete rename "
                                  "subscribe setacl quota ";
    const struct access_session *s = r->conn->session;
    struct span action = request_needed(r, "action");
    char word[16], blanks[20];
    struct audit_record record;

    if (!s)
        r->bad = "there is no session";
    snprintf(word, sizeof word, "%.*s", (int)(action.n < 15 ? action.n : 15), action.p);
    snprintf(blanks, sizeof blanks, " %s ", word);
    if (action.n > 15 || !strstr(actions, blanks))
        r->bad = "no such action";
    if (r->bad)
        return;
    record = (struct audit_record){.action = word,
                                   .actor = span_of(s->actor),
                                   .target = span_of(s->target),
                                   .service = span_of(s->service),
                                   .remote = span_of(s->remote),
                                   .session = span_of(s->id),
                                   .mailbox = request_field(r, "mailbox"),
                                   .uid = request_field(r, "uid"),
                                   .detail = request_field(r, "detail"),
                                   .why = span_of(s->why),
                                   .reason = span_of(s->reason),
                                   .rule = s->rule};
    if (access_log_add(r->access, &record) < 0)
        request_unsure(r, "the audit log can't be written");
    else
        request_ok(r);
}

static void
word_share(struct request *r)
{
    const struct access_session *s = r->conn->session;
    struct span identifier = request_needed(r, "identifier");
    struct access_shared shared;
    struct mirror *m;

    if (!s)
        r->bad = "there is no session";
    if (r->bad)
        return;
    m = mirror_for(r->access);
    if (!m) {
        request_unsure(r, "the mirror can't be read");
        return;
    }
    access_share(r->access->env->conf, m, mirror_age(r->access, m), span_of(s->actor),
                 span_of(s->target), identifier, r->access->work, &shared);
    mirror_done(r->access);
    if (shared.verdict == ACCESS_UNSURE)
        request_unsure(r, shared.why);
    else if (shared.verdict == ACCESS_NO)
        request_no(r, shared.rule, shared.why, shared.text);
    else {
        r->verdict = ACCESS_YES;
        request_say(r, "yes");
    }
}

static void
word_quota(struct request *r)
{
    const struct access_session *s = r->conn->session;
    struct rights_question q = {.action = span_of("quota")};
    struct access *a = r->access;
    struct span bytes = request_needed(r, "bytes");
    const char *why = "";
    struct mirror *m;
    uint64_t n = 0;
    int asked = -1, large;

    if (!s)
        r->bad = "there is no session";
    large = r->bad ? 0 : access_quota_parse(bytes, &n);
    if (large < 0)
        r->bad = "bytes is no number";
    if (r->bad)
        return;
    if (large) {
        request_no(r, 0, "too large", "That is more than any mailbox can hold");
        return;
    }
    q.actor = span_of(s->actor);
    q.target = span_of(s->target);
    m = mirror_for(a);
    if (!m) {
        request_unsure(r, "the mirror can't be read");
        return;
    }
    rights_ask(a->env->conf, m, mirror_age(a, m), &q, a->work);
    if (a->work->rights.verdict == RIGHTS_ALLOWED)
        asked = access_quota_ask(r->conn, a->work->in.actor.dn, a->work->in.target.dn, n, &why);
    mirror_done(a);
    if (asked > 0)
        return; /* access_quota.c answers */
    if (a->work->rights.verdict == RIGHTS_REFUSED)
        request_no(r, a->work->rights.rule, a->work->rights.why,
                   "Only an administrator may change a quota");
    else if (a->work->rights.verdict == RIGHTS_UNSURE)
        request_unsure(r, a->work->rights.why);
    else if (asked == 0)
        request_no(r, a->work->rights.rule, why, "Quotas are not changed this way here");
    else
        request_unsure(r, why);
}

/* --- questions without a session --- */

static void
say_right(struct request *r, struct mirror *m, int64_t age_ms, const struct access_question *who,
          const char *action)
{
    struct rights_question q = {
        .actor = who->actor, .target = who->target, .action = span_of(action)};
    struct rights_answer *w = r->access->work;
    char text[32];

    rights_ask(r->access->env->conf, m, age_ms, &q, w);
    snprintf(text, sizeof text, "%s:%d",
             w->rights.verdict == RIGHTS_ALLOWED   ? "yes"
             : w->rights.verdict == RIGHTS_REFUSED ? "no"
                                                   : "unsure",
             w->rights.rule);
    request_text(r, action, text);
}

/* With a service: also what session would answer, without a record. */
static void
say_session(struct request *r, const struct access_question *q)
{
    struct access_answer answer;
    char withheld[256];

    access_ask(r->access, q, &answer);
    access_withheld_words(answer.withheld, withheld, sizeof withheld);
    request_text(r, "session", access_verdict_word(answer.verdict));
    if (answer.verdict == ACCESS_YES)
        request_text(r, "mode", access_mode_word(answer.mode));
    request_number(r, "rule", answer.rule);
    request_text(r, "why", answer.why);
    request_text(r, "text", answer.text);
    request_text(r, "withheld", withheld);
    request_text(r, "quota-bytes", answer.quota);
    request_text(r, "actor", answer.actor);
    request_text(r, "target", answer.target);
}

static void
word_rights(struct request *r)
{
    static const char *const actions[] = {"read-mail", "write-mail", "share",
                                          "quota",     "password",   "audit"};
    struct access_question q = {request_needed(r, "actor"), request_needed(r, "target"),
                                request_field(r, "service")};
    struct mirror *m;
    int64_t age_ms;

    if (r->bad)
        return;
    m = mirror_for(r->access);
    if (!m) {
        request_unsure(r, "the mirror can't be read");
        return;
    }
    age_ms = mirror_age(r->access, m);
    request_ok(r);
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        say_right(r, m, age_ms, &q, actions[i]);
    mirror_done(r->access);
    if (q.service.n > 0)
        say_session(r, &q);
}

/* One session for each request: that with the next number; "ok" alone: there are no more. */
static void
word_who(struct request *r)
{
    char after[24];
    struct span from = request_field(r, "after");
    const struct access_session *s;
    unsigned long long number = 0;

    if (!access_conn_is_policyd(r->conn))
        r->bad = "only policyd itself asks that";
    snprintf(after, sizeof after, "%.*s", (int)(from.n < 20 ? from.n : 20), from.p);
    if (r->bad || (*after && sscanf(after, "%llu", &number) != 1)) {
        r->bad = r->bad ? r->bad : "after is no number";
        return;
    }
    s = access_session_after(r->access, number);
    request_ok(r);
    if (!s)
        return;
    request_number(r, "number", (long long)s->number);
    request_number(r, "since", (long long)s->opened_ms);
    request_text(r, "actor", s->actor);
    request_text(r, "target", s->target);
    request_text(r, "service", s->service);
    request_text(r, "remote", s->remote);
    request_text(r, "session", s->id);
    request_text(r, "mode", access_mode_word(s->mode));
    request_number(r, "rule", s->rule);
    request_text(r, "why", s->why);
    request_text(r, "reason", s->reason);
}

/* --- all of them --- */

static const struct {
    const char *word;
    void (*answer)(struct request *);
} words[WORD_N] = {
    [WORD_SESSION] = {"session", word_session},
    [WORD_RECORD] = {"record", word_record},
    [WORD_SHARE] = {"share", word_share},
    [WORD_QUOTA] = {"quota", word_quota},
    [WORD_RIGHTS] = {"rights", word_rights},
    [WORD_ALLOW] = {"allow", word_allow},
    [WORD_OPENING] = {"opening", access_opening_word},
    [WORD_HELD] = {"held", access_held_word},
    [WORD_REPORT] = {"report", word_report},
    [WORD_WHO] = {"who", word_who},
};

const char *
access_word(enum access_word w)
{
    return words[w].word;
}

static void
count(const struct request *r, int64_t us)
{
    struct board *b = r->access->board;
    int bucket = 0;

    while (bucket < ACCESS_TIMES - 1 && us > access_times_us[bucket])
        bucket++;
    board_add(b, ACCESS_COUNTER(r->word, r->verdict), 1);
    board_add(b, BOARD_ACCESS_TIMES + bucket, 1);
    board_add(b, BOARD_ACCESS_TIME_US, (uint64_t)us);
}

static size_t
refuse_request(struct request *r, size_t *last_n)
{
    struct access *a = r->access;
    unsigned skipped;

    request_say(r, "error");
    request_text(r, "text", r->bad);
    *last_n = tabline_end(&r->out);
    board_add(a->board, BOARD_CLOSED_BAD, 1);
    if (log_limit(&a->bad_limit, 5, 60, &skipped))
        log_warning("closed an access connection why=\"%s\" skipped=%u", r->bad, skipped);
    return 0;
}

size_t
access_answer(struct access_conn *c, struct tabline *line, char *out, size_t *last_n)
{
    struct request r = {.access = c->access,
                        .conn = c,
                        .line = line,
                        .out = {.buf = out, .cap = TABLINE_MAX},
                        .bad = "no such word"};
    int64_t began = now_us();
    int known = 0;
    size_t n;

    for (int w = 0; w < WORD_N && !known; w++) {
        if (!span_same(line->word, span_of(words[w].word)))
            continue;
        known = 1;
        r.word = (enum access_word)w;
        r.bad = NULL;
        words[w].answer(&r);
    }
    if (r.bad)
        return refuse_request(&r, last_n);
    if (c->edit_number) { /* the answer comes later */
        *last_n = 0;
        return 0;
    }
    n = tabline_end(&r.out);
    if (n == 0) { /* names that escapes made too long */
        r.bad = "the answer is longer than a line";
        return refuse_request(&r, last_n);
    }
    count(&r, now_us() - began);
    return n;
}
