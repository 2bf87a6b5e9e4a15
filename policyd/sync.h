/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sync: what the two sources of the directory (LDIF file, LDAP provider) share
 * inside the role: mirror, heart-beat, board, and one place to wait.
 */
#ifndef POSTROAD_SYNC_H
#define POSTROAD_SYNC_H

#include <stdint.h>

#include "feed.h"
#include "role.h"

struct sync {
    struct role_env *env;
    const struct conf *conf;
    struct mirror *mirror;
    struct feed feed;
    int complete;     /* the mirror was filled once: the sweep guard watches over it */
    uint64_t entries; /* in the mirror when it was opened */
    int stop;         /* SIGTERM came, or the parent is gone: finish and return */
    int doubt;        /* the store on disk is in doubt: begin anew */
    int watch_fd;     /* -1: none; when it is readable, and now and then, watch is called */
    void (*watch)(struct sync *s);
    void *watch_ctx;
    int lingers; /* a thread could not be stopped, see role.h */
    int accept;  /* an administrator confirmed a refused sweep; the source clears it */
};

/* Before privileges are dropped; LDAP only. 0, or -1 after logging. */
int syncrepl_prepare(const struct conf *conf);

/* The sources; each returns when s->stop, or with -1 after logging when it can't go on. */
int ldif_source_run(struct sync *s);
int syncrepl_run(struct sync *s);

/* Show the phase on the board, with a text; logs nothing. */
void sync_phase(struct sync *s, enum board_phase phase, const char *text);

/*
 * Beat and wait until fd is readable (-1: none), something came from the parent, or timeout_ms passed.
 * Returns 1 when fd is readable, else 0; sets s->stop and s->accept. Never longer than 500 ms.
 */
int sync_wait(struct sync *s, int fd, int timeout_ms);
/* The same, in short waits, until the time is over or s->stop. */
void sync_sleep(struct sync *s, int64_t ms);

/* Wall clock, ms since 1970. */

/* A commit, which may take long, with the heart-beat kept up. 0, or -1 after logging. */
int sync_commit(struct sync *s);
/* Close and open the store, to give the memory of a large transaction back. 0, or -1: it is closed. */
int sync_reopen(struct sync *s);
/* Log what the mirror's last call ran into. */
/* Before the store is opened: clear the doubts somebody has about it. 0, or -1: not cleared. */
int sync_store_check(struct sync *s);
/* Now and then: stop when the store on disk is not what it was. */
void sync_store_watch(struct sync *s, int64_t now);
/* An error too, but none of the file's: what the mirror lacks may be in it. */
void sync_unread(struct sync *s, const char *text);
void sync_store_error(struct sync *s, const char *doing);
/* A sweep was refused: log, show. */
void sync_refuse(struct sync *s, uint64_t would);
/* An error of the source: log, count, show. */
void sync_error(struct sync *s, const char *text);

#endif
