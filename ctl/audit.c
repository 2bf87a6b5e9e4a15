/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * audit: reading the audit log directly, showing a record, and proving who calls.
 *
 * Promises: memory for one line, however large the log is; what a stranger put into a
 * record steers no terminal. Must not change the log.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"
#include "dir.h"
#include "text.h"

int
audit_dir_open(const struct ctl *ctl)
{
    char path[1100];

    snprintf(path, sizeof path, "%s/audit", ctl->conf->state_dir);
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int
read_file(int dir_fd, const char *name, audit_line_fn *fn, void *ctx)
{
    struct audit_reader *r = malloc(sizeof *r);
    int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), rc = -1, error;
    struct span line;
    uint64_t n = 0;

    if (r && fd >= 0) {
        audit_reader_begin(r, fd, 0);
        while ((rc = audit_reader_next(r, &line)) == 1)
            if ((rc = fn(ctx, name, ++n, line, r->whole)) != 0)
                break;
    }
    error = errno;
    if (fd >= 0)
        close(fd);
    free(r);
    errno = error;
    return rc;
}

int
audit_dir_read(int dir_fd, uint64_t from, audit_line_fn *fn, void *ctx)
{
    struct audit_files files;
    int rc = audit_files_list(dir_fd, &files), error;

    if (rc < 0)
        return -1;
    for (size_t i = 0; i < files.n && rc == 0; i++)
        if (i + 1 == files.n || audit_name_parse(files.name[i + 1]) > from)
            rc = read_file(dir_fd, files.name[i], fn, ctx);
    error = errno;
    audit_files_free(&files);
    errno = error;
    return rc;
}

static void
put(const char *before, struct span raw)
{
    char text[2048];

    if (raw.n == 0)
        return;
    audit_line_text(raw, text, sizeof text);
    fputs(before, stdout);
    text_put(stdout, text);
}

void
audit_show(const struct audit_line *l)
{
    static const struct {
        const char *before;
        enum audit_field field;
    } rest[] = {{" by ", AUDIT_SERVICE},      {" from ", AUDIT_REMOTE},
                {" mailbox ", AUDIT_MAILBOX}, {" uid ", AUDIT_UID},
                {" (", AUDIT_DETAIL},         {" why: ", AUDIT_WHY},
                {" reason: ", AUDIT_REASON},  {" session ", AUDIT_SESSION}};
    char time[AUDIT_TIME];

    audit_time_write(l->wall_ms, time);
    printf("%.10s %.8sZ", time, time + 11);
    put(" ", l->field[AUDIT_ACTION]);
    put(" ", l->field[AUDIT_ACTOR]);
    put(" -> ", l->field[AUDIT_TARGET]);
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++) {
        put(rest[i].before, l->field[rest[i].field]);
        if (rest[i].field == AUDIT_DETAIL && l->field[AUDIT_DETAIL].n > 0)
            putchar(')');
    }
    putchar('\n');
}

int
audit_who(const struct ctl *ctl, char *address, size_t cap)
{
    static const char *const attrs[] = {"mail", NULL};
    struct dir_entry *e = NULL;
    struct dir *d;
    int code = dir_open(ctl, &d);

    if (code != CTL_DONE)
        return code;
    *address = '\0';
    if (*dir_self(d))
        code = dir_find(d, dir_self(d), DIR_BASE, "(objectClass=*)", attrs, &e);
    if (code == CTL_DONE && e)
        snprintf(address, cap, "%s", dir_value(e, "mail"));
    if (code == CTL_TEMPORARY)
        dir_fail(d, code);
    else if (!*address)
        code = ctl_fail(ctl, CTL_NO,
                        "you are bound as %s, which has no mail address: give --bind-dn with yours",
                        *dir_self(d) ? dir_self(d) : "nobody");
    dir_entry_free(&e);
    dir_close(&d);
    return code;
}
