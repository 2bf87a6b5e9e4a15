/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hook: what the files of role hook share. hook.c runs the role and keeps queue and store
 * in step, hook_conn.c speaks with who tells of new mail, hook_event.c makes events out of
 * what they say, hook_target.c knows the targets, hook_send.c sends by HTTP, hook_run.c runs commands.
 */
#ifndef POSTROAD_HOOK_H
#define POSTROAD_HOOK_H

#include <event2/event.h>
#include <stdint.h>
#include <sys/queue.h>

#include "hook_queue.h"
#include "hook_store.h"
#include "log.h"
#include "role.h"
#include "role_end.h"
#include "tabline.h"

#define HOOK_BATCH    512 /* rows written at once */
#define HOOK_PATTERNS CONF_LIST_MAX

/* Where events go. */
struct hook_target {
    char name[HOOK_NAME_MAX + 1];
    const char *url;                    /* or "command:" and a command line */
    const char *pattern[HOOK_PATTERNS]; /* of accounts; none: all */
    unsigned npatterns;
    char *secret, *headers; /* of the files: a key; lines of HTTP headers. NULL: none */
    size_t secret_n;
    char error[256]; /* why the last try failed, "" it did not */
    struct log_limit limit;
};

struct hook_conn;
TAILQ_HEAD(hook_conns, hook_conn);

/* An event on its way to the disk: a row for each target; and who waits for the answer. */
struct hook_entry {
    struct hook_conn *conn; /* NULL: is gone */
    unsigned targets;       /* bits */
    struct span account;    /* in text */
    size_t event_n;         /* of the event before its id, in text behind the account */
    char *text;
};

struct hook {
    struct role_env *env;
    struct event_base *base;
    struct hook_store *store;
    struct hook_queue *queue;
    struct hook_target target[HOOK_TARGETS];
    unsigned ntargets;
    struct hook_sender *sender;
    struct hook_runner *runner; /* NULL: no target is a command */
    int runner_fd;
    struct hook_entry batch[HOOK_BATCH];
    unsigned nbatch;
    uint64_t *removed; /* rows that are done with, still in the store */
    size_t nremoved, removed_cap;
    struct event *commit, *pump, *listener;
    struct role_end end;
    struct hook_conns conns;
    unsigned nconns;
    struct log_limit full_limit, store_limit, bad_limit;
    uint64_t oldest_shown;
    int ending;
    int anew; /* another process is to go on, that opens the store and reads all of it */
};

enum hook_outcome { HOOK_TAKEN, HOOK_REFUSED, HOOK_FAILED };

/* hook.c */
/* Have the entry written with the next batch; takes over text. */
void hook_enter(struct hook *h, const struct hook_entry *e);
/* Write what is waiting now, and answer. */
void hook_commit(struct hook *h);
/* What became of an event that was sent; why: for FAILED and REFUSED. */
void hook_landed(struct hook *h, struct hook_item *item, enum hook_outcome outcome,
                 const char *why);
void hook_pump(struct hook *h);
/* Remove an event at an administrator's word. */
void hook_drop(struct hook *h, struct hook_item *item);

/* hook_target.c. With the daemon's privileges: read files. 0, or -1 after logging. */
int hook_targets_load(struct hook *h, const struct conf *conf);
void hook_targets_free(struct hook *h);
/* Which of them want to hear of the account: bits. */
int hook_target_is_command(const char *url);
unsigned hook_targets_for(const struct hook *h, const char *account);
int hook_target_named(const struct hook *h, struct span name);

/*
 * hook_event.c: the event in a line, as an entry without conn. 1; 0 nobody wants it, or it has
 * no account that can be one; -1 no memory, or too long.
 */
int hook_event_take(const struct hook *h, const struct tabline *l, struct hook_entry *e);
/* The whole event with its id, into out; its length. */
size_t hook_event_finish(const struct hook_entry *e, const char *site, uint64_t seq,
                         char out[HOOK_EVENT_MAX]);

/* hook_conn.c */
void hook_conn_accept(struct hook *h);
void hook_conn_answer(struct hook_conn *c, const char *line);
void hook_conns_sweep(struct hook *h, int64_t now);
void hook_conns_close(struct hook *h);

/* hook_words.c: an administrator's question; the answer, one line, to the connection. */
void hook_words_answer(struct hook *h, struct hook_conn *c, const struct tabline *l);

/* hook_send.c */
struct hook_sender *hook_sender_new(struct hook *h);
void hook_sender_free(struct hook_sender **s);
/* Send n bytes of JSON; hook_landed follows, later. -1: it can't even begin. */
int hook_send(struct hook_sender *s, struct hook_target *t, struct hook_item *item,
              const char *event, size_t n);

/* hook_sign.c: HMAC-SHA-256 of time, a dot, and the event, as lower-case hex. */
void hook_sign(const char *key, size_t key_n, const char *time, const char *event, size_t n,
               char hex[65]);

#endif
