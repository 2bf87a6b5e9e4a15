/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_scan: the folder STATE/held and the index in step: by inotify, and by reading the folder anew now
 * and then, as inotify may lose events. A file is read once, when it is new.
 *
 * Promises: a message whose file can't be read, or is damaged, is left alone, and that is logged; what
 * is not known for sure is never taken for gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "beat.h"
#include "held.h"

#define SCAN_MS  60000
#define STORE_MS 30000 /* well below HELD_LEAP_MS */
#define TIDY_S   3600

#define RECHECK_AT_ONCE 500 /* messages */
#define RECHECK_EACH_MS 10000

int64_t
held_recheck_ms(const struct held *h)
{
    int64_t ms = (int64_t)h->index.n * RECHECK_EACH_MS;

    return ms > HELD_RECHECK_MS ? ms : HELD_RECHECK_MS;
}

/* --- one file --- */

static void
cant_read(struct held *h, const char *error)
{
    unsigned skipped;

    board_add(&h->env->board, BOARD_HELD_ERRORS, 1);
    if (log_limit(&h->store_limit, 5, 60, &skipped))
        log_error("record of a held message can't be used, the message stays where it is "
                  "error=\"%s\" unlogged=%u",
                  error, skipped);
}

/* A file that may be new. */
static void
take(struct held *h, const char *id)
{
    struct held_item *item = held_index_find(&h->index, id);
    char error[HELD_ERROR];
    int rc;

    if (item) {
        item->pass = h->pass;
        return;
    }
    rc = held_record_read(h->folder, id, &h->record, error, sizeof error);
    if (rc < 0)
        cant_read(h, error);
    if (rc <= 0)
        return;
    item = held_index_add(&h->index, id);
    h->full |= !item;
    if (!item)
        return;
    held_item_take(item, &h->record);
    held_told(h);
    item->doubtful = item->state != HELD_HELD && !item->audited;
    item->pass = h->pass;
    item->notify = -1;
    if (h->index.n > RECHECK_AT_ONCE)
        item->look_ms = (int64_t)board_now_ms() + item->time_ms % held_recheck_ms(h);
    if (item->state == HELD_HELD && !item->seen)
        log_info("held message found id=%s rule=\"%s\" sender=<%s> recipients=%" PRIu64, id,
                 h->record.rule, h->record.sender, h->record.recipient_count);
}

int
held_load(struct held *h, struct held_item *item)
{
    char error[HELD_ERROR];
    int rc = held_record_read(h->folder, item->id, &h->record, error, sizeof error);

    if (rc == 1)
        return 0;
    cant_read(h, rc < 0 ? error : "its file is gone");
    if (rc == 0)
        h->scan_ms = 0;
    return -1;
}

int
held_save(struct held *h, struct held_item *item)
{
    char error[HELD_ERROR] = "its file is gone";
    unsigned skipped;
    int rc;

    beat_step();
    rc = held_record_update(h->folder, &h->record, error, sizeof error);
    beat_now();
    if (rc == 1) {
        held_item_take(item, &h->record);
        return 0;
    }
    board_add(&h->env->board, BOARD_HELD_ERRORS, 1);
    if (log_limit(&h->store_limit, 5, 60, &skipped))
        log_error("record of a held message can't be written, it is tried again id=%s "
                  "error=\"%s\" unlogged=%u",
                  item->id, error, skipped);
    return -1;
}

/* --- all of them --- */

static int
each(void *ctx, const char *id)
{
    struct held *h = ctx;

    beat_now();
    take(h, id);
    return 0;
}

/* Its file is not there. One that something is under way for is left to the next pass. */
static void
drop(struct held *h, struct held_item *item)
{
    if (item->busy)
        return;
    log_warning("record of a held message was removed by somebody else id=%s", item->id);
    held_index_remove(&h->index, item);
}

static void
drop_vanished(struct held *h)
{
    for (size_t i = h->index.n; i-- > 0;)
        if (h->index.at[i]->pass != h->pass)
            drop(h, h->index.at[i]);
}

void
held_scan(struct held *h, int64_t mono_ms)
{
    char error[HELD_ERROR];
    unsigned skipped;

    if (mono_ms < h->scan_ms)
        return;
    h->scan_ms = mono_ms + SCAN_MS;
    h->pass++;
    h->full = 0;
    held_record_tidy(h->folder, held_wall_ms() / 1000 - TIDY_S);
    h->whole = held_record_each(h->folder, each, h, error, sizeof error) == 0;
    if (h->whole) {
        drop_vanished(h);
    } else {
        board_add(&h->env->board, BOARD_HELD_ERRORS, 1);
        if (log_limit(&h->store_limit, 5, 60, &skipped))
            log_error("folder of held messages can't be read, it is tried again error=\"%s\" "
                      "unlogged=%u",
                      error, skipped);
    }
    h->whole &= !h->full;
    if (held_take_all(h, held_wall_ms() / 1000 - TIDY_S) > 0)
        held_record_each(h->folder, each, h, error, sizeof error);
    if (h->full)
        log_error("too many held messages, or no memory, some have to wait until others are done "
                  "messages=%zu",
                  h->index.n);
}

/*
 * "ID.json", which was made, written anew or removed, in our folder or in the milter's. Who removes one here
 * forgets it at once.
 */
static void
named(struct held *h, const char *name, int removed, int is_new)
{
    size_t n = strlen(name);
    char id[HELD_ID_MAX + 1];
    struct held_item *item;

    if (n <= 5 || n - 5 > HELD_ID_MAX || strcmp(name + n - 5, ".json") != 0)
        return;
    memcpy(id, name, n - 5);
    id[n - 5] = '\0';
    if (is_new && (removed || !held_id_is(span_of(id)) || !held_take(h, id)))
        return;
    item = removed ? held_index_find(&h->index, id) : NULL;
    if (item && faccessat(h->folder, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
        drop(h, item);
    else if (!removed && held_id_is(span_of(id)))
        take(h, id);
}

void
held_watched(struct held *h)
{
    char buf[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
    const struct inotify_event *e;
    ssize_t n = read(h->watch_fd, buf, sizeof buf);

    for (char *p = buf; n > 0 && p < buf + n; p += sizeof *e + e->len) {
        e = (const struct inotify_event *)p;
        if (e->mask & IN_Q_OVERFLOW)
            h->scan_ms = 0;
        else if (e->len > 0)
            named(h, e->name, (e->mask & IN_DELETE) != 0, e->wd == h->watch_new);
    }
    held_soon(h);
}

/* --- the clock --- */

static int64_t
stored_time(struct held *h)
{
    char text[32] = "";
    int fd = openat(h->folder, "clock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    int64_t ms = 0;

    if (fd < 0)
        return 0;
    if (read(fd, text, sizeof text - 1) < 0 || sscanf(text, "%" SCNi64, &ms) != 1)
        ms = 0;
    close(fd);
    return ms > 0 ? ms : 0;
}

/* Without forcing it to disk: an older time makes things expire later. */
static void
store_time(struct held *h)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%" PRIi64 "\n", h->clock.at_ms);
    int fd =
        openat(h->folder, "clock.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    int written;

    if (fd < 0)
        return;
    written = write(fd, text, (size_t)n) == n;
    if (close(fd) == 0 && written)
        renameat(h->folder, "clock.new", h->folder, "clock");
}

int64_t
held_time(struct held *h, int64_t mono_ms)
{
    int was_ahead = h->clock.ahead_since >= 0;
    int64_t now = held_clock_tick(&h->clock, held_wall_ms(), mono_ms);

    if (!was_ahead && h->clock.ahead_since >= 0)
        log_warning("clock leapt forward, or this process did not run for a while: held messages "
                    "expire by it only if it still says so in an hour seconds=%" PRIi64,
                    (held_wall_ms() - now) / 1000);
    if (mono_ms >= h->stored_ms) {
        store_time(h);
        h->stored_ms = mono_ms + STORE_MS;
    }
    return now;
}

/* --- beginning and end --- */

int
held_scan_start(struct held *h)
{
    char error[HELD_ERROR], path[4096];
    int64_t now = beat_now();

    h->watch_fd = -1;
    h->folder = held_folder(h->env->conf->state_dir, error, sizeof error);
    if (h->folder < 0 || held_take_open(h, error, sizeof error) < 0) {
        log_error("folder of held messages can't be opened error=\"%s\"", error);
        return -1;
    }
    snprintf(path, sizeof path, "%s/held", h->env->conf->state_dir);
    h->watch_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (h->watch_fd < 0 || inotify_add_watch(h->watch_fd, path, IN_MOVED_TO | IN_DELETE) < 0)
        log_warning("folder of held messages can't be watched, it is read each minute "
                    "error=\"%s\"",
                    strerror(errno));
    snprintf(path, sizeof path, "%s/" HELD_FOLDER "/" HELD_NEW, h->env->conf->state_dir);
    if (h->watch_fd >= 0)
        h->watch_new = inotify_add_watch(h->watch_fd, path, IN_MOVED_TO);
    held_clock_start(&h->clock, stored_time(h), held_wall_ms(), now);
    held_scan(h, now);
    log_info("held messages found messages=%zu", h->index.n);
    return 0;
}

void
held_scan_close(struct held *h)
{
    if (h->watch_fd >= 0)
        close(h->watch_fd);
    if (h->folder >= 0)
        close(h->folder);
    if (h->drop >= 0)
        close(h->drop);
    held_index_free(&h->index);
}
