/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * audit: writes the audit log.
 *
 * Promises: a record is written whole or not at all; after a failed write the file
 * is as it was, or no further record is taken until it is. Records stay in the order
 * of their numbers whatever the clock does. What happens to the files under our
 * hands is noticed before the next record is written, and becomes one. Must not
 * remove or overwrite a record. Not for several threads.
 */
#include "audit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "audit_private.h"

static int
failed(char *error, size_t n, const char *what, const char *name)
{
    int e = errno;

    snprintf(error, n, "audit log: %s%s%s: %s", what, *name ? " " : "", name, strerror(e));
    errno = e;
    return -1;
}

void
audit_note(struct audit *a, const char *action, const char *fmt, ...)
{
    struct audit_note *note = &a->notes[a->nnotes < AUDIT_NOTES ? a->nnotes++ : AUDIT_NOTES - 1];
    va_list ap;

    note->action = action;
    va_start(ap, fmt);
    vsnprintf(note->detail, sizeof note->detail, fmt, ap);
    va_end(ap);
}

/* --- files --- */

/* How far the log was written; not worth a failure, for it may be behind. */
static void
write_head(struct audit *a)
{
    char text[AUDIT_HEAD_SIZE + 1];
    ssize_t n;

    audit_head_write(a->seq, a->hash, text);
    n = pwrite(a->head_fd, text, AUDIT_HEAD_SIZE, 0);
    (void)n;
}

static int
sync_file(struct audit *a)
{
    if (a->dirty && a->fd >= 0 && fdatasync(a->fd) < 0)
        return -1;
    a->dirty = 0;
    a->synced = clock_mono_ms();
    return 0;
}

/* No more records go to this file. One that can't be brought to disk any more is no reason to stop. */
static void
end_file(struct audit *a)
{
    if (a->fd < 0)
        return;
    sync_file(a);
    close(a->fd);
    a->fd = -1;
    a->dirty = 0;
}

static int
begin_file(struct audit *a, int64_t wall_ms, char *error, size_t n)
{
    struct stat st;
    int fd;

    audit_name_write(a->seq + 1, wall_ms, a->name);
    fd = openat(a->dir_fd, a->name, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0)
        return failed(error, n, "can't make", a->name);
    if (fstat(fd, &st) < 0 || fsync(a->dir_fd) < 0) {
        failed(error, n, "can't make", a->name);
        close(fd);
        return -1;
    }
    if (st.st_size > 0) { /* can't be: recovery would have found its records */
        snprintf(error, n, "audit log: %s is there already", a->name);
        close(fd);
        return -1;
    }
    a->fd = fd;
    a->size = 0;
    a->day = wall_ms / 86400000;
    a->begun = 1;
    return 0;
}

/* Whether somebody did something to the file we write to; then it is given up, and that is noted. */
static void
look_beneath(struct audit *a)
{
    struct stat by_fd, by_name;

    if (a->fd < 0 || fstat(a->fd, &by_fd) < 0)
        return;
    if (fstatat(a->dir_fd, a->name, &by_name, AT_SYMLINK_NOFOLLOW) < 0 ||
        by_name.st_ino != by_fd.st_ino || by_name.st_dev != by_fd.st_dev)
        audit_note(a, "log-moved", "%s was %s while it was written to", a->name,
                   by_fd.st_nlink ? "renamed or replaced" : "removed");
    else if (by_fd.st_size != a->size)
        audit_note(a, "log-damaged", "%s has %lld bytes, and %lld were written to it", a->name,
                   (long long)by_fd.st_size, (long long)a->size);
    else
        return;
    end_file(a);
}

/* A file ends with the day; a clock set back does not end one again and again around midnight. */
static int
file_is_over(const struct audit *a, int64_t wall_ms, size_t n)
{
    int64_t day = wall_ms / 86400000;

    return a->size > 0 && (day > a->day || day < a->day - 1 || (size_t)a->size + n > a->max);
}

/* --- records --- */

/* Openings must be known of whatever happens next; for the rest a second is near enough. */
static int
must_sync(const struct audit *a, const char *action)
{
    return strcmp(action, "open") == 0 || strcmp(action, "opening") == 0 ||
           strcmp(action, "quota") == 0 || strcmp(action, "approve") == 0 ||
           strcmp(action, "reject") == 0 || strcmp(action, "expire") == 0 ||
           clock_mono_ms() - a->synced >= AUDIT_SYNC_MS;
}

/* Take back what was written beyond size. */
static int
take_back(struct audit *a)
{
    a->torn = ftruncate(a->fd, a->size) < 0;
    return a->torn ? -1 : 0;
}

/* The file is as it was before; error says what failed. */
static int
not_written(struct audit *a, char *error, size_t n, const char *what)
{
    failed(error, n, what, a->name);
    take_back(a);
    return -1;
}

static int
put(struct audit *a, int64_t wall_ms, const struct audit_record *r, char *error, size_t n)
{
    char hash[AUDIT_HASH];
    size_t len = audit_line_write(a->line, a->seq + 1, wall_ms, span_of(a->site), r, a->hash, hash);
    ssize_t done;

    if (a->torn && take_back(a) < 0)
        return failed(error, n, "can't take back what is half-written in", a->name);
    if (file_is_over(a, wall_ms, len))
        end_file(a);
    if (a->fd < 0 && begin_file(a, wall_ms, error, n) < 0)
        return -1;
    do
        done = write(a->fd, a->line, len);
    while (done < 0 && errno == EINTR);
    if (done >= 0 && (size_t)done < len)
        errno = ENOSPC;
    if (done != (ssize_t)len)
        return not_written(a, error, n, "can't write to");
    a->dirty = 1;
    if (must_sync(a, r->action) && sync_file(a) < 0) {
        not_written(a, error, n, "can't bring to disk");
        if (!a->torn)
            end_file(a); /* what the kernel still knows of it is not to be relied on */
        return -1;
    }
    a->size += (off_t)len;
    a->seq++;
    memcpy(a->hash, hash, AUDIT_HASH);
    write_head(a);
    return 0;
}

/* What is to be said of the log itself comes first. */
static int
put_notes(struct audit *a, int64_t wall_ms, char *error, size_t n)
{
    while (a->nnotes > 0) {
        struct audit_record r = {.action = a->notes[0].action,
                                 .detail = span_of(a->notes[0].detail)};

        if (put(a, wall_ms, &r, error, n) < 0)
            return -1;
        memmove(a->notes, a->notes + 1, --a->nnotes * sizeof a->notes[0]);
    }
    return 0;
}

int
audit_add(struct audit *a, int64_t wall_ms, const struct audit_record *r, char *error, size_t n)
{
    if (!a->torn)
        look_beneath(a);
    if (put_notes(a, wall_ms, error, n) < 0)
        return -1;
    return put(a, wall_ms, r, error, n);
}

int
audit_tick(struct audit *a, int64_t wall_ms, char text_r[AUDIT_ANCHOR_TEXT], char *error, size_t n)
{
    int64_t since = wall_ms - a->anchored_ms;

    if (a->dirty && sync_file(a) < 0) {
        failed(error, n, "can't bring to disk", a->name);
        end_file(a);
        return -1;
    }
    if (a->seq == a->anchored || (!a->begun && since >= 0 && since < AUDIT_ANCHOR_MS))
        return 0;
    snprintf(text_r, AUDIT_ANCHOR_TEXT, "seq=%" PRIu64 " hash=%s", a->seq, a->hash);
    a->anchored = a->seq;
    a->anchored_ms = wall_ms;
    a->begun = 0;
    return 1;
}

uint64_t
audit_newest(const struct audit *a, char hash_r[AUDIT_HASH])
{
    memcpy(hash_r, a->hash, AUDIT_HASH);
    return a->seq;
}

void
audit_file_max(struct audit *a, size_t bytes)
{
    a->max = bytes;
}

/* --- begin and end --- */

static int
open_folder(struct audit *a, const char *dir, char *error, size_t n)
{
    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        return failed(error, n, "can't make", dir);
    a->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (a->dir_fd < 0)
        return failed(error, n, "can't open", dir);
    a->lock_fd = openat(a->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (a->lock_fd < 0)
        return failed(error, n, "can't open", "lock");
    if (flock(a->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK)
            return failed(error, n, "can't lock", dir);
        snprintf(error, n, "audit log: another process writes to %s", dir);
        return -1;
    }
    return 0;
}

static int
open_log(struct audit *a, const char *dir, char *error, size_t n)
{
    int64_t now = clock_wall_ms();

    if (open_folder(a, dir, error, n) < 0)
        return -1;
    if (audit_recover(a) < 0)
        return failed(error, n, "can't read", dir);
    a->head_fd = openat(a->dir_fd, AUDIT_HEAD, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (a->head_fd < 0)
        return failed(error, n, "can't open", AUDIT_HEAD);
    if (a->seq == 0 && a->nnotes == 0)
        audit_note(a, "log-begun", "the first record of this log");
    put_notes(a, now, error, n); /* or before the first record */
    return 0;
}

struct audit *
audit_open(const char *dir, const char *site, char *error, size_t n)
{
    struct audit *a = calloc(1, sizeof *a);

    if (!a) {
        snprintf(error, n, "audit log: out of memory");
        return NULL;
    }
    a->dir_fd = a->lock_fd = a->head_fd = a->fd = -1;
    a->max = AUDIT_FILE_MAX;
    snprintf(a->site, sizeof a->site, "%s", site);
    if (open_log(a, dir, error, n) < 0)
        audit_close(&a);
    return a;
}

void
audit_close(struct audit **ap)
{
    struct audit *a = *ap;

    if (!a)
        return;
    end_file(a);
    if (a->head_fd >= 0)
        close(a->head_fd);
    if (a->lock_fd >= 0)
        close(a->lock_fd);
    if (a->dir_fd >= 0)
        close(a->dir_fd);
    free(a);
    *ap = NULL;
}
