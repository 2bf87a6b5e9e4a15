/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * syncrepl_session: one connection to a provider, from connecting to its end.
 *
 * Phases (RFC 4533): a refresh brings what is new, then either names what is
 * still there (present: the rest is swept) or what went (delete). Without a cookie
 * the rest is swept in either case. Then changes come as they happen.
 * Promises: cookie and data are in one transaction, and during a refresh the
 * cookie waits for its end, so that an interrupted one is done again. Nothing
 * here waits without a bound; a provider that falls silent is noticed by a
 * question (the heart-beat) of our own. A sweep beyond the guard is not done.
 */
#include "syncrepl_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "beat.h"
#include "log.h"
#include "syncrepl_ber.h"
#include "syncrepl_conn.h"

#define ROUND 256 /* messages between two looks at the clock and the parent */

/* --- entries --- */

static int
on_entry(struct session *t, LDAPMessage *entry)
{
    LDAPControl **controls = NULL;
    struct syncrepl_state state;
    int rc;

    if (ldap_get_entry_controls(t->ld, entry, &controls) != LDAP_SUCCESS)
        return session_end(t, END_LOST, "an entry that can't be read");
    rc = syncrepl_state_read(controls, &state);
    if (rc == 0)
        rc = session_end(t, END_LOST, "the server does not do content synchronisation");
    else if (rc < 0)
        session_end(t, END_LOST, "a sync state that can't be read");
    else if ((rc = session_apply(t, entry, &state)) == 0 && !t->refreshing)
        session_take_cookie(t, state.cookie);
    ldap_controls_free(controls);
    return rc;
}

/* --- phases --- */

static uint64_t
entries_now(struct sync *s)
{
    struct mirror_info info;

    return mirror_info(s->mirror, &info) < 0 ? s->entries : info.entries;
}

/* Remove what the refresh did not mention, unless that is too much. */
static int
sweep(struct session *t, int guard)
{
    struct sync *s = t->s;
    uint64_t would = 0, before;
    int rc;

    if (session_begin(t) < 0)
        return -1;
    before = s->entries = entries_now(s);
    beat_step();
    seen_sort(&t->seen);
    rc = mirror_sweep(s->mirror, t->seen.uuid, t->seen.n, guard,
                      (uint64_t)s->conf->directory.sweep_floor, &would);
    beat_now();
    if (rc < 0)
        return session_end_by_store(t);
    s->entries = entries_now(s);
    t->deleted += before - s->entries;
    board_add(&s->env->board, BOARD_SYNC_DELETES, before - s->entries);
    t->swept = 1;
    t->refused = rc == 1;
    if (t->refused)
        sync_refuse(s, would);
    return 0;
}

static void
log_refreshed(struct session *t)
{
    log_notice("directory refreshed uri=%s kind=%s changed=%llu deleted=%llu swept=%s ms=%lld",
               t->y->uri, t->y->had_cookie ? "resume" : "full", (unsigned long long)t->changed,
               (unsigned long long)t->deleted, t->swept ? "yes" : "no",
               (long long)(beat_now() - t->began));
}

/* Everything up to here is applied: from now on the mirror is as good as the provider. */
static int
complete(struct session *t)
{
    struct sync *s = t->s;

    if (session_begin(t) < 0)
        return -1;
    if (session_put_cookie(t) < 0 || mirror_set_complete(s->mirror, clock_wall_ms()) < 0)
        return session_end_by_store(t);
    t->refused = 0;
    if (session_commit(t) < 0)
        return -1;
    seen_free(&t->seen);
    s->complete = 1;
    board_set(&s->env->board, BOARD_SYNC_WOULD_SWEEP, 0);
    board_add(&s->env->board, BOARD_SYNC_REFRESHES, 1);
    t->y->told[0] = '\0';
    log_refreshed(t);
    sync_phase(s, PHASE_PERSIST, t->y->uri);
    return 0;
}

static int
refresh_done(struct session *t, struct span cookie)
{
    t->refreshing = 0;
    t->y->persisted = 1;
    if (cookie_merge(&t->y->cookie, cookie) < 0)
        log_warning("a cookie that can't be used, the next refresh will be a long one uri=%s",
                    t->y->uri);
    return t->refused ? session_commit(t) : complete(t);
}

static int
on_phase(struct session *t, const struct syncrepl_info *info)
{
    int must = info->kind == INFO_REFRESH_PRESENT || (info->flag && !t->y->had_cookie);
    int guard = t->s->complete ? t->s->conf->directory.sweep_guard : 100;

    if (!t->refreshing)
        return session_end(t, END_LOST, "a refresh that was not asked for");
    if (must && !t->swept && sweep(t, guard) < 0)
        return -1;
    return info->flag ? refresh_done(t, info->cookie) : 0;
}

static int
on_set_member(void *ctx, const struct syncrepl_info *info, const unsigned char uuid[UUID_LEN])
{
    return info->flag ? session_delete(ctx, uuid) : session_note_seen(ctx, uuid);
}

static int
on_info(struct session *t, const struct berval *value)
{
    struct syncrepl_info info;

    if (syncrepl_info_read(value, &info, on_set_member, t) < 0)
        return t->end ? -1 : session_end(t, END_LOST, "a sync info that can't be read");
    if (info.kind == INFO_REFRESH_DELETE || info.kind == INFO_REFRESH_PRESENT)
        return on_phase(t, &info);
    if (!t->refreshing)
        session_take_cookie(t, info.cookie);
    return 0;
}

static int
on_intermediate(struct session *t, LDAPMessage *message)
{
    struct berval *value = NULL;
    char *oid = NULL;
    int rc = ldap_parse_intermediate(t->ld, message, &oid, &value, NULL, 0);

    if (rc != LDAP_SUCCESS)
        rc = session_end_by_code(t, END_LOST, "sync info", rc);
    else if (value && oid && strcmp(oid, LDAP_SYNC_INFO) == 0)
        rc = on_info(t, value);
    ber_bvfree(value);
    ldap_memfree(oid);
    return rc;
}

/* --- the end of the search --- */

static enum syncrepl_end
end_of_code(int code)
{
    switch (code) {
    case LDAP_SYNC_REFRESH_REQUIRED:
    case LDAP_X_SYNC_REFRESH_REQUIRED:
        return END_REFRESH;
    case LDAP_UNWILLING_TO_PERFORM:
        return END_BEHIND;
    default:
        return END_LOST;
    }
}

static int
on_result(struct session *t, LDAPMessage *message)
{
    int code = LDAP_DECODING_ERROR;
    char *text = NULL;

    ldap_parse_result(t->ld, message, &code, NULL, &text, NULL, NULL, 0);
    t->end = end_of_code(code);
    snprintf(t->y->error, sizeof t->y->error, "the provider ended the search: %d %s%s%s%s", code,
             ldap_err2string(code), text && text[0] ? " (" : "", text ? text : "",
             text && text[0] ? ")" : "");
    ldap_memfree(text);
    return -1;
}

/* --- messages --- */

static int
on_message(struct session *t, LDAPMessage *message)
{
    int id = ldap_msgid(message), type = ldap_msgtype(message);

    if (id == t->beat.id) {
        syncrepl_beat_answer(&t->beat, t->ld, message, t->refreshing);
        return 0;
    }
    if (id != t->search)
        return 0;
    switch (type) {
    case LDAP_RES_SEARCH_ENTRY:
        return on_entry(t, message);
    case LDAP_RES_INTERMEDIATE:
        return on_intermediate(t, message);
    case LDAP_RES_SEARCH_RESULT:
        return on_result(t, message);
    default:
        return 0; /* a referral: never followed */
    }
}

/* Handle what has arrived, at most ROUND messages. 1 there may be more, 0 there is none, -1 the end. */
static int
receive(struct session *t)
{
    int i, rc;

    for (i = 0; i < ROUND; i++) {
        struct timeval now = {0, 0};
        LDAPMessage *message = NULL;

        rc = ldap_result(t->ld, LDAP_RES_ANY, LDAP_MSG_ONE, &now, &message);
        if (rc == 0)
            return 0;
        if (rc < 0)
            return session_end_by_code(t, END_LOST, "connection", LDAP_SERVER_DOWN);
        beat_wait(); /* a slow disk may keep one entry waiting for long */
        rc = on_message(t, message);
        ldap_msgfree(message);
        if (rc < 0 || session_commit_when_due(t, 0) < 0)
            return -1;
        t->heard = -1;
    }
    return 1;
}

/* --- heart-beat --- */

static int
ask(struct session *t)
{
    int rc = syncrepl_beat_ask(&t->beat, t->ld, beat_now());

    return rc == LDAP_SUCCESS ? 0 : session_end_by_code(t, END_LOST, "heart-beat", rc);
}

/* Whether all the provider knew some time ago has come. */
static int
check_stall(struct session *t, int64_t now)
{
    int64_t ahead = syncrepl_beat_ahead(&t->beat, &t->y->cookie, now);
    char text[128];

    if (ahead <= t->y->stall_ms || t->refused)
        return 0;
    snprintf(text, sizeof text, "its contextCSN is ahead for %lld s", (long long)ahead / 1000);
    return session_end(t, END_STALLED, text);
}

/* Called when everything that had arrived was handled, so that our own delays are not the provider's. */
static int
heart_beat(struct session *t)
{
    const struct conf *conf = t->s->conf;
    int64_t now = beat_now(), since;
    char text[128];

    if (t->heard < 0) {
        t->heard = now;
        board_set(&t->s->env->board, BOARD_SYNC_BEAT_MS, (uint64_t)now);
    }
    if (check_stall(t, now) < 0)
        return -1;
    if (t->beat.id < 0)
        return now - t->beat.asked_ms >= conf->directory.heartbeat * 1000LL ? ask(t) : 0;
    since = t->heard > t->beat.asked_ms ? t->heard : t->beat.asked_ms;
    if (now - since <= conf->directory.timeout * 1000LL)
        return 0;
    snprintf(text, sizeof text, "no answer for %d s", conf->directory.timeout);
    return session_end(t, END_LOST, text);
}

/* --- the session --- */

static int
search(struct session *t)
{
    struct syncrepl *y = t->y;
    LDAPControl control, *controls[] = {&control, NULL};
    char text[COOKIE_TEXT_MAX];
    long n = cookie_write(&y->cookie, text, sizeof text);
    int rc;

    y->had_cookie = n > 0;
    if (syncrepl_request((struct span){text, n > 0 ? (size_t)n : 0}, &control) < 0)
        return session_end(t, END_LOST, "out of memory");
    rc = ldap_search_ext(t->ld, y->base, LDAP_SCOPE_SUBTREE, "(objectClass=*)",
                         (char **)t->s->feed.wanted, 0, controls, NULL, NULL, LDAP_NO_LIMIT,
                         &t->search);
    ber_memfree(control.ldctl_value.bv_val);
    if (rc != LDAP_SUCCESS)
        return session_end_by_code(t, END_LOST, "search", rc);
    t->refreshing = 1;
    t->heard = t->beat.asked_ms = t->began = beat_now();
    sync_phase(t->s, PHASE_REFRESH, y->uri);
    log_info("refresh begins uri=%s cookie=\"%s\"", y->uri, n > 0 ? text : "");
    return 0;
}

static int
on_accept(struct session *t)
{
    t->s->accept = 0;
    if (!t->refused || t->refreshing) {
        log_warning("sweep accepted, but none is refused now: ignored");
        return 0;
    }
    log_notice("sweep accepted by an administrator");
    return sweep(t, 100) < 0 ? -1 : complete(t);
}

static void
follow(struct session *t)
{
    int more;

    while (!t->s->stop) {
        if ((more = receive(t)) < 0)
            return;
        if (more == 0 && session_commit_when_due(t, 1) < 0)
            return;
        if (heart_beat(t) < 0 || (t->s->accept && on_accept(t) < 0))
            return;
        sync_wait(t->s, more ? -1 : syncrepl_conn_fd(t->ld), more ? 0 : 500);
    }
    t->end = END_STOP;
}

/* What has come is whole, however the session ended: keep it, and the cookie that stands for it. */
static void
keep(struct session *t)
{
    enum syncrepl_end end = t->end;

    t->end = END_NONE;
    if (end == END_STORE || session_commit(t) < 0)
        session_abort(t);
    if (t->end == END_NONE)
        t->end = end;
}

enum syncrepl_end
syncrepl_session(struct syncrepl *y)
{
    struct session t = {.y = y, .s = y->sync};
    struct sync *s = y->sync;

    y->persisted = y->had_cookie = y->follows = 0;
    sync_phase(s, PHASE_CONNECTING, y->told);
    if (syncrepl_load(y) < 0) {
        session_end_by_store(&t);
        return t.end;
    }
    beat_step();
    t.ld = syncrepl_conn_open(s->conf, y->uri, y->error, sizeof y->error);
    beat_now();
    if (!t.ld)
        return END_LOST;
    board_add(&s->env->board, BOARD_SYNC_CONNECTS, 1);
    syncrepl_beat_init(&t.beat, y->base);
    if (search(&t) == 0)
        follow(&t);
    keep(&t);
    y->follows = 0;
    beat_step();
    syncrepl_conn_close(&t.ld);
    beat_now();
    seen_free(&t.seen);
    return t.end;
}
