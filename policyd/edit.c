/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * edit: the role that changes the directory for administrators, one change after the
 * other. It alone holds the credential that may act in their names, and talks to
 * nobody but role access and the directory.
 *
 * Promises: every request that somebody still waits for gets one answer; a change is
 * tried once. Must not believe that the asker is right: the directory decides. Must
 * not be needed for mail to flow.
 */
#include "edit.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "beat.h"
#include "log.h"
#include "role.h"
#include "sandbox.h"

#define WAIT_MS 500

static volatile sig_atomic_t ending;

static void
on_term(int number)
{
    (void)number;
    ending = 1;
}

static int
edit_prepare(struct role_env *env)
{
    char error[512];

    if (env->nlisten != 1) {
        log_error("edit was given no socket");
        return -1;
    }
    if (edit_ldap_setup(env->conf, error, sizeof error) == 0)
        return 0;
    log_error("edit can't start why=\"%s\"", error);
    return -1;
}

static void
log_change(const struct edit_request *q, enum edit_verdict verdict, const char *text,
           const char *why)
{
    static const char *const words[] = {"unsure", "no", "done"};

    if (*why)
        log_warning("directory not changed for an administrator error=\"%s\"", why);
    log_notice("quota change verdict=%s actor=\"%s\" target=\"%s\" bytes=%" PRIu64 " text=\"%s\"",
               words[verdict + 1], q->actor, q->target, q->bytes, text);
}

static void
answer(int fd, const struct conf *conf, struct edit_request *q)
{
    struct edit_answer a = {.id = q->id};
    char why[EDIT_TEXT];

    q->actor[EDIT_DN - 1] = q->target[EDIT_DN - 1] = '\0';
    if (beat_now() >= q->until_ms)
        return;
    beat_wait();
    a.verdict = edit_ldap_quota(conf, q, a.text, why);
    beat_now();
    log_change(q, a.verdict, a.text, why);
    if (send(fd, &a, sizeof a, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)sizeof a)
        log_warning("edit got rid of no answer error=\"%s\"", strerror(errno));
}

/* 0, or -1 when this role is to end. */
static int
step(struct role_env *env)
{
    struct pollfd p[] = {{env->parent_fd, POLLIN, 0}, {env->listen_fd[0], POLLIN, 0}};
    struct edit_request q;
    ssize_t n;

    beat_now();
    if (poll(p, 2, WAIT_MS) < 0)
        return errno == EINTR ? 0 : -1;
    if (p[0].revents)
        return -1; /* the parent says nothing: this is its end */
    if (!p[1].revents)
        return 0;
    n = recv(env->listen_fd[0], &q, sizeof q, MSG_DONTWAIT | MSG_TRUNC);
    if (n == (ssize_t)sizeof q)
        answer(env->listen_fd[0], env->conf, &q);
    else if (n == 0)
        return -1;
    return 0;
}

static int
edit_run(struct role_env *env)
{
    struct sigaction action = {.sa_handler = on_term};

    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    if (beat_start(&env->board) < 0) {
        log_error("edit can't start error=\"%s\"", strerror(errno));
        return 1;
    }
    while (!ending && step(env) == 0)
        ;
    return 0;
}

const struct role role_edit = {"edit", edit_prepare, edit_run, SANDBOX_CONNECT};
