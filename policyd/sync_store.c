/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sync, the store: what to do when the mirror on disk is not what it was.
 *
 * Whoever finds it damaged says so on the board ("doubt"), and for a role that died
 * of it the parent does. Until the doubt is cleared here no process opens the store
 * anew. A process of its own reads all of it, since it may die of that; only when it
 * does, or finds something, is the store put aside and filled anew from the
 * directory. Must not: throw a sound mirror away, as it may be all there is.
 */
#include "sync.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "beat.h"
#include "log.h"

#define WATCH_MS     1000
#define LOOK_S       300 /* a look that takes longer goes round in circles */
#define LOOK_WAIT_MS 20

enum { LOOK_SOUND, LOOK_DAMAGED, LOOK_UNSURE }; /* exit codes */

static void __attribute__((noreturn)) look_over(const struct conf *conf)
{
    char error[512];
    int verdict;

    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    alarm(LOOK_S);
    verdict = mirror_verify(conf->state_dir, (size_t)conf->mirror.size, error, sizeof error);
    if (verdict == 0)
        _exit(LOOK_SOUND);
    if (verdict < 0)
        log_error("mirror can't be looked over why=\"%s\"", error);
    else
        log_error("mirror damaged why=\"%s\"", error);
    _exit(verdict < 0 ? LOOK_UNSURE : LOOK_DAMAGED);
}

/* 1 sound, 0 not, -1 can't tell. */
static int
is_sound(struct sync *s)
{
    int status = 0;
    pid_t pid = fork(), done = 0;

    if (pid < 0)
        return -1;
    if (pid == 0)
        look_over(s->conf);
    while (!s->stop && (done = waitpid(pid, &status, WNOHANG)) == 0)
        sync_wait(s, -1, LOOK_WAIT_MS);
    if (done == pid && WIFEXITED(status) && WEXITSTATUS(status) == LOOK_UNSURE)
        return -1;
    if (done == pid)
        return WIFEXITED(status) && WEXITSTATUS(status) == LOOK_SOUND;
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return -1;
}

int
sync_store_check(struct sync *s)
{
    struct board *b = &s->env->board;
    uint64_t doubts = board_doubts(b);
    int sound;

    if (doubts == board_get(b, BOARD_SYNC, BOARD_SYNC_CHECKED))
        return 0;
    sound = is_sound(s);
    if (sound < 0) {
        if (!s->stop)
            sync_unread(s, "mirror: it can't be looked over");
        return -1;
    }
    if (sound) {
        log_notice("mirror looked over, it is sound");
    } else if (mirror_put_aside(s->conf->state_dir) == 0) {
        log_error("mirror put aside, begun anew");
    } else {
        log_error("mirror can't be put aside error=\"%s\"", strerror(errno));
        return -1;
    }
    board_set(b, BOARD_SYNC_CHECKED, doubts);
    return 0;
}

void
sync_store_watch(struct sync *s, int64_t now)
{
    static int64_t last;
    struct board *b = &s->env->board;
    const char *why;

    if (!s->mirror || s->doubt || now - last < WATCH_MS)
        return;
    last = now;
    why = mirror_missing(s->mirror);
    if (why) {
        log_error("mirror taken away, begun anew why=\"%s\"", why);
        if (mirror_replaced(s->mirror))
            mirror_put_aside(s->conf->state_dir);
    }
    if (!why && mirror_lock_lost(s->mirror)) {
        why = "its lock file is gone";
        log_error("mirror opened anew why=\"%s\"", why);
    }
    if (why || mirror_damaged(s->mirror))
        board_add(b, BOARD_DOUBTS, 1);
    if (board_doubts(b) != board_get(b, BOARD_SYNC, BOARD_SYNC_CHECKED))
        s->stop = s->doubt = 1;
}
