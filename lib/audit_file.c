/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * audit_file: where the records of an audit log are.
 *
 * Promises: memory for names only, whatever the files hold; a file that grows while
 * it is read is read up to where it ended, by whole lines. Must not change anything,
 * nor judge records: that is audit_chain's.
 *
 * The number in a name is that of the file's first record, so that names sort as
 * records do even when clocks were set back between two files.
 */
#include "audit_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "folder.h"

void
audit_name_write(uint64_t first, int64_t wall_ms, char out[AUDIT_NAME])
{
    char time[AUDIT_TIME];

    audit_time_write(wall_ms, time);
    snprintf(out, AUDIT_NAME, "audit-%012" PRIu64 "-%.10s.jsonl", first, time);
}

uint64_t
audit_name_parse(const char *name)
{
    unsigned long long first;
    unsigned y, m, d;
    int n = 0;

    if (strlen(name) >= AUDIT_NAME ||
        sscanf(name, "audit-%20llu-%4u-%2u-%2u.jsonl%n", &first, &y, &m, &d, &n) != 4)
        return 0;
    return n > 0 && !name[n] ? first : 0;
}

static int
by_number(const void *a, const void *b)
{
    uint64_t x = audit_name_parse(a), y = audit_name_parse(b);

    return x != y ? (x > y) - (x < y) : strcmp(a, b);
}

static int
names_add(struct audit_files *f, size_t *room, const char *name)
{
    if (f->n == *room) {
        size_t more = *room ? 2 * *room : 64;
        void *p = realloc(f->name, more * sizeof *f->name);

        if (!p)
            return -1;
        f->name = p;
        *room = more;
    }
    strcpy(f->name[f->n++], name);
    return 0;
}

int
audit_files_list(int dir_fd, struct audit_files *f_r)
{
    DIR *d = folder_list(dir_fd);
    size_t room = 0;
    struct dirent *e;
    int error;

    *f_r = (struct audit_files){NULL, 0};
    if (!d)
        return -1;
    while ((errno = 0, e = readdir(d)))
        if (audit_name_parse(e->d_name) && names_add(f_r, &room, e->d_name) < 0)
            break;
    error = errno;
    closedir(d);
    if (error) {
        audit_files_free(f_r);
        errno = error;
        return -1;
    }
    if (f_r->n > 1)
        qsort(f_r->name, f_r->n, sizeof *f_r->name, by_number);
    return 0;
}

void
audit_files_free(struct audit_files *f)
{
    free(f->name);
    *f = (struct audit_files){NULL, 0};
}

void
audit_reader_begin(struct audit_reader *r, int fd, off_t from)
{
    r->fd = fd;
    r->at = r->next = from;
    r->begin = r->end = 0;
    r->whole = 0;
}

/* Have more bytes in buf: 1, 0 at the end, -1. */
static int
more(struct audit_reader *r)
{
    ssize_t n;

    if (r->begin > 0) {
        memmove(r->buf, r->buf + r->begin, r->end - r->begin);
        r->end -= r->begin;
        r->begin = 0;
    }
    do
        n = pread(r->fd, r->buf + r->end, sizeof r->buf - r->end, r->next + (off_t)r->end);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        r->end += (size_t)n;
    return n > 0 ? 1 : (int)n;
}

int
audit_reader_next(struct audit_reader *r, struct span *line_r)
{
    size_t n;
    char *lf;

    r->at = r->next;
    while (!(lf = memchr(r->buf + r->begin, '\n', r->end - r->begin)) &&
           r->end - r->begin < AUDIT_LINE_MAX) {
        int got = more(r);

        if (got < 0)
            return -1;
        if (got == 0)
            break;
    }
    n = lf ? (size_t)(lf - r->buf) - r->begin : r->end - r->begin;
    *line_r = (struct span){r->buf + r->begin, n};
    r->whole = lf != NULL;
    n += r->whole;
    r->begin += n;
    r->next += (off_t)n;
    return n > 0;
}

void
audit_head_write(uint64_t seq, const char hash[AUDIT_HASH], char out[AUDIT_HEAD_SIZE + 1])
{
    snprintf(out, AUDIT_HEAD_SIZE + 1, "%020" PRIu64 " %.64s\n", seq, hash);
}

int
audit_head_read(int dir_fd, uint64_t *seq_r, char hash_r[AUDIT_HASH])
{
    int fd = openat(dir_fd, AUDIT_HEAD, O_RDONLY | O_CLOEXEC), used = 0;
    char text[AUDIT_HEAD_SIZE + 1];
    unsigned long long seq;
    ssize_t n;

    if (fd < 0)
        return errno == ENOENT ? 0 : -1;
    n = pread(fd, text, AUDIT_HEAD_SIZE, 0);
    close(fd);
    if (n <= 0)
        return (int)n;
    text[n] = '\0';
    if (n == AUDIT_HEAD_SIZE && sscanf(text, "%20llu %64[0-9a-f]%n", &seq, hash_r, &used) == 2 &&
        used == AUDIT_HEAD_SIZE - 1) {
        *seq_r = seq;
        return 1;
    }
    errno = EBADMSG;
    return -1;
}
