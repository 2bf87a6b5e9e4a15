/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cold: the role that keeps tables Postfix reads by itself, for the case that none of
 * our processes lives: transport, mailbox, alias, domain, peer and tls, in cold.dir.
 *
 * Promises: a change of the mirror is in the tables within a second while all is well;
 * a table is never emptied because the mirror can't be read or was never filled, and a
 * failure leaves it as it was at the last write; whatever goes wrong here, mirror and
 * lookups at the socket don't notice. Holds no state of its own: it may be killed
 * at any moment, also between taking a lock and the commit.
 */
#include "cold.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "beat.h"
#include "log.h"

#define POLL_MS  200  /* between looks for changes */
#define RETRY_MS 5000 /* after a failure */
#define MODE     0640

int
cold_fail(struct cold *c, const char *what)
{
    snprintf(c->error, sizeof(c->error), "%s", what);
    return -1;
}

/* --- the tables --- */

static void
table_path(const struct cold *c, enum cold_id id, char *out, size_t cap)
{
    snprintf(out, cap, "%s/%s.lmdb", c->env->conf->cold.dir, map_name(cold_map(id)));
}

static void
tables_close(struct cold *c)
{
    for (int id = 0; id < COLD_N; id++)
        cold_table_close(&c->table[id]);
    c->generation = 0;
}

/* Have all of them open, and be they those at their places. 0, or -1. */
static int
tables_keep(struct cold *c, unsigned anew)
{
    char path[1100];

    for (int id = 0; id < COLD_N; id++) {
        if (c->table[id] && !cold_table_lost(c->table[id]))
            continue;
        cold_table_close(&c->table[id]);
        table_path(c, id, path, sizeof(path));
        c->generation = 0;
        c->table[id] =
            cold_table_open(path, MODE, (anew >> id & 1) != 0, c->error, sizeof(c->error));
        if (!c->table[id])
            return -1;
    }
    return 0;
}

static unsigned
tables_broken(const struct cold *c)
{
    unsigned broken = 0;

    for (int id = 0; id < COLD_N; id++)
        if (c->table[id] && cold_table_broken(c->table[id]))
            broken |= 1u << id;
    return broken;
}

/* New ones come in the old ones' place once they hold everything. */
static int
tables_publish(struct cold *c)
{
    for (int id = 0; id < COLD_N; id++) {
        if (!cold_table_is_new(c->table[id]))
            continue;
        beat_step();
        if (cold_table_publish(c->table[id]) < 0)
            return cold_fail(c, cold_table_error(c->table[id]));
        beat_now();
        log_notice("cold table built name=%s rows=%zu", map_name(cold_map(id)),
                   cold_table_rows(c->table[id]));
    }
    return 0;
}

/* --- looking --- */

enum due { DUE_NOTHING, DUE_CHANGES, DUE_ALL, DUE_UNKNOWN };

/* What the mirror holds that the tables don't; unknown: it can't be read, or was never filled. */
static enum due
look(struct cold *c)
{
    enum due due = DUE_UNKNOWN;
    const char *why;
    struct mirror *m;

    if (maps_begin(c->maps) == 0 && maps_generation(c->maps) > 0) {
        m = maps_mirror(c->maps, &why);
        due = maps_generation(c->maps) != c->generation ? DUE_ALL
              : mirror_change_next(m) != c->next        ? DUE_CHANGES
                                                        : DUE_NOTHING;
    }
    maps_end(c->maps);
    return due;
}

static void
note_current(struct cold *c)
{
    struct board *b = &c->env->board;
    uint64_t rows = 0;

    for (int id = 0; id < COLD_N; id++)
        rows += cold_table_rows(c->table[id]);
    board_set(b, BOARD_COLD_ROWS, rows);
    board_set(b, BOARD_COLD_CURRENT_MS, clock_wall_ms());
}

/* 0 when the tables hold what the mirror holds, or it does not say; -1 when they don't. */
static int
bring_up_to_date(struct cold *c, unsigned anew)
{
    enum due due;

    if (tables_keep(c, anew) < 0)
        return -1;
    while ((due = look(c)) == DUE_CHANGES)
        if (cold_pass_changes(c) < 0)
            return -1;
    if (due == DUE_ALL && (cold_pass_all(c) < 0 || tables_publish(c) < 0))
        return -1;
    if (due != DUE_UNKNOWN)
        note_current(c);
    return 0;
}

/* --- the loop --- */

static void
failed(struct cold *c, int *failing)
{
    static struct log_limit limit;
    unsigned skipped;

    board_add(&c->env->board, BOARD_COLD_ERRORS, 1);
    board_say(&c->env->board, c->error);
    if (log_limit(&limit, 1, 60, &skipped))
        log_error("cold tables are not up to date, Postfix reads them as they are why=\"%s\" "
                  "unlogged=%u",
                  c->error, skipped);
    *failing = 1;
}

static void
recovered(struct cold *c, int *failing)
{
    if (*failing)
        log_notice("cold tables are up to date again");
    board_say(&c->env->board, "");
    *failing = 0;
}

/* 0 when the parent is gone. */
static int
wait_ms(struct cold *c, int ms)
{
    struct pollfd fd = {c->env->parent_fd, POLLIN, 0};
    char buf[ROLE_MESSAGE_MAX];
    ssize_t n;

    if (poll(&fd, 1, ms) <= 0)
        return 1;
    n = read(fd.fd, buf, sizeof(buf));
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static void
loop(struct cold *c)
{
    int64_t retry_ms = 0;
    unsigned anew = 0;
    int failing = 0;

    do {
        if (beat_now() < retry_ms)
            continue;
        if (bring_up_to_date(c, anew) == 0) {
            recovered(c, &failing);
            anew = 0;
            continue;
        }
        failed(c, &failing);
        anew = tables_broken(c);
        tables_close(c);
        retry_ms = beat_now() + RETRY_MS;
    } while (wait_ms(c, POLL_MS));
}

static int
cold_prepare(struct role_env *env)
{
    (void)env;
    return 0;
}

static void
cold_free(struct cold *c)
{
    if (!c)
        return;
    tables_close(c);
    for (int id = 0; id < COLD_N; id++)
        free(c->batch[id].text);
    maps_free(&c->maps);
    free(c);
}

static struct cold *
cold_new(struct role_env *env)
{
    struct cold *c = calloc(1, sizeof(*c));
    int whole = c != NULL;

    if (!c)
        return NULL;
    c->env = env;
    c->maps = maps_new(env->conf, &env->board);
    whole = c->maps != NULL;
    for (int id = 0; id < COLD_N; id++)
        whole = (c->batch[id].text = malloc(COLD_TEXT)) != NULL && whole;
    if (whole)
        return c;
    cold_free(c);
    return NULL;
}

/* SIGTERM ends it as it ends any program: there is nothing to be finished. */
static int
cold_run(struct role_env *env)
{
    struct cold *c = cold_new(env);

    if (!c || beat_start(&env->board) < 0) {
        log_error("role cold can't start: no memory");
        cold_free(c);
        return 75;
    }
    loop(c);
    cold_free(c);
    return 0;
}

const struct role role_cold = {"cold", cold_prepare, cold_run, 0};
