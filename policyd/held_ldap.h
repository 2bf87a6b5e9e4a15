/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_ldap: what the files of role held at the directory share. held_ldap.c has the connection and what is
 * asked by it, held_ldap_open.c makes one, held_ldap_entry.c keeps entries, held_ldap_hear.c hears
 * verdicts, held_ldap_compare.c compares, held_ldap_target.c keeps whom entries are about.
 *
 * Nothing here waits: a request is sent, and a job keeps what is to be done when its answer comes.
 */
#ifndef POSTROAD_HELD_LDAP_H
#define POSTROAD_HELD_LDAP_H

#include <ldap.h>

#include "held.h"

#define HELD_KEEPER_MAX 96

struct held_job;
struct held_opening;
struct held_stale;

/* An entry of a search has come; all of the answer has, or code says why not. The job is freed then. */
typedef void held_entry_fn(struct held *h, struct held_job *job, LDAPMessage *entry);
typedef void held_end_fn(struct held *h, struct held_job *job, int code);

struct held_job {
    struct held_job *next;
    int msgid;
    int64_t until_ms; /* monotonic: then the server counts as hung */
    held_entry_fn *on_entry;
    held_end_fn *on_end;
    const char *what; /* fixed text, for the log */
    char id[HELD_ID_MAX + 1];
    struct held_item *item; /* it is busy, so it stays; or NULL */
    enum held_state state;  /* that was sent */
    int whole;
    struct rights refusal;
    char verdict[17], by[1025];
    int64_t target_ms;          /* its item's when it was sent */
    char target[MIRROR_DN_MAX]; /* that was written, or found */
};

struct held_ldap {
    struct conf conf;                 /* with our bind in the place of the mirror's; borrows */
    char base[1100];                  /* cn=held,… */
    char keeper[HELD_KEEPER_MAX + 1]; /* who keeps our entries; "": can't be told */
    LDAP *ld;
    int lost;      /* it is to be closed */
    int no_keeper; /* the directory's schema does not know it */
    struct event *readable;
    struct held_job *jobs; /* whose answers are waited for */
    struct held_opening *opening;
    struct held_stale *stale; /* of the comparison under way */
    unsigned taking;          /* verdicts that are taken away now */
    int polling, comparing;
    int64_t retry_ms, poll_ms, compare_ms;
    int pause_ms;
};

/* held_ldap.c. Whether something can be sent. */
int held_ldap_usable(const struct held *h);
/* NULL: no memory. */
struct held_job *held_job_new(const char *what, const char *id, held_end_fn *on_end);
/* The request was sent (rc) as job->msgid: 0, the job is kept; -1 after logging, it is freed. */
int held_job_sent(struct held *h, struct held_job *job, int rc);
/* Something did not work: say so; without the connection when that is why. */
void held_ldap_trouble(struct held *h, const char *what, const char *of, int code);
/* IDs hold nothing that has to be escaped in a DN. */
void held_ldap_dn(const struct held_ldap *l, const char *id, char *out, size_t cap);
/* Its first value, NUL-terminated into out; "" when there is none, or it is longer. */
void held_ldap_value(const struct held *h, LDAPMessage *entry, const char *name, char *out,
                     size_t cap);

/*
 * held_ldap_open.c: connect in a thread of its own, for libldap waits for a server there. begin: 0, -1. end:
 * the connection it made; NULL and error: none. done: called in the event loop, then end is due.
 */
int held_opening_begin(struct held *h, void (*done)(struct held *h));
LDAP *held_opening_end(struct held *h, char *error, size_t n);
/* Nobody waits for it any more. */
void held_opening_forget(struct held *h);

/* held_ldap_hear.c, held_ldap_compare.c: begin to, unless it is under way. */
void held_ldap_poll(struct held *h);
void held_ldap_compare(struct held *h);
/* The comparison ended with the connection. */
void held_ldap_compare_stop(struct held *h);

/*
 * held_ldap_target.c. The entry has this target now (NULL: some other one): it is looked at again once the
 * mirror has heard of all there was until now; never where the mirror is a file's: what the directory knows
 * may be newer than that for ever. tick: those whose time has come.
 */
void held_target_seen(const struct held *h, struct held_item *item, const char *dn);
void held_target_tick(struct held *h, int64_t mono_ms);

/* held_ldap_keeper.c: a name for this very policyd, of its machine and chance, kept in the folder; "" and -1. */
int held_keeper(int folder, char out[HELD_KEEPER_MAX + 1]);

#endif
