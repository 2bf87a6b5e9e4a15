/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * homes_table: lines in memory, one text for each file, and the writing of the files.
 *
 * A file is written beside its place, brought to the disk, and renamed: Dovecot reads all
 * of the old one or all of the new one, also after a power cut. Dovecot takes a file
 * for unchanged when time (in seconds) and length are the same, so each new one is
 * dated at least a second after the one before.
 */
#include "homes_table.h"

#include <errno.h>
#include <fcntl.h>
#include <nettle/md5.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MODE     0640
#define PATH_CAP 1100

struct bucket {
    char *text;
    size_t n, cap;
    int dirty;
};

struct homes_table {
    struct bucket bucket[HOMES_BUCKETS];
    size_t people;
};

struct homes_table *
homes_table_new(void)
{
    struct homes_table *t = calloc(1, sizeof *t);

    for (unsigned i = 0; t && i < HOMES_BUCKETS; i++)
        t->bucket[i].dirty = 1;
    return t;
}

void
homes_table_free(struct homes_table **t)
{
    if (!*t)
        return;
    for (unsigned i = 0; i < HOMES_BUCKETS; i++)
        free((*t)->bucket[i].text);
    free(*t);
    *t = NULL;
}

size_t
homes_table_people(const struct homes_table *t)
{
    return t->people;
}

unsigned
homes_bucket(struct span user)
{
    uint8_t sum[MD5_DIGEST_SIZE];
    struct md5_ctx md5;

    md5_init(&md5);
    md5_update(&md5, user.n, (const uint8_t *)user.p);
    md5_digest(&md5, sizeof sum, sum);
    return sum[0];
}

/* --- lines --- */

/* Whether user can be the first field of a line, and is not taken for a comment. */
static int
can_be_written(struct span user)
{
    if (user.n == 0 || user.p[0] == '#')
        return 0;
    for (size_t i = 0; i < user.n; i++)
        if (user.p[i] == ':' || (unsigned char)user.p[i] <= ' ' || user.p[i] == 0x7f)
            return 0;
    return 1;
}

/* The line with its LF into out; its length, 0 when it does not fit. */
static size_t
render(char out[HOMES_LINE_MAX], struct span user, struct span host, struct span ip,
       struct span fields)
{
    int n = snprintf(
        out, HOMES_LINE_MAX, "%.*s:::::::noauthenticate=y proxy_maybe=y host=%.*s%s%.*s%s%.*s\n",
        (int)user.n, user.p, (int)host.n, host.p, ip.n ? " hostip=" : "", (int)ip.n,
        ip.n ? ip.p : "", fields.n ? " " : "", (int)fields.n, fields.n ? fields.p : "");

    return n > 0 && n < HOMES_LINE_MAX ? (size_t)n : 0;
}

/* Where the line of user begins in the bucket, and its length with its LF; 0: he has none. */
static size_t
find(const struct bucket *b, struct span user, size_t *at)
{
    size_t begin = 0;

    while (begin < b->n) {
        const char *line = b->text + begin, *end = memchr(line, '\n', b->n - begin);
        size_t n = (size_t)(end - line) + 1;

        if (n > user.n && line[user.n] == ':' && memcmp(line, user.p, user.n) == 0) {
            *at = begin;
            return n;
        }
        begin += n;
    }
    *at = b->n;
    return 0;
}

/* Room for n more bytes: 0, or -1. */
static int
grow(struct bucket *b, size_t n)
{
    size_t cap = b->cap ? b->cap : 1024;
    char *text;

    while (cap < b->n + n)
        cap *= 2;
    if (cap == b->cap)
        return 0;
    text = realloc(b->text, cap);
    if (!text)
        return -1;
    b->text = text;
    b->cap = cap;
    return 0;
}

/* Put n bytes of line in the place of the old bytes at at. */
static int
put_line(struct bucket *b, size_t at, size_t old, const char *line, size_t n)
{
    if (grow(b, n) < 0)
        return -1;
    memmove(b->text + at + n, b->text + at + old, b->n - at - old);
    memcpy(b->text + at, line, n);
    b->n = b->n - old + n;
    b->dirty = 1;
    return 1;
}

int
homes_table_set(struct homes_table *t, struct span user, struct span host, struct span ip,
                struct span fields)
{
    struct bucket *b = &t->bucket[homes_bucket(user)];
    char line[HOMES_LINE_MAX];
    size_t at, old, n = 0;

    if (!can_be_written(user))
        return 0;
    old = find(b, user, &at);
    if (host.n > 0)
        n = render(line, user, host, ip, fields);
    if (n == old && (n == 0 || memcmp(b->text + at, line, n) == 0))
        return 0;
    if (put_line(b, at, old, line, n) < 0)
        return -1;
    t->people += (n > 0) - (size_t)(old > 0);
    return 1;
}

/* --- files --- */

static int
failed(char *error, size_t error_n, const char *path)
{
    snprintf(error, error_n, "%s: %s", path, strerror(errno));
    return -1;
}

/* Whether the file at path holds these very bytes; *date: its time, 0 when there is none. */
static int
is_same(const struct bucket *b, const char *path, time_t *date)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), same;
    struct stat st;
    char *text;

    *date = 0;
    if (fd < 0)
        return 0;
    same = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    *date = same ? st.st_mtime : 0;
    same = same && (size_t)st.st_size == b->n && (text = malloc(b->n + 1));
    if (same) {
        same = read(fd, text, b->n + 1) == (ssize_t)b->n &&
               memcmp(text, b->text ? b->text : "", b->n) == 0;
        free(text);
    }
    close(fd);
    return same;
}

/* Write all into fd, give it a date after the last one's, and bring it to the disk. */
static int
fill(int fd, const struct bucket *b, time_t last)
{
    struct timespec date[2];

    for (size_t at = 0; at < b->n;) {
        ssize_t n = write(fd, b->text + at, b->n - at);

        if (n < 0 && errno != EINTR)
            return -1;
        at += n > 0 ? (size_t)n : 0;
    }
    clock_gettime(CLOCK_REALTIME, &date[1]);
    if (date[1].tv_sec <= last)
        date[1].tv_sec = last + 1;
    date[0] = date[1];
    return fchmod(fd, MODE) < 0 || futimens(fd, date) < 0 || fsync(fd) < 0 ? -1 : 0;
}

static int
replace(const struct bucket *b, const char *path, time_t last, char *error, size_t error_n)
{
    char beside[PATH_CAP + 8];
    int fd, rc;

    snprintf(beside, sizeof beside, "%s.new", path);
    fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, MODE);
    if (fd < 0)
        return failed(error, error_n, beside);
    rc = fill(fd, b, last) < 0 ? failed(error, error_n, beside) : 0;
    close(fd);
    if (rc == 0 && rename(beside, path) < 0)
        rc = failed(error, error_n, path);
    if (rc < 0)
        unlink(beside);
    return rc;
}

int
homes_table_write(struct homes_table *t, const char *dir, void (*step)(void), char *error,
                  size_t error_n)
{
    char path[PATH_CAP];
    int written = 0;
    time_t last;

    for (unsigned i = 0; i < HOMES_BUCKETS; i++) {
        struct bucket *b = &t->bucket[i];

        if (!b->dirty)
            continue;
        step();
        snprintf(path, sizeof path, "%s/%02x", dir, i);
        if (!is_same(b, path, &last)) {
            if (replace(b, path, last, error, error_n) < 0)
                return -1;
            written++;
        }
        b->dirty = 0;
    }
    return written;
}
