/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flow: a file of records of one size, each with a sum: the writer's sign of life, the total, and a ring of
 * slots of five minutes that goes back a day and a bit.
 *
 * Promises: a record that was torn, by a crash or because it is just being written, is noticed by its sum,
 * and read again or left out; counts are never wrong by more than that. Unlike a mapped file it can't
 * end a process when it is cut short. Must not: wait for a reader, or fail a message.
 */
#include "flow.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fnv.h"
#include "open_regular.h"

#define MAGIC   UINT64_C(0x31776f6c66647270) /* "prdflow1" */
#define SLOTS   320                          /* a day of 25 hours, and the time that begins */
#define WORDS   (3 * DIRECTION_N + FLOW_EVENTS)
#define RECORDS (SLOTS + 2)

/* number: of the beat, ms; of the total, when it began; of a slot, which five minutes, 0 none. */
struct flow_record {
    uint64_t number, word[WORDS], check;
};

enum { BEAT, TOTAL, FIRST };

struct flow {
    pthread_mutex_t lock;
    int dir_fd;
    int fd, taken; /* taken: what was in the file is in at */
    dev_t device;
    ino_t inode;
    char *path;
    struct flow_record at[RECORDS];
};

static const char *const events[FLOW_EVENTS] = {"held", "refused", "tempfailed"};

const char *
flow_event_word(enum flow_event e)
{
    return (unsigned)e < FLOW_EVENTS ? events[e] : "unknown";
}

/* A record of zeros is not one. */
static uint64_t
sum_of(const struct flow_record *r)
{
    return fnv64(FNV64, r, offsetof(struct flow_record, check));
}

static int
is_whole(const struct flow_record *r)
{
    return r->check == sum_of(r);
}

static size_t
slot_at(uint64_t number)
{
    return FIRST + (size_t)(number % SLOTS);
}

/* --- the writer --- */

static int
put(struct flow *f, size_t i)
{
    struct flow_record *r = &f->at[i];

    r->check = sum_of(r);
    return pwrite(f->fd, r, sizeof *r, (off_t)(i * sizeof *r)) == (ssize_t)sizeof *r ? 0 : -1;
}

static struct flow_record *
slot_for(struct flow *f, int64_t wall_ms, size_t *at_r)
{
    uint64_t number = (uint64_t)(wall_ms / 1000 / FLOW_SLOT_S);
    struct flow_record *r = &f->at[ *at_r = slot_at(number)];

    if (r->number != number) {
        memset(r, 0, sizeof *r);
        r->number = number;
    }
    return r;
}

static void
count(struct flow *f, int64_t wall_ms, int word, const uint64_t *by, int n)
{
    struct flow_record *r;
    size_t at;

    pthread_mutex_lock(&f->lock);
    r = slot_for(f, wall_ms, &at);
    for (int i = 0; i < n; i++) {
        r->word[word + i] += by[i];
        f->at[TOTAL].word[word + i] += by[i];
    }
    (void)put(f, TOTAL);
    (void)put(f, at);
    pthread_mutex_unlock(&f->lock);
}

void
flow_add(struct flow *f, int64_t wall_ms, enum direction way, uint64_t recipients, uint64_t bytes)
{
    const uint64_t by[3] = {1, recipients, bytes};

    if ((unsigned)way < DIRECTION_N)
        count(f, wall_ms, 3 * (int)way, by, 3);
}

void
flow_event(struct flow *f, int64_t wall_ms, enum flow_event e)
{
    const uint64_t one = 1;

    if ((unsigned)e < FLOW_EVENTS)
        count(f, wall_ms, 3 * DIRECTION_N + (int)e, &one, 1);
}

/* Without what was torn; 1 when something was lost. */
static int
drop_torn(struct flow_record old[RECORDS])
{
    static const struct flow_record none;
    int lost = 0;

    for (size_t i = 0; i < RECORDS; i++) {
        if (is_whole(&old[i]) && (i != BEAT || old[i].word[0] == MAGIC))
            continue;
        lost |= memcmp(&old[i], &none, sizeof none) != 0;
        memset(&old[i], 0, sizeof old[i]);
    }
    return lost;
}

static void
merge(struct flow *f, const struct flow_record old[RECORDS])
{
    for (size_t i = TOTAL; i < RECORDS; i++) {
        struct flow_record *mine = &f->at[i];

        if (i != TOTAL && old[i].number < mine->number)
            continue;
        if (i != TOTAL && old[i].number > mine->number)
            memset(mine->word, 0, sizeof mine->word);
        for (int w = 0; w < WORDS; w++)
            mine->word[w] += old[i].word[w];
        if (old[i].number != 0)
            mine->number = old[i].number;
    }
}

/* Once: what the last process counted is added. 1 when some of it was lost; -1 (errno). */
static int
take_over(struct flow *f)
{
    struct flow_record *old = calloc(RECORDS, sizeof *old);
    int lost;

    if (!old || pread(f->fd, old, sizeof f->at, 0) < 0) {
        free(old);
        return -1;
    }
    lost = drop_torn(old);
    merge(f, old);
    free(old);
    f->taken = 1;
    return lost;
}

/* Room for all of it at once, so that no count is lost for want of it. 1, 0, -1 as of take_over. */
static int
file_open(struct flow *f)
{
    struct stat st;
    int rc, lost = 0;

    if (f->fd >= 0)
        close(f->fd);
    f->fd = openat(f->dir_fd, f->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (f->fd < 0 || fstat(f->fd, &st) < 0)
        return -1;
    (void)fchmod(f->fd, 0644); /* whatever the umask is */
    f->device = st.st_dev;
    f->inode = st.st_ino;
    errno = rc = posix_fallocate(f->fd, 0, sizeof f->at);
    if (rc != 0 || (!f->taken && (lost = take_over(f)) < 0))
        return -1;
    for (size_t i = 0; i < RECORDS; i++)
        if (f->at[i].number != 0 && put(f, i) < 0)
            return -1;
    return lost;
}

/* Whether the path still leads to our file, and all of it is there. */
static int
is_there(const struct flow *f)
{
    struct stat st;

    return f->fd >= 0 && f->taken && fstatat(f->dir_fd, f->path, &st, 0) == 0 &&
           st.st_dev == f->device && st.st_ino == f->inode && st.st_size >= (off_t)sizeof f->at;
}

int
flow_beat(struct flow *f, int64_t wall_ms)
{
    size_t at;
    int rc = 0;

    pthread_mutex_lock(&f->lock);
    f->at[BEAT].number = (uint64_t)wall_ms;
    slot_for(f, wall_ms, &at);
    if (!is_there(f))
        rc = file_open(f);
    else if (put(f, TOTAL) < 0 || put(f, at) < 0 || put(f, BEAT) < 0)
        rc = -1;
    pthread_mutex_unlock(&f->lock);
    return rc;
}

struct flow *
flow_new(int dir_fd, const char *path, int64_t wall_ms)
{
    struct flow *f = calloc(1, sizeof *f);

    if (!f || !(f->path = strdup(path))) {
        free(f);
        return NULL;
    }
    pthread_mutex_init(&f->lock, NULL);
    f->dir_fd = dir_fd;
    f->fd = -1;
    f->at[BEAT].word[0] = MAGIC;
    f->at[TOTAL].number = (uint64_t)wall_ms;
    return f;
}

void
flow_free(struct flow **fp)
{
    struct flow *f = *fp;

    if (!f)
        return;
    if (f->fd >= 0)
        close(f->fd);
    pthread_mutex_destroy(&f->lock);
    free(f->path);
    free(f);
    *fp = NULL;
}

/* --- readers --- */

/* Until no record is torn; one that stays so is of a crash. */
static int
read_all(int fd, struct flow_record at[RECORDS])
{
    for (int attempt = 0; attempt < 5; attempt++) {
        int torn = 0;

        if (pread(fd, at, RECORDS * sizeof *at, 0) != (ssize_t)(RECORDS * sizeof *at))
            return -1;
        for (size_t i = 0; i < RECORDS; i++)
            torn += at[i].check != 0 && !is_whole(&at[i]);
        if (torn == 0)
            break;
    }
    return is_whole(&at[BEAT]) && at[BEAT].word[0] == MAGIC && is_whole(&at[TOTAL]) ? 0 : -1;
}

static void
add_record(struct flow_sum *sum, const struct flow_record *r)
{
    for (int i = 0; i < DIRECTION_N; i++) {
        sum->way[i].messages += r->word[3 * i];
        sum->way[i].recipients += r->word[3 * i + 1];
        sum->way[i].bytes += r->word[3 * i + 2];
    }
    for (int i = 0; i < FLOW_EVENTS; i++)
        sum->event[i] += r->word[3 * DIRECTION_N + i];
}

static void
add_all(const struct flow_record at[RECORDS], int64_t now_s, int64_t midnight_s,
        struct flow_seen *seen)
{
    int64_t now = now_s / FLOW_SLOT_S, slots_of_hour = 3600 / FLOW_SLOT_S;

    seen->beat_ms = (int64_t)at[BEAT].number;
    seen->began_ms = (int64_t)at[TOTAL].number;
    add_record(&seen->total, &at[TOTAL]);
    for (size_t i = FIRST; i < RECORDS; i++) {
        int64_t number = (int64_t)at[i].number;

        if (number == 0 || number > now || !is_whole(&at[i]))
            continue;
        if (number > now - slots_of_hour)
            add_record(&seen->hour, &at[i]);
        if (number * FLOW_SLOT_S >= midnight_s)
            add_record(&seen->today, &at[i]);
    }
}

int
flow_read(const char *path, int64_t now_s, int64_t midnight_s, struct flow_seen *seen_r,
          char *error, size_t error_n)
{
    int fd = open_regular(AT_FDCWD, path), rc;
    struct flow_record at[RECORDS];

    memset(seen_r, 0, sizeof *seen_r);
    if (fd < 0) {
        rc = errno;
        snprintf(error, error_n, "%s: %s", path, strerror(rc));
        return rc == ENOENT ? 0 : -1;
    }
    rc = read_all(fd, at);
    close(fd);
    if (rc < 0) {
        snprintf(error, error_n, "%s is damaged, or being made", path);
        return -1;
    }
    add_all(at, now_s, midnight_s, seen_r);
    return 1;
}
