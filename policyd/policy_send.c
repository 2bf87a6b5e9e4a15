/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy_send: what smtpd is told of senders and of recipients that not everybody may
 * write to: at RCPT of who, to whom and whether there is room; at DATA of how many,
 * and then it counts; at END-OF-MESSAGE of how large it has become.
 *
 * Promises: guard_send() decides, this says so in words that name the rule, who set
 * it, and when there is room again; what it can't find out is temporary. A message
 * that is given up after DATA was counted: no limit is ever passed by giving up.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cidr.h"
#include "routed.h"
#include "send.h"
#include "serve.h"
#include "tabline.h"
#include "traffic.h"

enum stage { STAGE_RCPT, STAGE_DATA, STAGE_END };

static struct traffic *counters; /* one per process, as the role is */

/* What was found out for one request. */
struct question {
    const struct policy_request *req;
    enum stage stage;
    int logged_in;
    const struct send_entry *login, *rcpt; /* never NULL */
    struct guard_sending in;
    const char *at;       /* who set what stands in the way */
    enum limit_kind kind; /* which limit */
    uint64_t most;        /* and how much it is */
    int64_t wait;         /* seconds until there is room; -1 never */
    const struct send_total *total;
};

static int64_t
now_s(void)
{
    return (int64_t)time(NULL);
}

/* --- the counters' life --- */

static void
counters_path(const struct worker *w, char out[1200])
{
    snprintf(out, 1200, "%.1100s/traffic", w->env->conf->state_dir);
}

int
policy_send_open(struct worker *w)
{
    static struct log_limit limit;
    char path[1200], error[1400];
    unsigned skipped;

    counters_path(w, path);
    counters = traffic_open(path, now_s(), error, sizeof(error));
    if (*error && log_limit(&limit, 1, 60, &skipped))
        log_error("counters of what was sent: %s", error);
    return counters ? 0 : -1;
}

void
policy_send_tick(struct worker *w)
{
    static struct log_limit limit;
    char error[1400] = "";
    unsigned skipped;

    if (!counters) {
        policy_send_open(w);
        return;
    }
    if (w->tick % 2 == 0)
        traffic_flush(counters, now_s(), error, sizeof(error));
    if (*error && log_limit(&limit, 1, 60, &skipped))
        log_error("counters of what was sent: %s", error);
}

void
policy_send_close(struct worker *w)
{
    char error[1400] = "";

    (void)w;
    if (counters && traffic_flush(counters, now_s(), error, sizeof(error)) < 0)
        log_error("counters of what was sent: %s", error);
    traffic_close(&counters);
}

/* --- facts --- */

static uint64_t
number_of(struct span text)
{
    uint64_t n = 0;

    for (size_t i = 0; i < text.n && text.p[i] >= '0' && text.p[i] <= '9'; i++)
        n = n > INT64_MAX / 10 - 10 ? INT64_MAX : n * 10 + (uint64_t)(text.p[i] - '0');
    return n;
}

static void
find_login(struct worker *w, struct question *q)
{
    static const enum guard_login logins[] = {
        [0] = LOGIN_UNSURE, [1] = LOGIN_STRANGER, [2] = LOGIN_ACCOUNT};

    q->login = send_login(w, q->req->sasl_username);
    q->in.login = logins[q->login->found + 1];
    if (q->login->found == 1 && q->login->kind != KIND_ACCOUNT)
        q->in.login = LOGIN_STRANGER;
    if (q->in.login != LOGIN_ACCOUNT)
        return;
    q->in.state = q->login->state;
    q->in.submission_withheld = q->login->withheld[SEND_SUBMISSION][0] != '\0';
    q->in.send_withheld = q->login->withheld[SEND_EXTERNAL][0] != '\0';
    q->in.size = number_of(q->req->size);
    q->in.size_most = q->login->limits.most[LIMIT_SIZE];
}

/* This machine, or one of inside_networks. */
static int
is_inside(const struct worker *w, struct span address)
{
    const struct conf_list *list = &w->env->conf->inside_networks;
    struct cidr_set set;
    unsigned char ip[16];

    if (cidr_address(address, ip) < 0)
        return 0;
    cidr_fill(&set, list->v, list->n);
    return cidr_is_loopback(ip) || cidr_has(&set, ip);
}

static enum guard_known
known_of(int found)
{
    return found < 0 ? GUARD_UNSURE : found ? GUARD_YES : GUARD_NO;
}

/* 1, 0, -1. */
static int
is_ours(struct worker *w, struct span address)
{
    struct maps_who who;

    maps_asked(w->maps, MAPS_CANT_WAIT);
    return maps_who(w->maps, address, &who) < 0 ? -1 : who.parsed == 1 && who.ours;
}

/*
 * Whom Postfix may deliver to: "a.example!all" and "all%a.example@its.own.name" are all@a.example. Which
 * names are its own is not known here, so one of ours inside counts; out has room for it.
 */
static struct span
meant(struct worker *w, struct span recipient, char out[ADDR_MAX + 1])
{
    char inner[2][ADDR_MAX + 1];
    struct span in = recipient, best = recipient;
    size_t n;

    for (int i = 0; i < ROUTED_MOST && routed_inner(in, inner[i % 2], &n); i++) {
        in = (struct span){inner[i % 2], n};
        if (is_ours(w, in) == 0)
            continue;
        memcpy(out, in.p, n);
        best = (struct span){out, n};
    }
    return best;
}

static void
find_recipient(struct worker *w, struct question *q)
{
    char inner[ADDR_MAX + 1];
    const struct span recipient = meant(w, q->req->recipient, inner);
    const struct send_entry *who = q->in.login == LOGIN_ACCOUNT ? q->login : NULL;
    static struct send_entry rcpt; /* large */

    if (who) /* what only outsiders may not is not looked for */
        send_recipient(w, recipient, &rcpt);
    else
        send_find(w, recipient, 0, &rcpt);
    q->rcpt = &rcpt;
    q->in.inside = known_of(q->rcpt->ours);
    if (recipient.p == inner && memchr(q->req->recipient.p, '@', q->req->recipient.n))
        q->in.inside = known_of(is_ours(w, q->req->recipient));
    if (q->rcpt->found < 0 && q->rcpt->ours != 0) {
        /* The map mailbox says what is to be said of an address that may not exist. */
        q->in.receives = q->rcpt->kind == KIND_ACCOUNT ? GUARD_UNSURE : GUARD_OPEN;
        q->in.may_list = q->rcpt->kind == KIND_LIST ? GUARD_UNSURE : GUARD_OPEN;
        return;
    }
    if (q->rcpt->found != 1)
        return;
    if (q->rcpt->kind == KIND_LIST)
        q->in.may_list = send_may_write(w, q->rcpt, who, q->req->sender);
    if (!who && q->rcpt->withheld[SEND_RECEIVE][0] && !is_inside(w, q->req->client_address))
        q->in.receives = GUARD_NO;
}

/* Room in one set of counters; what is missing is noted. */
static enum guard_known
room_in(struct question *q, const unsigned char uuid[UUID_LEN], const struct limits *limits,
        uint32_t recipients)
{
    struct window_limits most = limits_window(limits);
    struct window w = {0};
    int64_t wait = -1;
    int what;

    if (!most.most[0] && !most.most[1] && !most.most[2] && !most.most[3])
        return GUARD_YES;
    if (!counters)
        return GUARD_UNSURE;
    w = traffic_find(counters, uuid);
    what = window_over(&w, now_s(), &most, 1, recipients, &wait);
    if (what < 0)
        return GUARD_YES;
    q->kind = (enum limit_kind)what;
    q->most = most.most[what];
    q->wait = wait;
    return GUARD_NO;
}

static void
find_room(struct question *q, uint32_t recipients)
{
    q->in.own_room = room_in(q, q->login->uuid, &q->login->limits, recipients);
    if (q->in.own_room != GUARD_YES)
        return;
    for (unsigned i = 0; i < q->login->ntotals && q->in.total_room == GUARD_OPEN; i++) {
        enum guard_known room =
            room_in(q, q->login->totals[i].uuid, &q->login->totals[i].limits, recipients);

        q->total = &q->login->totals[i];
        if (room != GUARD_YES)
            q->in.total_room = room;
    }
}

/* -1: there is no memory for a counter. */
static int
count(const struct question *q, uint32_t recipients)
{
    int64_t now = now_s();
    int rc;

    if (!counters)
        return 0;
    rc = traffic_add(counters, q->login->uuid, now, 1, recipients);
    for (unsigned i = 0; i < q->login->ntotals; i++)
        rc |= traffic_add(counters, q->login->totals[i].uuid, now, 1, recipients);
    return rc;
}

static void
find_all(struct worker *w, struct question *q, uint32_t recipients)
{
    if (q->logged_in)
        find_login(w, q);
    if (q->stage == STAGE_RCPT) {
        if (q->in.login == LOGIN_ACCOUNT)
            q->in.sender = send_owns(w, q->login, q->req->sasl_username, q->req->sender);
        find_recipient(w, q);
    }
    if (q->in.login != LOGIN_ACCOUNT || q->stage == STAGE_END)
        return;
    find_room(q, recipients);
    if (q->stage == STAGE_DATA) {
        q->in.recipients = recipients;
        q->in.recipients_most = q->login->limits.most[LIMIT_RECIPIENTS_MESSAGE];
    }
}

/* --- words --- */

/* Whose setting it is, and what it says. */
static void
say_where(const struct question *q, const struct guard_send *g, char *out, size_t cap)
{
    const struct send_entry *l = q->login;
    const char *at = g->rule == 4    ? l->withheld[SEND_SUBMISSION]
                     : g->rule == 6  ? l->withheld[SEND_EXTERNAL]
                     : g->rule == 8  ? q->rcpt->withheld[SEND_RECEIVE]
                     : g->rule == 9  ? l->limit_at[LIMIT_SIZE]
                     : g->rule == 10 ? l->limit_at[LIMIT_RECIPIENTS_MESSAGE]
                     : g->rule == 11 ? l->limit_at[q->kind]
                     : g->rule == 12 ? q->total->at
                                     : "";
    uint64_t most = g->rule == 9    ? q->in.size_most
                    : g->rule == 10 ? q->in.recipients_most
                    : g->rule >= 11 ? q->most
                                    : 0;
    int n = 0;

    *out = '\0';
    if (g->rule >= 11 && most > 0)
        n = snprintf(out, cap, ", %s%s", g->rule == 12 ? "total " : "", limit_word(q->kind));
    if (most > 0)
        n += snprintf(out + n, cap - (size_t)n, " %" PRIu64, most);
    if (*at)
        n += snprintf(out + n, cap - (size_t)n, ", set at %s", at);
    if (g->rule >= 11 && most > 0 && q->wait > 0)
        snprintf(out + n, cap - (size_t)n, ", room again in %" PRId64 " minutes",
                 (q->wait + 59) / 60);
}

static void
printable(char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 0x20 || (unsigned char)*s > 0x7e)
            *s = '?';
}

static void
log_refusal(const struct question *q, const struct guard_send *g, const char *action)
{
    const struct policy_request *r = q->req;
    static struct log_limit limit;
    unsigned skipped;

    /* The recipient stands last: behind it nothing can be forged. */
    if (log_limit(&limit, 300, 60, &skipped))
        log_notice("mail not let pass verdict=%s rule=%d name=%s said=\"%s\" login=%.*s "
                   "sender=%.*s skipped=%u "
                   "recipient=%.*s",
                   g->verdict == SEND_DEFER ? "deferred" : "refused", g->rule, g->name, action,
                   (int)(r->sasl_username.n < 320 ? r->sasl_username.n : 320),
                   r->sasl_username.p ? r->sasl_username.p : "",
                   (int)(r->sender.n < 320 ? r->sender.n : 320), r->sender.p ? r->sender.p : "",
                   skipped, (int)(r->recipient.n < 320 ? r->recipient.n : 320),
                   r->recipient.p ? r->recipient.p : "");
}

/* What Postfix is to do, in words. */
static void
say(const struct worker *w, const struct question *q, const struct guard_send *g, char *action,
    size_t cap)
{
    const char *contact = w->env->conf->sending.contact;
    char where[200];

    if (g->verdict == SEND_OK) {
        memcpy(action, "DUNNO", sizeof("DUNNO"));
        return;
    }
    say_where(q, g, where, sizeof(where));
    snprintf(action, cap, "%s %s (rule %s%s)%s%.160s", g->code, g->why, g->name, where,
             *contact ? ". " : "", contact);
    printable(action);
}

static enum policy_answer
answer(const struct worker *w, const struct question *q, const struct guard_send *g, char *action,
       size_t cap)
{
    say(w, q, g, action, cap);
    if (g->verdict == SEND_OK)
        return POLICY_DUNNO;
    log_refusal(q, g, action);
    return g->verdict == SEND_DEFER ? POLICY_LATER : POLICY_REFUSED;
}

static int
stage_of(struct span state)
{
    static const char *const words[] = {
        [STAGE_RCPT] = "RCPT", [STAGE_DATA] = "DATA", [STAGE_END] = "END-OF-MESSAGE"};

    for (int s = STAGE_RCPT; s <= STAGE_END; s++)
        if (span_same(state, span_of(words[s])))
            return s;
    return -1;
}

static struct question
question_of(const struct policy_request *req, enum stage stage)
{
    static const struct send_entry nobody;

    return (struct question){.req = req,
                             .stage = stage,
                             .logged_in = req->sasl_username.n > 0,
                             .login = &nobody,
                             .rcpt = &nobody,
                             .in = {.sender = GUARD_OPEN,
                                    .inside = GUARD_OPEN,
                                    .may_list = GUARD_OPEN,
                                    .receives = GUARD_OPEN,
                                    .own_room = GUARD_OPEN,
                                    .total_room = GUARD_OPEN}};
}

enum policy_answer
policy_send(struct worker *w, const struct policy_request *req, char *action, size_t cap)
{
    int stage = stage_of(req->protocol_state);
    uint64_t n = number_of(req->recipient_count);
    uint32_t recipients = n == 0 ? 1 : n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
    struct question q;
    struct guard_send g;

    if (stage < 0 || (stage != STAGE_RCPT && req->sasl_username.n == 0))
        return POLICY_DUNNO;
    q = question_of(req, (enum stage)stage);
    find_all(w, &q, recipients);
    g = guard_send(&q.in);
    if (g.verdict == SEND_OK && stage == STAGE_DATA && count(&q, recipients) < 0)
        log_error("no memory to count what was sent");
    return answer(w, &q, &g, action, cap);
}

/* --- explained, to an administrator --- */

/* Limits with what is used of them: "messages/hour 3 of 100 (set at ou=hr)". */
static void
add_limits(struct tabline_out *o, const char *key, const unsigned char uuid[UUID_LEN],
           const struct limits *limits, const char (*at)[SEND_AT_MAX], const char *one_at)
{
    struct window w = {0};
    uint64_t sums[WINDOW_WHAT_N];
    char text[1000] = "";
    size_t n = 0;

    if (counters)
        w = traffic_find(counters, uuid);
    window_sums(&w, now_s(), sums);
    for (int k = 0; k < LIMIT_KIND_N; k++) {
        if (limits->most[k] == 0 || n >= sizeof(text))
            continue;
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s ", n ? ", " : "",
                              limit_word((enum limit_kind)k));
        if (k < WINDOW_WHAT_N && n < sizeof(text))
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%" PRIu64 " of ", sums[k]);
        if (n < sizeof(text))
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%" PRIu64 " (set at %s)",
                                  limits->most[k], at ? at[k] : one_at);
    }
    tabline_add_some(o, key, span_of(text));
}

static void
add_facts(struct tabline_out *o, const struct question *q)
{
    static const char *const known[] = {"can't tell", "no", "yes"};
    const struct send_entry *l = q->login;
    char key[16];

    tabline_add_some(o, "login", q->req->sasl_username);
    if (q->in.login == LOGIN_ACCOUNT) {
        tabline_add_some(o, "submission", span_of(l->withheld[SEND_SUBMISSION]));
        tabline_add_some(o, "send-external", span_of(l->withheld[SEND_EXTERNAL]));
        add_limits(o, "limits", l->uuid, &l->limits, l->limit_at, NULL);
        for (unsigned i = 0; i < l->ntotals; i++) {
            snprintf(key, sizeof(key), "total%u", i + 1);
            add_limits(o, key, l->totals[i].uuid, &l->totals[i].limits, NULL, l->totals[i].at);
        }
    }
    if (q->in.inside != GUARD_OPEN)
        tabline_add(o, "inside", span_of(known[q->in.inside + 1]));
    if (q->in.may_list != GUARD_OPEN)
        tabline_add(o, "may-write", span_of(known[q->in.may_list + 1]));
    tabline_add_some(o, "receive-external", span_of(q->rcpt->withheld[SEND_RECEIVE]));
}

/*
 * Who has an account here is taken for logged in, also where his address has an extension; and who may have
 * one, as far as can be told. Nobody logs in as a list, or by an address that is nobody's. out has room.
 */
static struct span
login_of(struct worker *w, struct span sender, char out[ADDR_MAX + 1])
{
    const struct span nobody = {"", 0};
    const struct send_entry *e = send_login(w, sender);
    struct addr a;
    int n;

    if (e->found != 0)
        return e->found < 0 || e->kind == KIND_ACCOUNT ? sender : nobody;
    if (addr_parse(&a, sender.p, sender.n, w->env->conf->recipient_delimiter) != 1 ||
        a.base == a.at || (n = addr_rewrite(&a, 0, NULL, out)) < 0)
        return nobody;
    e = send_login(w, (struct span){out, (size_t)n});
    return e->found == 1 && e->kind == KIND_ACCOUNT ? (struct span){out, (size_t)n} : nobody;
}

size_t
policy_send_explain(struct worker *w, const struct policy_request *req, char *out, size_t cap)
{
    static const char *const verdicts[] = {
        [SEND_OK] = "nothing against it", [SEND_DEFER] = "later", [SEND_REJECT] = "refused"};
    struct policy_request as = *req;
    struct question q;
    struct guard_send g;
    struct tabline_out o;
    char action[POLICY_ACTION_MAX], rule[16], login[ADDR_MAX + 1];

    as.sasl_username = login_of(w, req->sender, login);
    q = question_of(&as, STAGE_RCPT);
    find_all(w, &q, 1);
    g = guard_send(&q.in);
    say(w, &q, &g, action, sizeof(action));
    snprintf(rule, sizeof(rule), "%d", g.rule);
    tabline_begin(&o, out, cap, "explained");
    tabline_add(&o, "verdict", span_of(verdicts[g.verdict]));
    tabline_add(&o, "rule", span_of(rule));
    tabline_add(&o, "why", span_of(g.why));
    tabline_add(&o, "action", span_of(action));
    add_facts(&o, &q);
    return tabline_end(&o);
}
