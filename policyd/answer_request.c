/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * answer: the role that answers Postfix's lookups, in several processes, and the way
 * from the bytes a client sent to the bytes it gets. Holds no state that matters, so
 * it may be killed at any moment.
 *
 * Promises: every whole request gets exactly one reply, in order; a batch shares one
 * snapshot of the mirror; nothing is allocated. A question that needs a proof is not
 * answered before it has one or can't have one any more. PERM is said only to requests no
 * Postfix sends: of an unknown map, or without key. Must not touch descriptors.
 */
#include "serve.h"

static void
log_lookup(enum map_id map, struct span key, enum socketmap_status s, struct span data,
           const struct map_trace *t)
{
    int key_n = key.n < 400 ? (int)key.n : 400, data_n = data.n < 400 ? (int)data.n : 400;

    /* The key stands last: behind it nothing can be forged. */
    log_info("lookup map=%s status=%s answer=\"%.*s\" matched=\"%s\" how=\"%s\" step=%d why=\"%s\" "
             "key=%.*s",
             map_name(map), socketmap_status_word(s), data_n, data.p ? data.p : "", t->matched,
             t->how, t->route.step, t->why, key_n, key.p ? key.p : "");
}

static enum socketmap_status
refuse(struct worker *w, struct span name, const char *why, struct span *data)
{
    unsigned skipped;

    if (log_limit(&w->request_limit, 10, 60, &skipped))
        log_warning("refused a request why=\"%s\" skipped=%u map=%.*s", why, skipped,
                    (int)(name.n < 64 ? name.n : 64), name.p ? name.p : "");
    *data = span_of(why);
    return SOCKETMAP_PERM;
}

/* Count and log what is answered; how often it was looked up before, waiting, does not count. */
static void
record(struct worker *w, enum map_id map, const struct socketmap_request *req,
       enum socketmap_status s, struct span data, const struct map_trace *trace)
{
    int verdict = maps_verdict(w->maps);

    board_add(w->board, BOARD_LOOKUPS + (int)map * 4 + (int)s, 1);
    if (verdict >= 0)
        board_add(w->board, BOARD_VERDICTS + verdict, 1);
    if (trace)
        log_lookup(map, req->key, s, data, trace);
}

/* The answer; *asked_ms as in answer_requests. */
static enum socketmap_status
answer_one(struct worker *w, const struct socketmap_request *req, int64_t *asked_ms,
           struct span *data)
{
    int map = req->name.p ? map_number(req->name) : -1;
    int traced = w->env->conf->log.lookups;
    enum socketmap_status s;
    struct map_trace trace;

    if (!req->name.p)
        return refuse(w, req->name, "not a request: a map's name, a blank and a key", data);
    if (map < 0)
        return refuse(w, req->name, "no such map", data);
    data->p = w->data;
    maps_asked(w->maps, *asked_ms);
    s = maps_lookup(w->maps, (enum map_id)map, req->key, w->data, sizeof(w->data), &data->n,
                    traced ? &trace : NULL);
    *asked_ms = maps_waits(w->maps);
    if (*asked_ms && park_room(w))
        return s;
    if (s == SOCKETMAP_TEMP)
        *data = span_of(*asked_ms && !w->draining ? "not proven: too many lookups wait"
                                                  : maps_why(w->maps));
    *asked_ms = 0;
    record(w, (enum map_id)map, req, s, *data, traced ? &trace : NULL);
    return s;
}

static long
answer_requests(struct worker *w, const char *in, size_t n, int64_t *asked_ms, size_t *out_n)
{
    struct socketmap_request req;
    size_t used = 0;
    long step = 0;

    *out_n = 0;
    maps_begin(w->maps);
    while (used < n && *out_n < SERVE_OUT_HIGH) {
        struct span data = {"", 0};
        enum socketmap_status s;

        step = socketmap_parse(in + used, n - used, &req);
        if (step <= 0)
            break;
        s = answer_one(w, &req, asked_ms, &data);
        if (*asked_ms)
            break;
        used += (size_t)step;
        *out_n += (size_t)socketmap_reply(w->out + *out_n, sizeof(w->out) - *out_n, s, data);
    }
    maps_pause(w->maps);
    return step < 0 ? -1 : (long)used;
}

static int
answer_prepare(struct role_env *env)
{
    if (env->nlisten == 1)
        return 0;
    log_error("answer was given no socket");
    return -1;
}

static int
answer_run(struct role_env *env)
{
    static const struct service lookups = {.requests = answer_requests, .bad = "no netstring"};

    return serve_run(env, &lookups);
}

const struct role role_answer = {"answer", answer_prepare, answer_run, 0};
