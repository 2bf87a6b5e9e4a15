/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * audit_seen: whether the audit log has a record already, for who may have had it written and was killed before
 * he knew. Reads the newest files only, and not more than SEEN_BYTES: then "no", as a record that is there
 * twice does less harm than one that is not there.
 */
#include "audit_seen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit_file.h"

#define SEEN_BYTES (64u << 20)

struct hunt {
    const char *action, *id;
    uint64_t bytes;
    struct audit_reader reader;
};

/* "id=ID", and then a blank or nothing. */
static int
is_about(struct span detail, const char *id)
{
    size_t n = strlen(id);

    return detail.n >= n + 3 && memcmp(detail.p, "id=", 3) == 0 &&
           memcmp(detail.p + 3, id, n) == 0 && (detail.n == n + 3 || detail.p[n + 3] == ' ');
}

static int
is_wanted(const struct hunt *q, struct span line)
{
    struct audit_line record;

    return memmem(line.p, line.n, q->id, strlen(q->id)) && audit_line_parse(line, &record) == 0 &&
           span_same(record.field[AUDIT_ACTION], span_of(q->action)) &&
           is_about(record.field[AUDIT_DETAIL], q->id);
}

/* One file: 1, 0, -1. *last_ms_r: when it was written last. */
static int
hunt_in(struct hunt *q, int dir_fd, const char *name, int64_t *last_ms_r)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), got = -1, found = 0;
    struct stat st;
    struct span line;

    *last_ms_r = 0;
    if (fd >= 0 && fstat(fd, &st) == 0) {
        *last_ms_r = (int64_t)st.st_mtim.tv_sec * 1000 + 999;
        q->bytes += (uint64_t)st.st_size;
        audit_reader_begin(&q->reader, fd, 0);
        while (!found && (got = audit_reader_next(&q->reader, &line)) == 1)
            found = q->reader.whole && is_wanted(q, line);
    }
    if (fd >= 0)
        close(fd);
    return found ? 1 : got < 0 ? -1 : 0;
}

int
audit_seen(const char *dir, const char *action, const char *id, int64_t since_ms)
{
    int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = -1;
    struct hunt *q = calloc(1, sizeof *q);
    struct audit_files files = {NULL, 0};
    int64_t last_ms = since_ms;

    if (q && dir_fd >= 0 && audit_files_list(dir_fd, &files) == 0) {
        q->action = action;
        q->id = id;
        rc = 0;
        for (size_t i = files.n;
             rc == 0 && i-- > 0 && last_ms >= since_ms && q->bytes < SEEN_BYTES;)
            rc = hunt_in(q, dir_fd, files.name[i], &last_ms);
    }
    audit_files_free(&files);
    if (dir_fd >= 0)
        close(dir_fd);
    free(q);
    return rc;
}
