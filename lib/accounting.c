/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * accounting: see accounting.h.
 *
 * Promises: a write that did not go out whole is taken back (the file is cut to where it
 * was), so a file holds whole lines only; a number is given to one record only. Must
 * not wait for a disk but in the write itself, at rotation and at the end.
 */
#include "accounting.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "accounting_file.h"
#include "accounting_state.h"
#include "audit_line.h"

#define DAY_MS 86400000

struct accounting {
    pthread_mutex_t lock;
    char site[65];
    uint64_t max_bytes;
    int dir_fd, state_fd, fd; /* fd -1: no file is open */
    struct accounting_state *state;
    off_t end;   /* of the file's whole records */
    int dirty;   /* there may be more behind them */
    int64_t day; /* days since 1970 the file is for */
    char *buf;   /* what is to be written */
    size_t room, n;
    unsigned lines;
};

static int
fail(char *error, size_t error_n, const char *what)
{
    snprintf(error, error_n, "%s: %s", what, strerror(errno));
    return -1;
}

/* --- the file --- */

static void
close_file(struct accounting *a)
{
    if (a->fd < 0)
        return;
    fdatasync(a->fd);
    close(a->fd);
    a->fd = -1;
}

/* Have a file open for what is written now. */
static int
have_file(struct accounting *a, int64_t wall_ms, char *error, size_t error_n)
{
    char name[ACCOUNTING_NAME];

    if (a->fd >= 0 && (a->dirty || (a->day == wall_ms / DAY_MS && (uint64_t)a->end < a->max_bytes)))
        return 0;
    close_file(a);
    accounting_name_write(a->state->log, a->state->next, wall_ms, name);
    a->fd = openat(a->dir_fd, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (a->fd < 0)
        return fail(error, error_n, name);
    fsync(a->dir_fd);
    a->end = lseek(a->fd, 0, SEEK_END);
    a->day = wall_ms / DAY_MS;
    return 0;
}

/* The day in a file's name. */
static int64_t
day_of(const char *name)
{
    char time[AUDIT_TIME];

    snprintf(time, sizeof time, "%.10sT00:00:00.000Z", name + strlen("accounting-"));
    return audit_time_parse(span_of(time)) / DAY_MS;
}

/* Nothing is written behind what makes no sense; a number is left out, so that it shows. */
static int
leave_file(struct accounting *a, struct accounting_left *left, uint64_t first)
{
    close_file(a);
    a->state->next = (a->state->next > first ? a->state->next : first) + 1;
    left->torn = 1;
    return 0;
}

/* Go on in the newest file, behind its last whole record. */
static int
resume(struct accounting *a, struct accounting_left *left, char *error, size_t error_n)
{
    char name[ACCOUNTING_NAME];
    uint64_t first, last;
    struct stat st;
    int found = accounting_newest(a->dir_fd, a->state->log, name, &first);

    if (found <= 0)
        return found < 0 ? fail(error, error_n, "the folder can't be read") : 0;
    a->fd = openat(a->dir_fd, name, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
    if (a->fd < 0 || fstat(a->fd, &st) < 0)
        return fail(error, error_n, name);
    if (accounting_end(a->fd, first, &last, &a->end) < 0)
        return errno == EBADMSG ? leave_file(a, left, first) : fail(error, error_n, name);
    left->torn = st.st_size > a->end;
    if (left->torn && ftruncate(a->fd, a->end) < 0)
        return fail(error, error_n, name);
    a->day = day_of(name);
    if (last + 1 < a->state->next)
        left->missing = a->state->next - 1 - last;
    else
        a->state->next = last + 1;
    if (a->state->missed_in && a->state->missed_in <= last)
        a->state->missed = (struct accounting_gap){0};
    return 0;
}

/* --- what is to be written --- */

static char *
room_for_line(struct accounting *a)
{
    if (a->room - a->n < ACCOUNTING_LINE_MAX) {
        size_t more = 2 * a->room + ACCOUNTING_LINE_MAX;
        char *p = realloc(a->buf, more);

        if (!p)
            return NULL;
        a->buf = p;
        a->room = more;
    }
    return a->buf + a->n;
}

static struct accounting_head
head(const struct accounting *a, int64_t wall_ms)
{
    return (struct accounting_head){a->state->log, a->site, a->state->next + a->lines, wall_ms};
}

static void
begin(struct accounting *a)
{
    a->n = 0;
    a->lines = 0;
}

static void
line_made(struct accounting *a, size_t n)
{
    a->n += n;
    a->lines++;
}

/* All lines with one write, or none. */
static int
write_lines(struct accounting *a, int64_t wall_ms, char *error, size_t error_n)
{
    ssize_t n;

    if (have_file(a, wall_ms, error, error_n) < 0)
        return -1;
    if (a->dirty && ftruncate(a->fd, a->end) < 0)
        return fail(error, error_n, "the rest of a record can't be removed");
    a->dirty = 0;
    do
        n = write(a->fd, a->buf, a->n);
    while (n < 0 && errno == EINTR);
    if (n == (ssize_t)a->n) {
        a->end += n;
        a->state->next += a->lines;
        return 0;
    }
    if (n >= 0)
        errno = ENOSPC;
    fail(error, error_n, "not written");
    a->dirty = n > 0 && ftruncate(a->fd, a->end) < 0;
    return -1;
}

/* A gap that is to be told goes in front of what comes next. */
static int
add_gap(struct accounting *a, int64_t wall_ms)
{
    struct accounting_head h = head(a, wall_ms);
    char *line;

    if (a->state->missed.messages == 0)
        return 0;
    if (!(line = room_for_line(a)))
        return -1;
    a->state->missed_in = h.seq;
    line_made(a, accounting_line_gap(line, &h, &a->state->missed));
    return 0;
}

/* --- what the last process left --- */

static int
tell_uncertain(struct accounting *a, int64_t wall_ms, struct accounting_left *left, char *error,
               size_t error_n)
{
    begin(a);
    for (int i = 0; i < ACCOUNTING_SLOTS; i++) {
        struct accounting_slot *s = &a->state->slot[i];
        struct accounting_head h = head(a, wall_ms);
        char *line;
        int whole;

        s->taken = 0;
        whole = s->last < a->state->next;
        if (s->first == 0 || s->first >= a->state->next) /* none, or never written */
            continue;
        s->queue[ACCOUNTING_QUEUE - 1] = '\0';
        if (!(line = room_for_line(a)))
            return fail(error, error_n, "uncertain records");
        line_made(a, accounting_line_doubt(line, &h, whole ? "uncertain" : "void", s->queue,
                                           s->first, whole ? s->last : a->state->next - 1));
        left->uncertain += (unsigned)whole;
    }
    if (a->lines > 0 && write_lines(a, wall_ms, error, error_n) < 0)
        return -1;
    for (int i = 0; i < ACCOUNTING_SLOTS; i++)
        a->state->slot[i].first = 0;
    return 0;
}

static int
open_all(struct accounting *a, int64_t wall_ms, struct accounting_left *left, char *error,
         size_t error_n)
{
    a->state = accounting_state_map(a->dir_fd, &a->state_fd, &left->begun);
    if (!a->state) {
        if (errno != EWOULDBLOCK)
            return fail(error, error_n, "state");
        snprintf(error, error_n, "another process writes here");
        return -1;
    }
    if (resume(a, left, error, error_n) < 0)
        return -1;
    return tell_uncertain(a, wall_ms, left, error, error_n);
}

struct accounting *
accounting_open(const char *dir, const char *site, uint64_t max_bytes, int64_t wall_ms,
                struct accounting_left *left_r, char *error, size_t error_n)
{
    int fd = -1;

    if (mkdir(dir, 0750) == 0 || errno == EEXIST)
        fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        return accounting_open_at(fd, site, max_bytes, wall_ms, left_r, error, error_n);
    *left_r = (struct accounting_left){0};
    fail(error, error_n, dir);
    return NULL;
}

struct accounting *
accounting_open_at(int dir_fd, const char *site, uint64_t max_bytes, int64_t wall_ms,
                   struct accounting_left *left_r, char *error, size_t error_n)
{
    struct accounting *a = calloc(1, sizeof *a);

    *left_r = (struct accounting_left){0};
    snprintf(error, error_n, "out of memory");
    if (!a) {
        close(dir_fd);
        return NULL;
    }
    pthread_mutex_init(&a->lock, NULL);
    snprintf(a->site, sizeof a->site, "%s", site);
    a->max_bytes = max_bytes;
    a->dir_fd = dir_fd;
    a->state_fd = a->fd = -1;
    if (open_all(a, wall_ms, left_r, error, error_n) < 0)
        accounting_close(&a);
    return a;
}

void
accounting_close(struct accounting **ap)
{
    struct accounting *a = *ap;

    *ap = NULL;
    if (!a)
        return;
    close_file(a);
    accounting_state_unmap(&a->state, &a->state_fd);
    if (a->dir_fd >= 0)
        close(a->dir_fd);
    pthread_mutex_destroy(&a->lock);
    free(a->buf);
    free(a);
}

/* --- messages --- */

int
accounting_enter(struct accounting *a)
{
    int place = -1;

    pthread_mutex_lock(&a->lock);
    for (int i = 0; i < ACCOUNTING_SLOTS && place < 0; i++)
        if (!a->state->slot[i].taken)
            place = i;
    if (place >= 0)
        a->state->slot[place].taken = 1;
    pthread_mutex_unlock(&a->lock);
    return place;
}

void
accounting_told(struct accounting *a, int place)
{
    pthread_mutex_lock(&a->lock);
    a->state->slot[place].first = 0;
    pthread_mutex_unlock(&a->lock);
}

void
accounting_leave(struct accounting *a, int place)
{
    pthread_mutex_lock(&a->lock);
    a->state->slot[place].first = 0;
    a->state->slot[place].taken = 0;
    pthread_mutex_unlock(&a->lock);
}

/* In the slot before it is in the file: who dies in between leaves a slot with numbers nobody wrote. */
static void
put_in_doubt(struct accounting *a, int place, const struct accounting_mail *m, unsigned n)
{
    struct accounting_slot *s = &a->state->slot[place];

    span_keep(s->queue, sizeof s->queue, m->queue);
    s->last = a->state->next + a->lines - 1;
    __atomic_store_n(&s->first, s->last + 1 - n, __ATOMIC_RELEASE);
}

static int
add(struct accounting *a, int place, int64_t wall_ms, struct accounting_mail *m, unsigned n,
    char *error, size_t error_n)
{
    begin(a);
    if (add_gap(a, wall_ms) < 0)
        return fail(error, error_n, "gap");
    for (unsigned i = 0; i < n; i++) {
        struct accounting_head h = head(a, wall_ms);
        char *line = room_for_line(a);

        if (!line)
            return fail(error, error_n, "records");
        m[i].part = i + 1;
        m[i].parts = n;
        line_made(a, accounting_line_mail(line, &h, &m[i]));
    }
    put_in_doubt(a, place, m, n);
    if (write_lines(a, wall_ms, error, error_n) == 0) {
        a->state->missed = (struct accounting_gap){0};
        return 0;
    }
    a->state->slot[place].first = 0;
    return -1;
}

int
accounting_add(struct accounting *a, int place, int64_t wall_ms, struct accounting_mail *m,
               unsigned n, char *error, size_t error_n)
{
    int rc;

    pthread_mutex_lock(&a->lock);
    rc = add(a, place, wall_ms, m, n, error, error_n);
    pthread_mutex_unlock(&a->lock);
    return rc;
}

void
accounting_missed(struct accounting *a, int64_t wall_ms, uint64_t recipients, uint64_t bytes)
{
    struct accounting_gap *g = &a->state->missed;

    pthread_mutex_lock(&a->lock);
    if (g->messages == 0)
        g->since_ms = wall_ms;
    g->messages++;
    g->recipients += recipients;
    g->bytes += bytes;
    pthread_mutex_unlock(&a->lock);
}
