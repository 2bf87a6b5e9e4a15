/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held: what the files of role held share. held.c runs the role, held_scan.c keeps the folder and the
 * index in step, held_act.c does what held_step says, held_words.c answers administrators,
 * held_rights.c asks the mirror, held_ldap.c keeps the entries of the directory and hears verdicts there,
 * held_queue.c asks role queue, held_mail.c sends notices, that held_notice.c writes.
 */
#ifndef POSTROAD_HELD_H
#define POSTROAD_HELD_H

#include <event2/event.h>

#include "held_clock.h"
#include "held_index.h"
#include "held_limit.h"
#include "log.h"
#include "maps.h"
#include "rights_ask.h"
#include "role.h"

#define HELD_GRACE_MS 300000 /* so long Postfix may take to have a message whose record is there */
#define HELD_RECHECK_MS \
    3600000              /* so often it is asked for one it had, seldom when there are many */
#define HELD_BUSY_MAX 16 /* answers waited for at once */
#define HELD_ERROR    512

struct access_client;
struct held_ldap;
struct held_mailer;
struct queue_ask;

struct held {
    struct role_env *env;
    struct event_base *base;
    int folder, watch_fd; /* STATE/held, and inotify's for it */
    int drop, watch_new;  /* STATE/held/new, and its number there */
    struct held_index index;
    struct held_clock clock;
    int64_t stored_ms, scan_ms; /* monotonic: when the clock is stored, the folder read again */
    unsigned pass, busy;
    int full;
    int whole; /* all that is in the folder is in the index */
    struct maps *maps;
    struct rights_answer *work;
    struct rights refusal; /* why the verdict at hand is refused */
    int64_t confirmed_ms;
    struct access_client *access;
    struct queue_ask *queue;    /* NULL: there is no role queue */
    struct held_asked *asked;   /* what it was asked and has not answered */
    struct held_ldap *ldap;     /* NULL: no directory is told */
    struct held_mailer *mailer; /* NULL: nobody is told */
    struct held_limit *limit;
    struct held_record record; /* the one at hand */
    struct log_limit store_limit, queue_limit, ldap_limit, mail_limit, audit_limit, verdict_limit,
        take_limit;
};

/* held.c. Do soon what there is to do. */
void held_soon(struct held *h);
int64_t held_wall_ms(void);

/*
 * held_scan.c. start: open the folder, read all of it; 0, or -1 after logging. scan: again, as what is
 * known of it may be incomplete. watched: inotify has something to say.
 */
int held_scan_start(struct held *h);
void held_scan(struct held *h, int64_t mono_ms);
void held_watched(struct held *h);
void held_scan_close(struct held *h);
/* The time; it is stored now and then. */
int64_t held_time(struct held *h, int64_t mono_ms);

/*
 * held_take.c: what the milter has put down. setup: with privileges. One becomes ours, in the folder and not
 * yet in the index: 1; else 0. All of them, how many; what unfinished writes left before before_s goes.
 */
void held_take_setup(const struct conf *conf);
int held_take_open(struct held *h, char *error, size_t error_n);
int held_take(struct held *h, const char *id);
unsigned held_take_all(struct held *h, int64_t before_s);

/* held_store.c: h->record from disk, and back, which takes it to the item, too. 0, or -1 after logging. */
int held_load(struct held *h, struct held_item *item);
int held_save(struct held *h, struct held_item *item);

/* So long Postfix is not asked again for a message it had: each time its whole queue is read. */
int64_t held_recheck_ms(const struct held *h);

/* held_act.c. All that is due; figures. */
void held_advance(struct held *h, int64_t mono_ms);
/* An answer has come for the item: look at it at once, or after a while. */
void held_settled(struct held *h, struct held_item *item, int failed);

/*
 * held_verdict.c. The first verdict for a message that is held goes to disk: 1; 0 there was one before, -1
 * it could not be written (then nothing has changed). by: a DN or "root@host".
 */
int held_decide(struct held *h, struct held_item *item, int approve, struct span by,
                struct span reason);
/*
 * A verdict found in the directory, by whom its entry was changed last. 1 it is of no concern any more, or
 * was taken; -1 later; 0 it is none, or he has no right to it: it is to be taken away again.
 */
int held_verdict_heard(struct held *h, const char *id, const char *verdict, const char *by,
                       const char *reason);
/* It is taken away, about h->record: for the log, and the audit log, which must not hold anything up. */
void held_verdict_refused(struct held *h, const char *verdict, const char *by);

/* held_words.c: requests of role control have come. */
void held_words(struct held *h, int fd);

/* held_rights.c. RIGHTS_ of "actor approve target", of h->record; rule and why in *r. */
enum rights_verdict held_may(struct held *h, struct span actor, struct rights *r);
/* The moment (monotonic) up to which the mirror has heard of all changes; 0: it can't be told. */
int64_t held_mirror_heard(const struct held *h);
/* Note in h->record which entry its target is, if it can be told: its address and DN may change. */
void held_know_target(struct held *h);
/* The DN of the record's target, into out: 1, 0 there is none, -1 can't tell. */
int held_target_dn(struct held *h, char out[MIRROR_DN_MAX]);
/* The address of who has this DN; the name itself where nobody has, or it can't be told. */
void held_address_of(struct held *h, const char *name, char out[1025]);
/* Whether the record's sender is an account of ours: 1, 0, -1. */
int held_sender_inside(struct held *h);

/* held_audit.c: have h->record's verdict written down; held_settled follows. -1: not now. */
int held_audit(struct held *h, struct held_item *item);
/* That a verdict about h->record was refused; nobody waits for that. */
void held_audit_refused(struct held *h, const char *verdict, const char *by,
                        const struct rights *r);

/* held_queue.c: ask for, release or delete h->record's message; held_settled follows. -1: not now. */
int held_queue_open(struct held *h, int fd);
void held_queue_close(struct held *h);
int held_queue_look(struct held *h, struct held_item *item);
int held_queue_order(struct held *h, struct held_item *item, int release);

/* held_ldap.c. setup: with privileges. */
int held_ldap_wanted(const struct conf *conf);
int held_ldap_setup(const struct conf *conf, char *error, size_t n);
int held_ldap_open(struct held *h);
void held_ldap_close(struct held *h);
/* Connect if it is time to, hear verdicts, compare now and then. */
void held_ldap_tick(struct held *h, int64_t mono_ms);
/* 1 it can be written to, 0 there is none, -1 not now. */
int held_ldap_state(const struct held *h);
/*
 * Of h->record: make the entry; give it the state. Remove the item's entry: it is not published then. 0:
 * held_settled follows; -1: not now.
 */
int held_ldap_publish(struct held *h, struct held_item *item);
int held_ldap_show(struct held *h, struct held_item *item);
int held_ldap_remove(struct held *h, struct held_item *item);

/*
 * held_tell.c: tell h->record's sender that it is held, or (end) what became of it, singly or with others; 0,
 * -1: not now. untold: that was not taken. told: a process before this one did.
 */
int held_tell(struct held *h, struct held_item *item, int end);
void held_untold(struct held *h, const char *id, int end, unsigned more);
void held_told(struct held *h);

/*
 * held_mail.c: a notice about h->record and others (more: how many in all, else 0), if there is room. -1: no
 * memory, nothing was sent.
 */
int held_mail_open(struct held *h);
void held_mail_close(struct held *h);
int held_mail_room(const struct held *h);
int held_mail_send(struct held *h, int end, unsigned more);

#endif
