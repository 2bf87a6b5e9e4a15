/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy_role: the policy delegation server, in one process.
 *
 * Promises: every whole request gets one answer, in order. What a peer hands over (the
 * context "handoff") is judged at RCPT, everything else at RCPT, DATA and
 * END-OF-MESSAGE; other states are DUNNO. What is no request ends the connection
 * without an answer: Postfix asks once more, then takes its default_action.
 */
#include "policy_role.h"

#include <string.h>

#include "send.h"
#include "serve.h"

_Static_assert(POLICY_REQUEST_MAX <= SERVE_IN_MAX, "a whole request must fit");
_Static_assert(POLICY_ACTION_MAX < SERVE_OUT_MAX - SERVE_OUT_HIGH - 16, "so must an answer");

const char *
policy_answer_word(enum policy_answer a)
{
    static const char *const words[POLICY_ANSWER_N] = {
        [POLICY_DUNNO] = "dunno",       [POLICY_TAKEN] = "taken",
        [POLICY_DEFERRED] = "deferred", [POLICY_STRANGER] = "stranger",
        [POLICY_TROUBLE] = "trouble",   [POLICY_REFUSED] = "refused",
        [POLICY_LATER] = "later"};

    return (unsigned)a < POLICY_ANSWER_N ? words[a] : "";
}

static void
log_request(const struct policy_request *r, const char *action)
{
    int recipient_n = r->recipient.n < 400 ? (int)r->recipient.n : 400;

    /* The recipient stands last: behind it nothing can be forged. */
    log_info("policy action=\"%s\" context=%.*s state=%.*s recipient=%.*s", action,
             (int)(r->policy_context.n < 64 ? r->policy_context.n : 64),
             r->policy_context.p ? r->policy_context.p : "",
             (int)(r->protocol_state.n < 64 ? r->protocol_state.n : 64),
             r->protocol_state.p ? r->protocol_state.p : "", recipient_n,
             r->recipient.p ? r->recipient.p : "");
}

static size_t
answer_one(struct worker *w, const struct policy_request *req, char *out, size_t cap)
{
    enum policy_answer answer = POLICY_DUNNO;
    char *action = out + strlen("action=");
    size_t n;

    if (span_same(req->request, span_of(POLICY_EXPLAIN)))
        return policy_send_explain(w, req, out, cap);
    memcpy(out, "action=DUNNO", sizeof("action=DUNNO"));
    if (!span_same(req->policy_context, span_of("handoff")))
        answer = policy_send(w, req, action, POLICY_ACTION_MAX);
    else if (span_same(req->protocol_state, span_of("RCPT")))
        answer = policy_handoff(w, req, action, POLICY_ACTION_MAX);
    board_add(w->board, BOARD_POLICY_ANSWERS + (int)answer, 1);
    if (w->env->conf->log.lookups)
        log_request(req, action);
    n = strlen(out);
    memcpy(out + n, "\n\n", 2);
    return n + 2;
}

static long
policy_requests(struct worker *w, const char *in, size_t n, int64_t *asked_ms, size_t *out_n)
{
    struct policy_request req;
    size_t used = 0;
    long step = 0;

    *asked_ms = 0; /* nothing waits here */
    *out_n = 0;
    maps_begin(w->maps);
    while (used < n && *out_n < SERVE_OUT_HIGH) {
        step = policy_parse(in + used, n - used, &req);
        if (step > 0 && !span_same(req.request, span_of("smtpd_access_policy")) &&
            !span_same(req.request, span_of(POLICY_EXPLAIN)))
            step = -1;
        if (step <= 0)
            break;
        used += (size_t)step;
        *out_n += answer_one(w, &req, w->out + *out_n, sizeof(w->out) - *out_n);
    }
    maps_pause(w->maps);
    return step < 0 ? -1 : (long)used;
}

static int
policy_prepare(struct role_env *env)
{
    if (env->nlisten == 1)
        return 0;
    log_error("policy was given no socket");
    return -1;
}

static int
policy_run(struct role_env *env)
{
    static const struct service policy = {.requests = policy_requests,
                                          .bad = "no policy request",
                                          .open = policy_send_open,
                                          .tick = policy_send_tick,
                                          .close = policy_send_close};

    return serve_run(env, &policy);
}

const struct role role_policy = {"policy", policy_prepare, policy_run, 0};
