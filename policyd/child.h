/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * child: the processes of the roles as the parent keeps them: started, watched by
 * their beats, started anew with back-off, ended. Time is an argument.
 */
#ifndef POSTROAD_CHILD_H
#define POSTROAD_CHILD_H

#include <stdint.h>
#include <sys/types.h>

#include "board.h"
#include "role_start.h"

#define CHILD_MAX             (BOARD_ROLES - 1)
#define CHILD_SILENCE_MS      2250  /* a role that did not beat for so long is killed */
#define CHILD_GRACE_MS        10000 /* so long it may take until its first beat */
#define CHILD_YOUNG_MS        1000  /* who dies before that is started anew with back-off */
#define CHILD_BACKOFF_MIN_MS  100
#define CHILD_BACKOFF_MAX_MS  5000
#define CHILD_BACKOFF_BEAT_MS 500  /* the same for one that had beaten: it works, until it is hit */
#define CHILD_END_MS          5000 /* from SIGTERM to SIGKILL */

struct generation; /* see generation.h */

enum child_state {
    CHILD_NONE,
    CHILD_WAITING, /* to be started at start_ms */
    CHILD_RUNNING,
    CHILD_REPLACED, /* told to end; then started with the generation it has by now */
    CHILD_ENDING    /* told to end for good */
};

struct child {
    enum child_state state;
    const struct role *role;
    const struct generation *generation;
    int page;
    pid_t pid;
    int fd; /* our end of its socketpair */
    int64_t started_ms, start_ms, kill_ms;
    int backoff_ms;
};

struct children {
    struct child at[CHILD_MAX];
    struct board *board;
    int board_fd;
    int stopping; /* nobody is started any more */
    const char *conf_path;
    void (*started)(void *ctx, struct child *c); /* its fd can be read now */
    void (*gone)(void *ctx, struct child *c);    /* its fd is about to be closed */
    void *ctx;
};

/* Have a role from now on, at the first free page from page on. NULL when there is none. */
struct child *child_add(struct children *cs, const struct role *role, int page,
                        const struct generation *g, int64_t now);
/* SIGTERM; SIGKILL when it takes too long. replace: start it anew afterwards. */
void child_end(struct child *c, int replace, int64_t now);
/* waitpid() said so. */
void child_died(struct children *cs, pid_t pid, int status, int64_t now);
/* Start who is due, kill who is silent or doesn't end. paused: we ourselves stood still, be patient. */
void child_watch(struct children *cs, int64_t now, int paused);
/* When child_watch has something to do next; INT64_MAX: nothing foreseen. */
int64_t child_next_ms(const struct children *cs);

/* How many of role (NULL: any) are there in any state, and how many of g beat since their start. */
int child_count(const struct children *cs, const struct role *role);
int child_beating(const struct children *cs, const struct role *role, const struct generation *g);

#endif
