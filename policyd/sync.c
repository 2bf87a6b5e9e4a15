/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sync: the role that keeps the mirror: the only writer of the store, and the
 * only holder of the directory's credentials.
 *
 * Promises: whatever happens to the source, the mirror stays as it was at the last
 * commit and keeps answering; the heart-beat goes on through long steps that were
 * declared, and stops otherwise. SIGTERM or the parent's end stops it between two
 * entries, with the open transaction aborted or committed, never half done.
 */
#include "sync.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "clock.h"
#include "beat.h"
#include "freshness.h"
#include "log.h"
#include "sandbox.h"

#define WAIT_MAX_MS 500
#define WATCH_MS    200
#define REAP_MS     60000 /* between two looks for reader slots of killed processes */

static int term_pipe[2] = {-1, -1};

static void
on_term(int signal_number)
{
    int saved = errno;

    (void)signal_number;
    (void)!write(term_pipe[1], "", 1);
    errno = saved;
}

static int
catch_term(void)
{
    struct sigaction action = {.sa_handler = on_term};

    if (pipe2(term_pipe, O_CLOEXEC | O_NONBLOCK) < 0)
        return -1;
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGTERM, &action, NULL) < 0 || sigaction(SIGINT, &action, NULL) < 0)
        return -1;
    action.sa_handler = SIG_IGN;
    return sigaction(SIGPIPE, &action, NULL);
}

void
sync_phase(struct sync *s, enum board_phase phase, const char *text)
{
    struct board *b = &s->env->board;

    if (board_get(b, BOARD_SYNC, BOARD_SYNC_PHASE) != (uint64_t)phase)
        board_set(b, BOARD_SYNC_SINCE_MS, clock_wall_ms());
    board_set(b, BOARD_SYNC_PHASE, phase);
    board_say(b, text);
}

/* --- waiting --- */

static void
read_parent(struct sync *s)
{
    char message[ROLE_MESSAGE_MAX + 1];
    ssize_t n = read(s->env->parent_fd, message, ROLE_MESSAGE_MAX);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        s->stop = 1;
        return;
    }
    message[n] = '\0';
    if (strcmp(message, "sweep-accept") == 0)
        s->accept = 1;
}

static void
reap_now_and_then(struct sync *s, int64_t now)
{
    static int64_t last;

    if (!s->mirror || now - last < REAP_MS)
        return;
    last = now;
    mirror_reap_readers(s->mirror);
}

static void
watch_now_and_then(struct sync *s, int news, int64_t now)
{
    static int64_t last;

    if (!s->watch || (!news && now - last < WATCH_MS))
        return;
    last = now;
    s->watch(s);
}

int
sync_wait(struct sync *s, int fd, int timeout_ms)
{
    struct pollfd fds[4] = {{term_pipe[0], POLLIN, 0},
                            {s->env->parent_fd, POLLIN, 0},
                            {fd, POLLIN, 0},
                            {s->watch_fd, POLLIN, 0}};
    int rc;

    sync_store_watch(s, beat_now());
    reap_now_and_then(s, beat_now());
    rc = poll(fds, 4, timeout_ms < WAIT_MAX_MS ? timeout_ms : WAIT_MAX_MS);
    watch_now_and_then(s, rc > 0 && fds[3].revents, beat_now());
    if (rc <= 0)
        return 0;
    if (fds[0].revents)
        s->stop = 1;
    if (fds[1].revents)
        read_parent(s);
    return fds[2].revents != 0;
}

void
sync_sleep(struct sync *s, int64_t ms)
{
    int64_t end = beat_now() + ms, now;

    while (!s->stop && (now = beat_now()) < end)
        sync_wait(s, -1, end - now > WAIT_MAX_MS ? WAIT_MAX_MS : (int)(end - now));
}

/* --- what both sources say and do --- */

void
sync_store_error(struct sync *s, const char *doing)
{
    char text[BOARD_TEXT_MAX];

    snprintf(text, sizeof text, "mirror: %s: %s", doing, mirror_error(s->mirror));
    sync_unread(s, text);
}

static void
fail(struct sync *s, enum board_phase phase, const char *text)
{
    log_error("directory not read, mirror keeps answering why=\"%s\"", text);
    board_add(&s->env->board, BOARD_SYNC_ERRORS, 1);
    sync_phase(s, phase, text);
}

void
sync_error(struct sync *s, const char *text)
{
    fail(s, PHASE_ERROR, text);
}

void
sync_unread(struct sync *s, const char *text)
{
    fail(s, PHASE_UNREAD, text);
}

void
sync_refuse(struct sync *s, uint64_t would)
{
    char text[256];

    snprintf(text, sizeof text,
             "%llu of %llu entries would be removed, more than directory.sweep_guard allows: "
             "refused until an administrator accepts it",
             (unsigned long long)would, (unsigned long long)s->entries);
    log_error("sweep refused, mirror keeps answering why=\"%s\"", text);
    board_set(&s->env->board, BOARD_SYNC_WOULD_SWEEP, would);
    board_add(&s->env->board, BOARD_SYNC_SWEEPS_REFUSED, 1);
    sync_phase(s, PHASE_REFUSED, text);
}

int
sync_commit(struct sync *s)
{
    int rc;

    beat_step();
    rc = mirror_write_commit(s->mirror);
    beat_now();
    if (rc < 0)
        sync_store_error(s, "commit");
    return rc;
}

/* --- the role --- */

static int
prepare(struct role_env *env)
{
    return env->conf->directory.uri.n ? syncrepl_prepare(env->conf) : 0;
}

static int
open_store(struct sync *s, char *error, size_t error_n)
{
    beat_step();
    s->mirror =
        mirror_open_writer(s->conf->state_dir, (size_t)s->conf->mirror.size, error, error_n);
    s->feed.mirror = s->mirror;
    if (s->mirror)
        mirror_note_changes(s->mirror, *s->conf->cold.dir || *s->conf->homes.dir);
    beat_now();
    return s->mirror ? 0 : -1;
}

int
sync_reopen(struct sync *s)
{
    char error[512];

    mirror_close(&s->mirror);
    if (open_store(s, error, sizeof error) == 0)
        return 0;
    sync_unread(s, error);
    return -1;
}

static int
open_mirror(struct sync *s)
{
    struct mirror_info info;
    char error[512];

    if (sync_store_check(s) < 0)
        return -1;
    if (feed_open(&s->feed, s->conf, error, sizeof error) < 0 ||
        open_store(s, error, sizeof error) < 0) {
        sync_unread(s, error);
        return -1;
    }
    if (mirror_begin(s->mirror) < 0 || mirror_info(s->mirror, &info) < 0) {
        sync_store_error(s, "open");
        return -1;
    }
    mirror_end(s->mirror);
    s->complete = info.complete;
    s->entries = info.entries;
    return 0;
}

static int
run(struct role_env *env)
{
    struct sync s = {.env = env, .conf = env->conf, .watch_fd = -1};
    int ldap = env->conf->directory.uri.n > 0;
    int rc = -1;

    board_set(&env->board, BOARD_SYNC_SOURCE, ldap ? FRESHNESS_SYNCREPL : FRESHNESS_LDIF);
    sync_phase(&s, PHASE_NONE, "");
    board_publish(&env->board, BOARD_SYNC_PROOF_MS, 0);
    if (catch_term() < 0 || beat_start(&env->board) < 0)
        log_error("sync role not started errno=%d", errno);
    else if (open_mirror(&s) == 0)
        rc = ldap ? syncrepl_run(&s) : ldif_source_run(&s);
    feed_close(&s.feed);
    if (s.mirror)
        mirror_close(&s.mirror);
    env->lingers = s.lingers;
    return rc < 0 || s.doubt ? 75 : 0;
}

const struct role role_sync = {"sync", prepare, run, SANDBOX_CONNECT | SANDBOX_FORK};
