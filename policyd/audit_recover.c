/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * audit_recover: where to go on after a stop, a kill, a power cut, or after somebody
 * had his hands in the folder.
 *
 * Promises: nothing is hidden. Only bytes behind the last LF are taken out of a log
 * file, into a file torn-NUMBER, and that is a record; lines that are damaged stay
 * where they are, the log goes on in a new file, and that is a record; numbers that
 * were given away once are not given away again.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit_chain.h"
#include "audit_private.h"

/* What one file says. */
struct found {
    uint64_t last; /* newest record; 0: none */
    char hash[AUDIT_HASH];
    int64_t first_ms;
    off_t whole; /* behind its last LF */
    uint64_t bad, first_bad;
};

static int
scan(int fd, struct found *f)
{
    struct audit_reader *r = malloc(sizeof *r);
    struct audit_chain chain;
    struct audit_verdict v;
    struct span line;
    uint64_t lines = 0;
    int got;

    memset(f, 0, sizeof *f);
    if (!r)
        return -1;
    audit_chain_begin(&chain, 0, NULL);
    audit_reader_begin(r, fd, 0);
    while ((got = audit_reader_next(r, &line)) == 1) {
        if (!r->whole)
            continue;
        lines++;
        f->whole = r->next;
        audit_chain_step(&chain, line, &v);
        if (v.finding != AUDIT_FINE && f->bad++ == 0)
            f->first_bad = lines;
        if (chain.records == 1 && f->first_ms == 0)
            f->first_ms = chain.wall_ms;
    }
    free(r);
    f->last = chain.last;
    memcpy(f->hash, chain.hash, AUDIT_HASH);
    return got;
}

/* Bytes from, to of a file into a new one of its own. */
static int
copy_aside(struct audit *a, int fd, off_t from, off_t to, const char *name)
{
    int out = openat(a->dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640), rc = 0;
    char buf[8192];

    if (out < 0)
        return -1;
    while (rc == 0 && from < to) {
        size_t want = to - from < (off_t)sizeof buf ? (size_t)(to - from) : sizeof buf;
        ssize_t n = pread(fd, buf, want, from);

        rc = n > 0 && write(out, buf, (size_t)n) == n ? 0 : -1;
        from += n > 0 ? n : 0;
    }
    if (rc == 0)
        rc = fdatasync(out);
    close(out);
    return rc;
}

/* Take an unfinished line out of the file: it was never said to be on disk. */
static int
cut_torn(struct audit *a, int fd, const char *file, const struct found *f, off_t size)
{
    char name[AUDIT_NAME];

    if (size <= f->whole)
        return 0;
    snprintf(name, sizeof name, "torn-%012" PRIu64, (f->last > a->seq ? f->last : a->seq) + 1);
    if (copy_aside(a, fd, f->whole, size, name) < 0 || ftruncate(fd, f->whole) < 0)
        return -1;
    audit_note(a, "log-recovered",
               "the last line of %s was not written to its end: %lld bytes of it are in %s now",
               file, (long long)(size - f->whole), name);
    return 0;
}

/* Go on in this file, unless something is wrong with it. */
static void
take_file(struct audit *a, int fd, const char *name, const struct found *f)
{
    if (f->bad > 0) {
        audit_note(a, "log-damaged",
                   "%" PRIu64 " lines of %s do not hold together with the others, the first is "
                   "line %" PRIu64 "; see postroad audit verify",
                   f->bad, name, f->first_bad);
        close(fd);
        return;
    }
    a->fd = fd;
    a->size = f->whole;
    a->day = f->first_ms / 86400000;
    strcpy(a->name, name);
}

/* One file, from the newest on backwards: 1 it tells how far the log goes; 0 it is empty; -1. */
static int
look_at(struct audit *a, const char *name, int newest)
{
    int fd = openat(a->dir_fd, name, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW), error;
    struct found f;
    struct stat st;

    if (fd < 0)
        return -1;
    if (fstat(fd, &st) < 0 || scan(fd, &f) < 0 || cut_torn(a, fd, name, &f, st.st_size) < 0) {
        error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    if (f.last > a->seq) {
        a->seq = f.last;
        memcpy(a->hash, f.hash, AUDIT_HASH);
    }
    if (newest && f.last > 0)
        take_file(a, fd, name, &f);
    else
        close(fd);
    return f.last > 0;
}

/* The head may be behind by what was written last, but it is never ahead of a log that is whole. */
static int
compare_head(struct audit *a)
{
    char hash[AUDIT_HASH];
    uint64_t seq = 0;
    int got = audit_head_read(a->dir_fd, &seq, hash);

    if (got < 0 && errno != EBADMSG)
        return -1;
    if (got < 0)
        audit_note(a, "log-damaged", "the file " AUDIT_HEAD " makes no sense");
    if (got <= 0 || seq < a->seq || (seq == a->seq && strcmp(hash, a->hash) == 0))
        return 0;
    if (seq == a->seq)
        audit_note(a, "log-damaged", "record %" PRIu64 " is not the one that was written", seq);
    else
        audit_note(a, "log-lost", "records %" PRIu64 " to %" PRIu64 " are gone", a->seq + 1, seq);
    a->seq = seq; /* go on from what was written */
    memcpy(a->hash, hash, AUDIT_HASH);
    if (a->fd >= 0)
        close(a->fd);
    a->fd = -1;
    return 0;
}

int
audit_recover(struct audit *a)
{
    struct audit_files files;
    int got = 0, error;

    if (audit_files_list(a->dir_fd, &files) < 0)
        return -1;
    memcpy(a->hash, AUDIT_FIRST, AUDIT_HASH);
    for (size_t i = files.n; i > 0 && got == 0; i--)
        got = look_at(a, files.name[i - 1], i == files.n);
    if (got == 0 && files.n > 0) { /* files, and no record in any of them */
        a->seq = audit_name_parse(files.name[files.n - 1]) - 1;
        audit_note(a, "log-damaged", "no file holds a record, the newest is %s",
                   files.name[files.n - 1]);
    }
    error = errno;
    audit_files_free(&files);
    errno = error;
    return got < 0 ? -1 : compare_head(a);
}
