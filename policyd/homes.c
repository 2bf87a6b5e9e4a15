/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * homes: the role that tells Dovecot who lives at another site, so that people may sign
 * in at any site and are proxied to their mailbox: files of passdb fields in homes.dir,
 * see homes_table.h. Where somebody lives is what the transport map says: his own home
 * site, his department's or domain's, or the standby site of one that failed over.
 *
 * Promises: a change of the mirror is in the files within a second while all is well; no
 * file is touched because the mirror can't be read or was never filled. Whose mailbox
 * is moving, or whose home nobody knows, has no line: he is refused, or not, by the
 * site's own passdb. Holds no state but the files: may be killed at any moment.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "beat.h"
#include "homes_table.h"
#include "log.h"
#include "maps.h"
#include "role.h"

#define POLL_MS  200  /* between looks for changes */
#define RETRY_MS 5000 /* after a failure */
#define PART     1000 /* addresses looked up in one snapshot */

struct homes {
    struct role_env *env;
    struct maps *maps;
    struct homes_table *table;
    uint64_t generation, next; /* of the mirror, that the table holds; generation 0: unknown */
    char out[SOCKETMAP_REPLY_MAX];
    char error[1024];
    unsigned left; /* of this part */
    int failed;
};

static int
fail(struct homes *h, const char *what)
{
    snprintf(h->error, sizeof h->error, "%s", what);
    return -1;
}

/* --- where people sign in --- */

/* The host that homes.hosts names for the site: "site=host" or "site=host/ip". 1, or 0. */
static int
named_host(const struct conf *conf, const char *site, struct span *host, struct span *ip)
{
    size_t n = strlen(site);

    for (size_t i = 0; i < conf->homes.hosts.n; i++) {
        const char *p = conf->homes.hosts.v[i], *slash;

        if (strncasecmp(p, site, n) != 0 || p[n] != '=')
            continue;
        p += n + 1;
        slash = strchr(p, '/');
        *host = slash ? (struct span){p, (size_t)(slash - p)} : span_of(p);
        *ip = slash ? span_of(slash + 1) : (struct span){NULL, 0};
        return 1;
    }
    return 0;
}

/* The address of its first next hop, "[192.0.2.1]:25". 1, or 0. */
static int
hop_host(const struct site *s, struct span *host)
{
    const char *p = s->nhops > 0 ? s->hops[0].hop : "", *end;

    if (*p == '[' && (end = strchr(p, ']'))) {
        *host = (struct span){p + 1, (size_t)(end - p) - 1};
        return 1;
    }
    *host = (struct span){p, strcspn(p, ":")};
    return host->n > 0;
}

/* What the line of an address says: the host of another site, or nothing. 0, or -1 can't tell. */
static int
set_address(struct homes *h, struct span address)
{
    const struct conf *conf = h->env->conf;
    struct span host = {NULL, 0}, ip = {NULL, 0};
    struct map_trace t;
    size_t n;

    if (maps_lookup(h->maps, MAP_TRANSPORT, address, h->out, sizeof h->out, &n, &t) ==
        SOCKETMAP_TEMP)
        return fail(h, t.why);
    if (t.found && t.claim.kind == KIND_ACCOUNT && t.claim.how == CLAIM_PRIMARY &&
        strcmp(t.how, "address") == 0 && t.route.verdict == ROUTE_HANDOFF &&
        !named_host(conf, t.route.site->name, &host, &ip))
        hop_host(t.route.site, &host);
    if (homes_table_set(h->table, address, host, ip, span_of(conf->homes.fields)) < 0)
        return fail(h, "no memory");
    return 0;
}

/* --- passes --- */

static struct mirror *
snapshot_begin(struct homes *h)
{
    const char *why;
    struct mirror *m;

    beat_now();
    if (maps_begin(h->maps) == 0 && maps_generation(h->maps) > 0)
        return maps_mirror(h->maps, &why);
    m = maps_mirror(h->maps, &why);
    fail(h, m ? "the mirror was never filled" : why);
    maps_end(h->maps);
    return NULL;
}

static int
each_address(void *ctx, struct span address)
{
    struct homes *h = ctx;

    if (h->left == 0)
        return 1;
    h->left--;
    if (set_address(h, address) == 0)
        return 0;
    h->failed = 1;
    return 1;
}

/* A part of the addresses: 1, 0 there are no more, -1. */
static int
pass_part(struct homes *h, uint64_t *at)
{
    struct mirror *m = snapshot_begin(h);
    int more = 1;

    if (!m)
        return -1;
    h->left = PART;
    h->failed = 0;
    while (more == 1 && h->left > PART / 2 && !h->failed) {
        more = mirror_next_addresses(m, at, each_address, h);
        h->left -= h->left > 0; /* one that holds none counts, too */
    }
    if (more < 0)
        fail(h, mirror_error(m));
    maps_end(h->maps);
    return h->failed ? -1 : more;
}

static int
pass_all(struct homes *h)
{
    struct mirror *m = snapshot_begin(h);
    uint64_t at = 0;
    int more;

    if (!m)
        return -1;
    h->generation = maps_generation(h->maps);
    h->next = mirror_change_next(m);
    maps_end(h->maps);
    homes_table_free(&h->table);
    h->table = homes_table_new();
    if (!h->table)
        return fail(h, "no memory");
    do
        more = pass_part(h, &at);
    while (more == 1);
    return more;
}

static int
pass_changes(struct homes *h)
{
    struct mirror *m = snapshot_begin(h);
    uint64_t next;
    int kept;

    if (!m)
        return -1;
    next = mirror_change_next(m);
    h->left = MIRROR_CHANGES + 1;
    h->failed = 0;
    kept = mirror_each_change(m, h->next, each_address, h);
    if (kept < 0)
        fail(h, mirror_error(m));
    maps_end(h->maps);
    if (kept < 0 || h->failed)
        return -1;
    h->next = next;
    return kept == 0 ? pass_all(h) : 0;
}

/* --- the loop --- */

enum due { DUE_NOTHING, DUE_CHANGES, DUE_ALL, DUE_UNKNOWN };

static enum due
look(struct homes *h)
{
    enum due due = DUE_UNKNOWN;
    const char *why;
    struct mirror *m;

    if (maps_begin(h->maps) == 0 && maps_generation(h->maps) > 0) {
        m = maps_mirror(h->maps, &why);
        due = maps_generation(h->maps) != h->generation ? DUE_ALL
              : mirror_change_next(m) != h->next        ? DUE_CHANGES
                                                        : DUE_NOTHING;
    }
    maps_end(h->maps);
    return due;
}

static void
note_current(struct homes *h, int written)
{
    struct board *b = &h->env->board;

    board_set(b, BOARD_HOMES_PEOPLE, homes_table_people(h->table));
    board_set(b, BOARD_HOMES_CURRENT_MS, (uint64_t)clock_wall_ms());
    board_add(b, BOARD_HOMES_WRITTEN, (uint64_t)written);
}

static int
bring_up_to_date(struct homes *h)
{
    enum due due = look(h);
    int written;

    if (due == DUE_UNKNOWN)
        return 0;
    if (due == DUE_ALL ? pass_all(h) < 0 : due == DUE_CHANGES && pass_changes(h) < 0)
        return -1;
    written =
        homes_table_write(h->table, h->env->conf->homes.dir, beat_step, h->error, sizeof h->error);
    beat_now();
    if (written < 0)
        return -1;
    note_current(h, written);
    return 0;
}

static void
failed(struct homes *h, int *failing)
{
    static struct log_limit limit;
    unsigned skipped;

    board_add(&h->env->board, BOARD_HOMES_ERRORS, 1);
    board_say(&h->env->board, h->error);
    if (log_limit(&limit, 1, 60, &skipped))
        log_error("files of home sites are not up to date, Dovecot reads them as they are "
                  "why=\"%s\" unlogged=%u",
                  h->error, skipped);
    *failing = 1;
    h->generation = 0;
}

static void
recovered(struct homes *h, int *failing)
{
    if (*failing)
        log_notice("files of home sites are up to date again");
    board_say(&h->env->board, "");
    *failing = 0;
}

/* 0 when the parent is gone. */
static int
wait_ms(struct homes *h, int ms)
{
    struct pollfd fd = {h->env->parent_fd, POLLIN, 0};
    char buf[ROLE_MESSAGE_MAX];
    ssize_t n;

    if (poll(&fd, 1, ms) <= 0)
        return 1;
    n = read(fd.fd, buf, sizeof buf);
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static void
loop(struct homes *h)
{
    int64_t retry_ms = 0;
    int failing = 0;

    do {
        if (beat_now() < retry_ms)
            continue;
        if (bring_up_to_date(h) == 0) {
            recovered(h, &failing);
            continue;
        }
        failed(h, &failing);
        retry_ms = beat_now() + RETRY_MS;
    } while (wait_ms(h, POLL_MS));
}

static int
homes_prepare(struct role_env *env)
{
    (void)env;
    return 0;
}

static int
homes_run(struct role_env *env)
{
    static struct homes h;

    h.env = env;
    h.maps = maps_new(env->conf, &env->board);
    if (!h.maps || beat_start(&env->board) < 0) {
        log_error("role homes can't start: no memory");
        maps_free(&h.maps);
        return 75;
    }
    loop(&h);
    homes_table_free(&h.table);
    maps_free(&h.maps);
    return 0;
}

const struct role role_homes = {"homes", homes_prepare, homes_run, 0};
