/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * child: starting, watching and ending the processes of the roles.
 *
 * Promises: a role that died is started at once, with a back-off only when it died
 * young; one that stops beating is killed and started anew; one told to end that
 * doesn't is killed. Every restart is logged and counted on the parent's page.
 * Must not know why roles come and go: that is the parent's business.
 */
#include "child.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "generation.h"
#include "log.h"

static void
fill_order(const struct children *cs, const struct child *c, struct role_order *o)
{
    const struct generation *g = c->generation;

    *o = (struct role_order){.role = c->role,
                             .conf_path = cs->conf_path,
                             .page = c->page,
                             .board_fd = cs->board_fd,
                             .conf_fd = g->conf_fd};
    if (c->role == &role_answer)
        o->listen_fd[o->nlisten++] = g->map_fd;
    if (c->role == &role_policy)
        o->listen_fd[o->nlisten++] = g->policy_fd;
    if (c->role == &role_access)
        o->listen_fd[o->nlisten++] = g->access_fd;
    if (c->role == &role_access && g->edit_fd[0] >= 0)
        o->listen_fd[o->nlisten++] = g->edit_fd[0];
    if (c->role == &role_edit)
        o->listen_fd[o->nlisten++] = g->edit_fd[1];
    if (c->role == &role_queue)
        o->listen_fd[o->nlisten++] = g->queue_fd[1];
    if (c->role == &role_hook)
        o->listen_fd[o->nlisten++] = g->hook_fd;
    if (c->role == &role_control)
        o->listen_fd[o->nlisten++] = g->control_fd;
    if (c->role == &role_control && g->http_fd >= 0)
        o->listen_fd[o->nlisten++] = g->http_fd;
    if (c->role == &role_control && g->held_fd[0] >= 0)
        o->listen_fd[o->nlisten++] = g->held_fd[0];
    if (c->role == &role_held)
        o->listen_fd[o->nlisten++] = g->held_fd[1];
    if (c->role == &role_held && g->queue_fd[0] >= 0)
        o->listen_fd[o->nlisten++] = g->queue_fd[0];
}

static void
start_later(struct child *c, int most_ms, int64_t now)
{
    c->state = CHILD_WAITING;
    c->backoff_ms = c->backoff_ms ? c->backoff_ms * 2 : CHILD_BACKOFF_MIN_MS;
    if (c->backoff_ms > most_ms)
        c->backoff_ms = most_ms;
    c->start_ms = now + c->backoff_ms;
}

static void
child_start(struct children *cs, struct child *c, int64_t now)
{
    struct role_order o;
    int pair[2];

    c->pid = -1;
    board_bury(cs->board, c->page);
    fill_order(cs, c, &o);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0) {
        o.parent_fd = pair[1];
        c->pid = role_fork();
        if (c->pid == 0)
            role_exec(&o);
        close(pair[1]);
        if (c->pid < 0)
            close(pair[0]);
    }
    if (c->pid < 0) {
        log_error("can't start role=%s error=\"%s\"", c->role->name, strerror(errno));
        start_later(c, CHILD_BACKOFF_MAX_MS, now);
        return;
    }
    c->fd = pair[0];
    c->state = CHILD_RUNNING;
    c->started_ms = now;
    log_info("started role=%s pid=%d generation=%u", c->role->name, (int)c->pid,
             c->generation->number);
    cs->started(cs->ctx, c);
}

static struct child *
free_slot(struct children *cs, int page)
{
    for (int i = page - 1; i < CHILD_MAX; i++)
        if (cs->at[i].state == CHILD_NONE)
            return &cs->at[i];
    return NULL;
}

/* A slot belongs to a page: slot i to page i + 1, as the parent has page 0. */
struct child *
child_add(struct children *cs, const struct role *role, int page, const struct generation *g,
          int64_t now)
{
    struct child *c = free_slot(cs, page);

    if (!c)
        return NULL;
    memset(c, 0, sizeof(*c));
    c->role = role;
    c->generation = g;
    c->page = (int)(c - cs->at) + 1;
    child_start(cs, c, now);
    return c;
}

void
child_end(struct child *c, int replace, int64_t now)
{
    if (c->state == CHILD_WAITING) {
        c->start_ms = now;
        c->backoff_ms = 0;
        if (!replace)
            c->state = CHILD_NONE;
        return;
    }
    if (c->state != CHILD_RUNNING && c->state != CHILD_REPLACED)
        return;
    c->state = replace ? CHILD_REPLACED : CHILD_ENDING;
    c->kill_ms = now + CHILD_END_MS;
    kill(c->pid, SIGTERM);
}

static void
log_death(const struct child *c, int status, int64_t now)
{
    char how[64];

    if (WIFSIGNALED(status))
        snprintf(how, sizeof(how), "signal %d", WTERMSIG(status));
    else
        snprintf(how, sizeof(how), "exit code %d", WEXITSTATUS(status));
    if (c->state == CHILD_RUNNING)
        log_error("role died, starting it anew role=%s pid=%d by=\"%s\" age_ms=%lld", c->role->name,
                  (int)c->pid, how, (long long)(now - c->started_ms));
    else
        log_info("ended role=%s pid=%d by=\"%s\"", c->role->name, (int)c->pid, how);
}

/* Who reads a store whose pages are not there, or not what they were, dies like this. */
static int
may_be_damage(int status)
{
    int by = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

    return by == SIGBUS || by == SIGSEGV || by == SIGABRT;
}

static struct child *
find_pid(struct children *cs, pid_t pid)
{
    for (int i = 0; i < CHILD_MAX; i++)
        if (cs->at[i].state > CHILD_WAITING && cs->at[i].pid == pid)
            return &cs->at[i];
    return NULL;
}

static int
has_beaten(const struct children *cs, const struct child *c)
{
    return (int64_t)board_get(cs->board, c->page, BOARD_BEAT_MS) >= c->started_ms;
}

void
child_died(struct children *cs, pid_t pid, int status, int64_t now)
{
    struct child *c = find_pid(cs, pid);
    enum child_state was;
    int had_beaten;

    if (!c)
        return;
    log_death(c, status, now);
    cs->gone(cs->ctx, c);
    close(c->fd);
    had_beaten = has_beaten(cs, c);
    board_bury(cs->board, c->page);
    if (may_be_damage(status))
        board_add(cs->board, BOARD_DOUBTS, 1);
    was = c->state;
    c->state = CHILD_NONE;
    if (was == CHILD_ENDING || cs->stopping)
        return;
    if (was == CHILD_RUNNING)
        board_add(cs->board, BOARD_RESTARTS + c->page, 1);
    if (was == CHILD_RUNNING && now - c->started_ms < CHILD_YOUNG_MS) {
        start_later(c, had_beaten ? CHILD_BACKOFF_BEAT_MS : CHILD_BACKOFF_MAX_MS, now);
        return;
    }
    c->backoff_ms = 0;
    child_start(cs, c, now);
}

/* When a running role has been silent for too long, unless it beats until then. */
static int64_t
silence_ends(const struct children *cs, const struct child *c)
{
    int64_t beat = (int64_t)board_get(cs->board, c->page, BOARD_BEAT_MS);

    return has_beaten(cs, c) ? beat + CHILD_SILENCE_MS : c->started_ms + CHILD_GRACE_MS;
}

void
child_watch(struct children *cs, int64_t now, int paused)
{
    for (int i = 0; i < CHILD_MAX; i++) {
        struct child *c = &cs->at[i];

        if (c->state == CHILD_WAITING && now >= c->start_ms) {
            child_start(cs, c, now);
        } else if (c->state == CHILD_RUNNING && !paused && now >= silence_ends(cs, c)) {
            log_error("role stopped beating, killed role=%s pid=%d", c->role->name, (int)c->pid);
            kill(c->pid, SIGKILL);
        } else if (c->state >= CHILD_REPLACED && now >= c->kill_ms) {
            log_warning("role did not end in time, killed role=%s pid=%d", c->role->name,
                        (int)c->pid);
            c->kill_ms = now + CHILD_END_MS;
            kill(c->pid, SIGKILL);
        }
    }
}

int64_t
child_next_ms(const struct children *cs)
{
    int64_t next = INT64_MAX;

    for (int i = 0; i < CHILD_MAX; i++) {
        const struct child *c = &cs->at[i];
        int64_t due = c->state == CHILD_WAITING    ? c->start_ms
                      : c->state >= CHILD_REPLACED ? c->kill_ms
                                                   : INT64_MAX;

        next = due < next ? due : next;
    }
    return next;
}

int
child_count(const struct children *cs, const struct role *role)
{
    int n = 0;

    for (int i = 0; i < CHILD_MAX; i++)
        n += cs->at[i].state != CHILD_NONE && (!role || cs->at[i].role == role);
    return n;
}

int
child_beating(const struct children *cs, const struct role *role, const struct generation *g)
{
    int n = 0;

    for (int i = 0; i < CHILD_MAX; i++) {
        const struct child *c = &cs->at[i];

        n +=
            c->state == CHILD_RUNNING && c->role == role && c->generation == g && has_beaten(cs, c);
    }
    return n;
}
