/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * access: what the files of role access share. access.c runs the loop, access_conn.c
 * keeps the connections, access_words.c answers the words of postroad-access(5),
 * access_session.c keeps open sessions, access_quota.c asks role edit, access_log.c writes the
 * audit log.
 */
#ifndef POSTROAD_ACCESS_H
#define POSTROAD_ACCESS_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/queue.h>

#include "access_decide.h"
#include "access_figures.h"
#include "audit.h"
#include "audit_openings.h"
#include "log.h"
#include "maps.h"
#include "role.h"
#include "role_end.h"
#include "tabline.h"

#define ACCESS_IN_MAX   (2 * TABLINE_MAX)
#define ACCESS_OUT_HIGH 32768 /* bytes of answers collected before they are written */
#define ACCESS_OUT_MAX  (ACCESS_OUT_HIGH + TABLINE_MAX)

/* A mailbox that is open. Texts are cut to what fits. */
struct access_session {
    TAILQ_ENTRY(access_session) link; /* of administrators, by number */
    uint64_t number;
    int64_t opened_ms; /* wall clock */
    enum access_mode mode;
    int rule;
    const char *why;
    unsigned withheld;
    char actor[ADDR_MAX + 1], target[ADDR_MAX + 1], service[32], remote[64], id[128], reason[256];
};

struct access_conn {
    TAILQ_ENTRY(access_conn) link; /* oldest sign of life first, apart for those with a session */
    struct event ev;
    struct access *access;
    struct access_session *session; /* NULL: none yet */
    char *in, *out;                 /* half a request; answers the client has not taken */
    size_t in_n, out_n, out_pos;
    int64_t alive_ms; /* monotonic */
    uint64_t
        edit_number; /* asked of role edit, see access_quota.c; 0: nothing. Requests wait meanwhile */
};
TAILQ_HEAD(access_conns, access_conn);

struct access {
    struct role_env *env;
    struct board *board;
    struct event_base *base;
    struct event *listener;
    struct role_end end;
    struct maps *maps;
    struct edit_ask *edit;
    struct audit *audit; /* NULL: can't be written for now */
    char audit_error[512];
    int64_t audit_retry_ms, openings_retry_ms, confirmed_ms;
    struct openings *openings;      /* NULL: can't be read for now */
    struct access_conns idle, busy; /* busy: with a session, or answers to be taken */
    TAILQ_HEAD(, access_session) sessions;
    unsigned nconns, nsessions, max_conns;
    uid_t milter_uid; /* who gets no answer; -1: nobody */
    uint64_t session_number;
    int not_accepting, ending;
    struct log_limit bad_limit, slow_limit, full_limit, accept_limit, refused_limit, audit_limit,
        openings_limit, failed_limit;
    struct rights_answer *work;
    char in[ACCESS_IN_MAX], out[ACCESS_OUT_MAX];
};

/* access_conn.c */
void access_accept(struct access *a);
void access_sweep(struct access *a, int64_t now_ms);
void access_close_all(struct access *a);
/* Whether it is one of policyd's own processes, or root: only these ask about others than themselves. */
int access_conn_is_policyd(const struct access_conn *c);
/* The answer that requests were waiting for; c may be gone afterwards. */
void access_conn_resume(struct access_conn *c, const char *answer, size_t n);

/*
 * access_words.c: answer one request into out (TABLINE_MAX). Its length; 0: the connection is to be
 * closed once what *last_n bytes in out say is written.
 */
size_t access_answer(struct access_conn *c, struct tabline *request, char *out, size_t *last_n);

/* access_session.c. A new one that is shown as open: NULL, no memory. */
struct access_session *access_session_new(struct access *a, const struct access_answer *answer,
                                          const struct tabline *request, const char *reason);
/* Writes its end to the audit log. */
void access_session_end(struct access *a, struct access_session **s);
/* An administrator's session with the least number above this; NULL: there is none. */
const struct access_session *access_session_after(const struct access *a, uint64_t number);

/* access_log.c: the audit log. 0: on disk; -1: not, and a_error says why. */
int access_log_open(struct access *a);
void access_log_tick(struct access *a, int64_t now_ms);
void access_log_close(struct access *a);
int access_log_add(struct access *a, const struct audit_record *r);
/* The same of a login, if it is to be recorded; good: it succeeded; own: into one's own mailbox. */
int access_log_login(struct access *a, const struct audit_record *r, int good, int own);

/* access_words.c: who may open what, out of the mirror. */
void access_ask(struct access *a, const struct access_question *q, struct access_answer *answer);

/* access_opening.c. Each tick; and what an opening, or the lack of one, makes of an answer. */
void access_opening_tick(struct access *a, int64_t now_ms);
void access_opening_apply(struct access *a, struct access_answer *answer, struct opening *o_r);

/* access_quota.c. The number of bytes; -1: it is none, 1: too large. */
int access_quota_parse(struct span text, uint64_t *bytes_r);
/* 1: c waits for the answer (edit_number is set); else why not: 0 there is no such way, -1 not now. */
int access_quota_ask(struct access_conn *c, struct span actor_dn, struct span target_dn,
                     uint64_t bytes, const char **why_r);

#endif
