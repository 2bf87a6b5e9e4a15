/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * role_start: the parent's end of starting a role: descriptors at their fixed
 * places, the configuration in memory, and the same program again.
 *
 * The program is /proc/self/exe, so a role is never of another version than its
 * parent, even while a package is being upgraded.
 */
#include "role_start.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FD_MAX (ROLE_FD_LISTEN + ROLE_LISTEN_MAX)

/* First out of the way, then down to their places: none treads on another. */
static int
place_descriptors(const struct role_order *o)
{
    int fd[FD_MAX], n = 0;

    fd[n++] = o->parent_fd;
    fd[n++] = o->board_fd;
    fd[n++] = o->conf_fd;
    for (int i = 0; i < o->nlisten; i++)
        fd[n++] = o->listen_fd[i];
    for (int i = 0; i < n; i++) {
        fd[i] = fcntl(fd[i], F_DUPFD_CLOEXEC, ROLE_FD_PARENT + FD_MAX);
        if (fd[i] < 0)
            return -1;
    }
    for (int i = 0; i < n; i++)
        if (dup2(fd[i], ROLE_FD_PARENT + i) < 0)
            return -1;
    return lseek(ROLE_FD_CONF, 0, SEEK_SET) < 0 ? -1 : 0;
}

void
role_exec(const struct role_order *o)
{
    char order[64];
    char *argv[] = {(char *)"postroad-policyd", (char *)"-x", order, (char *)"-c",
                    (char *)o->conf_path,       NULL};
    static const char *const parents_own[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"};
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    for (size_t i = 0; i < sizeof(parents_own) / sizeof(parents_own[0]); i++)
        unsetenv(parents_own[i]);
    snprintf(order, sizeof(order), "%s:%d:%d", o->role->name, o->page, o->nlisten);
    if (null >= 0 && dup2(null, STDIN_FILENO) >= 0 && place_descriptors(o) == 0)
        execv("/proc/self/exe", argv);
    dprintf(STDERR_FILENO, "postroad-policyd: can't start role %s: %s\n", o->role->name,
            strerror(errno));
    _exit(75);
}

/* The groups a row's key stands in are opened and closed as they change from row to row. */
struct nesting {
    FILE *out;
    char group[128];
};

static size_t
common_groups(const char *a, const char *b)
{
    size_t last = 0;

    for (size_t i = 0; a[i] && a[i] == b[i]; i++)
        if (a[i] == '.')
            last = i + 1;
    return last;
}

static void
write_row(void *ctx, const struct conf_row *row, const char *value)
{
    struct nesting *n = ctx;
    size_t same = common_groups(n->group, row->key);
    const char *p = row->key + same, *dot;

    for (const char *g = n->group + same; *g; g++)
        if (*g == '.')
            fputs("};\n", n->out);
    for (; (dot = strchr(p, '.')); p = dot + 1)
        fprintf(n->out, "%.*s: {\n", (int)(dot - p), p);
    fprintf(n->out, "%s = %s;\n", p, value);
    snprintf(n->group, sizeof(n->group), "%.*s", (int)(p - row->key), row->key);
}

int
role_conf_fd(const struct conf *conf)
{
    struct nesting n = {NULL, ""};
    int fd = memfd_create("postroad.conf", MFD_CLOEXEC), dup_fd;

    if (fd < 0)
        return -1;
    dup_fd = dup(fd);
    n.out = dup_fd < 0 ? NULL : fdopen(dup_fd, "w");
    if (!n.out) {
        close(fd);
        return -1;
    }
    conf_each(conf, 0, write_row, &n);
    for (const char *g = n.group; *g; g++)
        if (*g == '.')
            fputs("};\n", n.out);
    if (fclose(n.out) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}
