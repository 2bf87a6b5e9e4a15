/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * syncrepl_session, inside: what the two files of a session share. syncrepl_session.c
 * speaks with the provider, syncrepl_apply.c writes what it says. For these only.
 */
#ifndef POSTROAD_SYNCREPL_SESSION_H
#define POSTROAD_SYNCREPL_SESSION_H

#include "syncrepl.h"
#include "syncrepl_ber.h"
#include "syncrepl_csn.h"

struct session {
    struct syncrepl *y;
    struct sync *s;
    LDAP *ld;
    int search; /* message id */
    struct syncrepl_beat beat;
    int csn_seen;       /* in the answer to the last heart-beat */
    struct cookie told; /* what the provider knew at a heart-beat, until it has come; n 0: it has */
    int64_t told_ms;
    int64_t heard;         /* ms: last answer of any kind; -1: just now */
    int refreshing, swept; /* swept: in this refresh */
    int refused; /* the guard stopped the sweep; seen is kept for an administrator's word */
    int open;    /* a transaction is */
    int64_t opened;
    unsigned batch;     /* changes in it */
    int cookie_waits;   /* the merged cookie is newer than the stored one */
    int64_t cookie_old; /* since when */
    struct seen seen;
    uint64_t changed, deleted; /* by the refresh, for the log */
    int64_t began;
    enum syncrepl_end end;
};

/* End the session: why, in words. All return -1. */
int session_end(struct session *t, enum syncrepl_end end, const char *text);
int session_end_by_code(struct session *t, enum syncrepl_end end, const char *step, int code);
int session_end_by_store(struct session *t);

/* All that follow: 0, or -1 and the session is ended. A transaction is begun when there is none. */
int session_begin(struct session *t);
void session_abort(struct session *t);
/* Only puts it: the caller ends the session when this fails. */
int session_put_cookie(struct session *t);
/* Commit what is open, with the cookie where it stands for the data. */
int session_commit(struct session *t);
/* Between messages: is it time? Data is not kept waiting, a bare cookie is. */
int session_commit_when_due(struct session *t, int idle);
/* A cookie from outside a refresh: of what is applied, so it goes with that. */
void session_take_cookie(struct session *t, struct span cookie);

/* In a refresh: this entry is still there. */
int session_note_seen(struct session *t, const unsigned char uuid[UUID_LEN]);
int session_delete(struct session *t, const unsigned char uuid[UUID_LEN]);
/* What the provider says of one entry. */
int session_apply(struct session *t, LDAPMessage *entry, const struct syncrepl_state *state);

#endif
