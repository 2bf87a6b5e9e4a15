/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * accounting_file: see accounting_file.h. Reads only.
 *
 * The log's own name is part of the file's, so that a state folder that was made anew, or
 * copies of several servers in one folder, never get into each other's way.
 */
#include "accounting_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit_line.h"
#include "folder.h"

#define TAIL_MAX \
    (64 * ACCOUNTING_LINE_MAX) /* unfinished bytes that one write may have left, at most */

void
accounting_name_write(const char *log, uint64_t first, int64_t wall_ms, char out[ACCOUNTING_NAME])
{
    char time[AUDIT_TIME];

    audit_time_write(wall_ms, time);
    snprintf(out, ACCOUNTING_NAME, "accounting-%.10s-%.16s-%012" PRIu64 ".jsonl", time, log, first);
}

int
accounting_name_parse(const char *name, char log_r[ACCOUNTING_LOG], uint64_t *first_r)
{
    unsigned long long first;
    unsigned y, m, d;
    int n = 0;

    if (sscanf(name, "accounting-%4u-%2u-%2u-%16[0-9a-f]-%20llu.jsonl%n", &y, &m, &d, log_r, &first,
               &n) != 5 ||
        n == 0 || name[n] || n >= ACCOUNTING_NAME || first == 0 ||
        strlen(log_r) != ACCOUNTING_LOG - 1)
        return -1;
    *first_r = first;
    return 0;
}

int
accounting_newest(int dir_fd, const char *log, char name_r[ACCOUNTING_NAME], uint64_t *first_r)
{
    DIR *d = folder_list(dir_fd);
    struct dirent *e;
    int error;

    *first_r = 0;
    if (!d)
        return -1;
    while ((errno = 0, e = readdir(d))) {
        char its_log[ACCOUNTING_LOG];
        uint64_t first;

        if (accounting_name_parse(e->d_name, its_log, &first) < 0 || strcmp(its_log, log) != 0 ||
            first <= *first_r)
            continue;
        *first_r = first;
        memcpy(name_r, e->d_name, strlen(e->d_name) + 1);
    }
    error = errno;
    closedir(d);
    errno = error;
    return error ? -1 : *first_r > 0;
}

/* The last whole line of the n bytes at buf; its end, or 0: there is none. */
static size_t
last_line(const char *buf, size_t n, struct span *line_r)
{
    const char *lf = n ? memrchr(buf, '\n', n) : NULL, *before;

    if (!lf)
        return 0;
    before = lf > buf ? memrchr(buf, '\n', (size_t)(lf - buf)) : NULL;
    line_r->p = before ? before + 1 : buf;
    line_r->n = (size_t)(lf - line_r->p);
    return (size_t)(lf + 1 - buf);
}

int
accounting_end(int fd, uint64_t first, uint64_t *last_r, off_t *end_r)
{
    static char buf[TAIL_MAX];
    char log[ACCOUNTING_LOG];
    struct stat st;
    struct span line;
    off_t from;
    ssize_t n;
    size_t end;

    if (fstat(fd, &st) < 0)
        return -1;
    from = st.st_size > TAIL_MAX ? st.st_size - TAIL_MAX : 0;
    n = pread(fd, buf, sizeof buf, from);
    if (n < 0)
        return -1;
    end = last_line(buf, (size_t)n, &line);
    *last_r = first - 1;
    *end_r = 0;
    if (end == 0 && from == 0)
        return 0;
    *end_r = from + (off_t)end;
    if (end > 0 && accounting_line_head(line, log, last_r) == 0)
        return 0;
    errno = EBADMSG;
    return -1;
}
