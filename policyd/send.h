/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * send: what guard_send() wants to know, out of the mirror and the counters. send_find.c
 * finds people, send_login.c those who have logged in, send_above.c what holds for them,
 * send_list.c says who may write to a list, policy_send.c puts it together for smtpd.
 *
 * All of it between maps_begin and maps_end; spans and records are good until then.
 */
#ifndef POSTROAD_SEND_H
#define POSTROAD_SEND_H

#include "guard_send.h"
#include "limits.h"
#include "maps.h"
#include "policy_role.h"

#define SEND_LEVELS 64
#define SEND_TOTALS 8  /* departments and domains above one account that have limits for all */
#define SEND_AT_MAX 64 /* bytes of "ou=hr" in a reply */

enum send_function { SEND_SUBMISSION, SEND_EXTERNAL, SEND_RECEIVE, SEND_FUNCTIONS };

/* A department or domain with limits for all below it together. */
struct send_total {
    unsigned char uuid[UUID_LEN];
    struct limits limits;
    char at[SEND_AT_MAX];
};

/* An account or list, and what holds for it, inherited things included. */
struct send_entry {
    int found; /* 1; 0 there is none, and that is a fact; -1 can't tell */
    int ours;  /* 1 an address of our domains; 0 not; -1 */
    unsigned char uuid[UUID_LEN];
    struct record record; /* of lists; of people see send_record */
    enum record_kind kind;
    enum record_state state;
    struct limits limits;
    unsigned ntotals, nabove;
    char domain[ADDR_DOMAIN_MAX + 1];           /* primary name of the domain it is in; "" */
    char withheld[SEND_FUNCTIONS][SEND_AT_MAX]; /* by which entry; "" not withheld */
    char limit_at[LIMIT_KIND_N][SEND_AT_MAX];   /* which entry says it, of limits that are set */
    struct send_total totals[SEND_TOTALS];
    uint32_t above[SEND_LEVELS]; /* numbers of the entries above, nearest first, see mirror_org */
};

/* login: exactly this address, without an extension, and no catch-all. */
void send_find(struct worker *w, struct span address, int login, struct send_entry *e);
/*
 * The same of a recipient, of whom only lists are read: of others found, ours, kind, state and uuid are set.
 * 1: he was found by just this address, or by another name of its domain; else 0.
 */
int send_find_list(struct worker *w, struct span address, struct send_entry *e);

/* Who has logged in by that name, as send_find; valid until the next call. */
const struct send_entry *send_login(struct worker *w, struct span login);
/* To whom somebody writes who has logged in, as send_find_list. */
void send_recipient(struct worker *w, struct span address, struct send_entry *e);
/* Nothing known yet. */
void send_begin(struct send_entry *e);
/* What the directory says of who was found, to be read when it is needed. 0; -1 it can't be. */
int send_record(struct worker *w, const struct send_entry *e, struct record *r);

/*
 * Another number as soon as anything may differ that was read before, for what is kept; 0: can't be
 * told, so keep nothing.
 */
uint32_t send_era(struct worker *w, struct mirror *m);
/* What the entry says of functions and limits, unless something nearer did. 0, or -1: it can't be held. */
int send_take(struct send_entry *e, const struct record *r, const unsigned char uuid[UUID_LEN]);
/* Whether send_take() would find nothing there. */
int send_says_nothing(const struct record *r);
/* And what it inherits from the container of that number and all above it. 0, or -1: can't be told. */
int send_inherit(struct worker *w, struct mirror *m, struct send_entry *e, uint32_t number);

/* Whose address it is, by any name of its domain, no catch-all: 1; 0 nobody's as far as is known; -1. */
int send_owner(struct worker *w, struct span address, unsigned char uuid[UUID_LEN]);

/* Whether who logged in by that name, and was found, may send as sender (no address: always). */
enum guard_known send_owns(struct worker *w, const struct send_entry *e, struct span login,
                           struct span sender);

/*
 * Whether it may write to the list; who is NULL for those who are not logged in, and then only
 * "anyone" and addresses of other domains than ours let him, since anybody can claim to be sender.
 */
enum guard_known send_may_write(struct worker *w, const struct send_entry *list,
                                const struct send_entry *who, struct span sender);

/*
 * A request that is none of the hand-off, as policy_handoff. Counts at DATA. open, tick and close:
 * the counters, with the role's life.
 */
enum policy_answer policy_send(struct worker *w, const struct policy_request *req, char *action,
                               size_t cap);
/*
 * The same question at RCPT, not counted, and the answer explained as one line (tabline.h): word
 * "explained", verdict, rule, why, action, and what was looked at. Bytes, 0: it did not fit.
 */
size_t policy_send_explain(struct worker *w, const struct policy_request *req, char *out,
                           size_t cap);
int policy_send_open(struct worker *w);
void policy_send_tick(struct worker *w);
void policy_send_close(struct worker *w);

#endif
