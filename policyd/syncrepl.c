/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * syncrepl: following a provider's content (RFC 4533), connection after
 * connection.
 *
 * After a loss all URIs are tried once, the preferred one first; then comes a
 * pause, doubled each round up to directory.retry_max and spread by a quarter
 * each way, so that many sites don't come back in step. A provider that knows
 * less than the mirror (result 53) is passed over while there are others: what it
 * lacks it may only not have received yet, and a refresh from it would remove
 * that. Only when the whole round brought nothing better does the mirror forget
 * its cookie. While all this lasts the mirror keeps answering.
 */
#include "syncrepl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "beat.h"
#include "log.h"
#include "syncrepl_conn.h"
#include "uuid.h"

#define STEADY_MS    10000 /* a session that lasted so long was a good one */
#define STALL_MIN_MS 5000  /* see syncrepl.stall_ms; doubled each time it did not last */
#define STALL_MAX_MS \
    300000           /* so that a server with a fault is not asked to start over all the time */
#define STOP_MS 1000 /* threads may take to end */

int
syncrepl_prepare(const struct conf *conf)
{
    const char *warning = NULL;
    char error[512];

    if (syncrepl_conn_setup(conf, "directory", error, sizeof error, &warning) < 0) {
        log_error("directory can't be used why=\"%s\"", error);
        return -1;
    }
    if (warning)
        log_warning("%s", warning);
    return 0;
}

/* --- where the mirror stands --- */

/* Begin anew where base or map are other ones than when the cookie was stored. */
static int
reset_meaning(struct syncrepl *y, const char *fingerprint)
{
    struct mirror *m = y->sync->mirror;

    if (mirror_write_begin(m) < 0)
        return -1;
    if (mirror_set_base(m, (struct span){y->base, y->base_n}) < 0 ||
        mirror_meta_put(m, "cookie", NULL, 0) < 0 ||
        mirror_meta_put(m, "fingerprint", fingerprint, UUID_TEXT_LEN) < 0) {
        mirror_write_abort(m);
        return -1;
    }
    return sync_commit(y->sync);
}

static int
read_state(struct syncrepl *y, char *fingerprint, size_t cap)
{
    struct mirror *m = y->sync->mirror;
    struct mirror_info info;
    char text[COOKIE_TEXT_MAX];
    long n;

    if (mirror_begin(m) < 0)
        return -1;
    cookie_init(&y->cookie);
    if ((n = mirror_meta_get(m, "cookie", text, sizeof text)) > 0)
        cookie_merge(&y->cookie, (struct span){text, (size_t)n});
    n = mirror_meta_get(m, "fingerprint", fingerprint, cap - 1);
    fingerprint[n > 0 ? n : 0] = '\0';
    if (mirror_info(m, &info) == 0) {
        y->sync->complete = info.complete;
        y->sync->entries = info.entries;
    }
    mirror_end(m);
    return 0;
}

int
syncrepl_load(struct syncrepl *y)
{
    char have[64], want[UUID_TEXT_LEN + 1];

    feed_fingerprint(&y->sync->feed, (struct span){y->base, y->base_n}, span_of("syncrepl"), want);
    if (read_state(y, have, sizeof have) < 0)
        return -1;
    if (strcmp(have, want) == 0)
        return 0;
    if (have[0])
        log_notice("base, map or source changed: the whole directory is read anew");
    if (reset_meaning(y, want) < 0)
        return -1;
    return read_state(y, have, sizeof have);
}

/* Forget the cookie: the next refresh is a full one. 0, or -1: the store failed. */
static int
drop_cookie(struct syncrepl *y)
{
    struct mirror *m = y->sync->mirror;

    cookie_init(&y->cookie);
    syncrepl_polls_forget(y->polls, &y->sync->env->board);
    if (mirror_write_begin(m) < 0)
        return -1;
    if (mirror_meta_put(m, "cookie", NULL, 0) < 0) {
        mirror_write_abort(m);
        return -1;
    }
    return sync_commit(y->sync);
}

/* --- one connection after the other --- */

struct round {
    size_t uri;      /* the one to try now */
    unsigned failed; /* rounds without a good session */
    int behind;      /* one of this round said 53 */
};

/* Sleep this long before the next round: ms. */
static int64_t
pause_ms(const struct conf *conf, unsigned failed)
{
    int64_t ms = conf->directory.retry_min * 1000LL, most = conf->directory.retry_max * 1000LL;
    unsigned spread = 0;

    while (failed-- > 1 && ms < most)
        ms *= 2;
    if (ms > most)
        ms = most;
    if (getrandom(&spread, sizeof spread, GRND_NONBLOCK) < 0)
        spread = 0;
    return ms - ms / 4 + (int64_t)(spread % (unsigned)(ms / 2 + 1));
}

static void
forget(struct syncrepl *y, const char *why)
{
    log_warning("cookie forgotten, the whole directory is read anew; mirror keeps answering "
                "uri=%s why=\"%s\"",
                y->uri, why);
    if (drop_cookie(y) < 0)
        sync_store_error(y->sync, "forget the cookie");
}

/* The round goes on with the next URI, or ends with a pause. */
static void
next_uri(struct syncrepl *y, struct round *r)
{
    const struct conf *conf = y->sync->conf;

    if (++r->uri < conf->directory.uri.n)
        return;
    r->uri = 0;
    r->failed++;
    if (r->behind) {
        r->behind = 0;
        forget(y, "no provider knows as much as the mirror");
        return;
    }
    sync_sleep(y->sync, pause_ms(conf, r->failed));
}

static void
report(struct syncrepl *y)
{
    snprintf(y->told, sizeof y->told, "%s: %s", y->uri, y->error);
    sync_error(y->sync, y->told);
}

/* The search is begun anew at once, at the same provider; mail does not notice. */
static void
stalled(struct syncrepl *y, int64_t ms)
{
    int64_t longer = y->stall_ms * 2 < STALL_MAX_MS ? y->stall_ms * 2 : STALL_MAX_MS;

    log_notice("a change the provider knows of did not come, asking anew uri=%s why=\"%s\"", y->uri,
               y->error);
    board_add(&y->sync->env->board, BOARD_SYNC_STALLS, 1);
    y->stall_ms = ms > 2 * STALL_MAX_MS ? STALL_MIN_MS : longer;
}

/* What follows from the end of a session that lasted ms. */
static void
after(struct syncrepl *y, struct round *r, enum syncrepl_end end, int64_t ms)
{
    if (end == END_STOP)
        return;
    if (end == END_STALLED) {
        stalled(y, ms);
        return;
    }
    report(y);
    if (end == END_REFRESH && y->had_cookie) {
        forget(y, "the provider asks for it");
        return;
    }
    if (end == END_BEHIND)
        r->behind = y->had_cookie;
    if (y->persisted)
        r->behind = 0;
    if (y->persisted && ms > STEADY_MS) {
        *r = (struct round){0, 0, 0};
        return;
    }
    next_uri(y, r);
}

/* --- proof --- */

void
syncrepl_prove(struct syncrepl *y)
{
    syncrepl_polls_update(y->polls, y->follows ? &y->visible : NULL, y->sync->mirror,
                          &y->sync->env->board);
}

static void
watch(struct sync *s)
{
    struct syncrepl *y = s->watch_ctx;
    const char *hung = syncrepl_polls_hung(y->polls);

    syncrepl_prove(y);
    if (!hung || s->stop)
        return;
    log_error("asking a provider hangs, sync begins anew uri=%s", hung);
    s->stop = y->hung = 1;
}

static int
polls_start(struct syncrepl *y)
{
    struct sync *s = y->sync;

    y->polls = syncrepl_polls_start(s->conf, y->base, &s->env->board);
    if (!y->polls) {
        log_error("sync role not started errno=%d", errno);
        return -1;
    }
    s->watch_ctx = y;
    s->watch_fd = syncrepl_polls_fd(y->polls);
    s->watch = watch;
    return 0;
}

static void
polls_stop(struct syncrepl *y)
{
    y->sync->watch = NULL;
    y->sync->watch_fd = -1;
    y->sync->lingers = !syncrepl_polls_stop(&y->polls, STOP_MS);
}

int
syncrepl_run(struct sync *s)
{
    struct syncrepl y = {.sync = s, .stall_ms = STALL_MIN_MS};
    struct round r = {0, 0, 0};
    long n = dn_normalize(span_of(s->conf->directory.base), y.base, sizeof y.base);

    if (n <= 0) {
        log_error("directory.base is no usable DN: %s", s->conf->directory.base);
        return -1;
    }
    y.base_n = (size_t)n;
    if (polls_start(&y) < 0)
        return -1;
    while (!s->stop) {
        int64_t start = beat_now();
        enum syncrepl_end end;

        y.uri = s->conf->directory.uri.v[r.uri];
        board_set(&s->env->board, BOARD_SYNC_URI, r.uri);
        end = syncrepl_session(&y);
        after(&y, &r, s->stop ? END_STOP : end, beat_now() - start);
    }
    polls_stop(&y);
    return y.hung ? -1 : 0;
}
