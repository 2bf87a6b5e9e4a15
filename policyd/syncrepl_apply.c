/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * syncrepl_apply: what a provider says, into the mirror: transactions, the cookie
 * that stands for them, entries.
 *
 * Promises: cookie and data are in one transaction, and during a refresh the cookie
 * waits for its end. What counts as held for a proof is what readers can see: never
 * anything that is not committed. Must not speak with the provider.
 */
#include "syncrepl_session.h"

#include <stdio.h>
#include <stdlib.h>

#include "beat.h"
#include "syncrepl_conn.h"
#include "syncrepl_entry.h"

#define REFRESH_BATCH 20000 /* entries in one transaction of a refresh */
#define PERSIST_MS    10    /* longest a change waits for others to be committed with */
#define COOKIE_MS     1000  /* longest a cookie without data waits */

int
session_end(struct session *t, enum syncrepl_end end, const char *text)
{
    t->end = end;
    snprintf(t->y->error, sizeof t->y->error, "%s", text);
    return -1;
}

int
session_end_by_code(struct session *t, enum syncrepl_end end, const char *step, int code)
{
    char reason[400];

    syncrepl_conn_reason(t->ld, code, reason, sizeof reason);
    t->end = end;
    snprintf(t->y->error, sizeof t->y->error, "%s: %s", step, reason);
    return -1;
}

int
session_end_by_store(struct session *t)
{
    t->end = END_STORE;
    snprintf(t->y->error, sizeof t->y->error, "mirror: %s", mirror_error(t->s->mirror));
    return -1;
}

/* --- transactions --- */

int
session_begin(struct session *t)
{
    if (t->open)
        return 0;
    if (mirror_write_begin(t->s->mirror) < 0)
        return session_end_by_store(t);
    t->open = 1;
    t->batch = 0;
    t->opened = beat_now();
    return 0;
}

void
session_abort(struct session *t)
{
    if (t->open)
        mirror_write_abort(t->s->mirror);
    t->open = 0;
}

int
session_put_cookie(struct session *t)
{
    char text[COOKIE_TEXT_MAX];
    long n = cookie_write(&t->y->cookie, text, sizeof text);

    t->cookie_waits = 0;
    return n < 0 ? -1 : mirror_meta_put(t->s->mirror, "cookie", text, (size_t)n);
}

/* What was received by now can be seen by readers of the mirror. */
static void
visible(struct session *t)
{
    struct syncrepl *y = t->y;

    if (t->open || t->refreshing || t->refused)
        return;
    y->visible = y->cookie;
    y->follows = 1;
    syncrepl_prove(y);
}

/* Commit what is open, with the cookie where it stands for the data. */
int
session_commit(struct session *t)
{
    int with_cookie = t->cookie_waits && !t->refreshing && !t->refused;

    if (!t->open && (!with_cookie || session_begin(t) < 0))
        return t->end ? -1 : 0;
    if (with_cookie && session_put_cookie(t) < 0)
        return session_end_by_store(t);
    t->open = 0;
    if (sync_commit(t->s) < 0)
        return session_end_by_store(t);
    visible(t);
    return 0;
}

/* Between messages: is it time? Data is not kept waiting, a bare cookie is. */
int
session_commit_when_due(struct session *t, int idle)
{
    int64_t now;

    if (t->refreshing)
        return t->batch >= REFRESH_BATCH ? session_commit(t) : 0;
    if (!t->open && !t->cookie_waits)
        return 0;
    now = beat_now();
    if (t->open ? idle || now - t->opened >= PERSIST_MS : now - t->cookie_old >= COOKIE_MS)
        return session_commit(t);
    return 0;
}

/* A cookie from outside a refresh: of what is applied, so it goes with that. */
void
session_take_cookie(struct session *t, struct span cookie)
{
    if (cookie_merge(&t->y->cookie, cookie) != 1)
        return;
    if (!t->cookie_waits)
        t->cookie_old = beat_now();
    t->cookie_waits = 1;
    visible(t);
}

/* --- entries --- */

int
session_note_seen(struct session *t, const unsigned char uuid[UUID_LEN])
{
    if (!t->refreshing && !t->refused)
        return 0;
    return seen_add(&t->seen, uuid) < 0 ? session_end(t, END_STORE, "out of memory") : 0;
}

int
session_delete(struct session *t, const unsigned char uuid[UUID_LEN])
{
    if (session_begin(t) < 0)
        return -1;
    if (mirror_delete(t->s->mirror, uuid) < 0)
        return session_end_by_store(t);
    t->batch++;
    t->deleted++;
    board_add(&t->s->env->board, BOARD_SYNC_DELETES, 1);
    return 0;
}

static int
put_entry(struct session *t, LDAPMessage *entry, const unsigned char uuid[UUID_LEN])
{
    BerElement *ber = NULL;
    struct berval dn;
    int rc;

    if (session_begin(t) < 0)
        return -1;
    rc = syncrepl_entry_read(t->ld, entry, &t->s->feed.entry, &dn, &ber);
    if (rc == -2)
        rc = session_end(t, END_STORE, "out of memory");
    else if (rc < 0)
        rc = session_end(t, END_LOST, "an entry that can't be read");
    else if (feed_put(&t->s->feed, uuid, (struct span){dn.bv_val, dn.bv_len}) < 0)
        rc = session_end(t, END_STORE, t->s->feed.error);
    ber_free(ber, 0);
    t->batch++;
    t->changed++;
    board_add(&t->s->env->board, BOARD_SYNC_ENTRIES, 1);
    return rc;
}

int
session_apply(struct session *t, LDAPMessage *entry, const struct syncrepl_state *state)
{
    if (state->state == LDAP_SYNC_DELETE)
        return session_delete(t, state->uuid);
    if (state->state != LDAP_SYNC_PRESENT && put_entry(t, entry, state->uuid) < 0)
        return -1;
    return session_note_seen(t, state->uuid);
}
