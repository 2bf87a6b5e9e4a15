/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * listen: opening, inheriting and closing listening sockets.
 *
 * Promises: a path is only taken from somebody who doesn't answer on it; a UNIX
 * socket is never open to more than its owner and group, not even for a moment;
 * at the end only what we made ourselves is removed. Never logs; errors are text.
 */
#include "listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "socket_give.h"

#define BACKLOG 4096 /* the kernel cuts it to net.core.somaxconn */

union any_address {
    struct sockaddr sa;
    struct sockaddr_un un;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

/* "HOST:PORT" or "[HOST]:PORT", numeric. Length of the address, 0 when it is none. */
static socklen_t
parse_inet(const char *text, union any_address *a)
{
    const char *colon = strrchr(text, ':');
    char host[64], *end;
    unsigned long port;
    int bracket = text[0] == '[';

    if (!colon || colon[1] < '0' || colon[1] > '9')
        return 0;
    port = strtoul(colon + 1, &end, 10);
    snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
    if (*end || port == 0 || port > 65535 || (bracket && host[strlen(host) - 1] != ']'))
        return 0;
    if (bracket)
        host[strlen(host) - 1] = '\0';
    memset(a, 0, sizeof(*a));
    if (inet_pton(AF_INET, host, &a->in.sin_addr) == 1) {
        a->in.sin_family = AF_INET;
        a->in.sin_port = htons((uint16_t)port);
        return sizeof(a->in);
    }
    if (inet_pton(AF_INET6, host + bracket, &a->in6.sin6_addr) == 1) {
        a->in6.sin6_family = AF_INET6;
        a->in6.sin6_port = htons((uint16_t)port);
        return sizeof(a->in6);
    }
    return 0;
}

static socklen_t
parse_address(const char *address, union any_address *a)
{
    size_t n;

    if (strncmp(address, "unix:", 5) != 0)
        return parse_inet(strncmp(address, "inet:", 5) == 0 ? address + 5 : address, a);
    n = strlen(address + 5);
    if (n == 0 || n >= sizeof(a->un.sun_path))
        return 0;
    memset(a, 0, sizeof(*a));
    a->un.sun_family = AF_UNIX;
    memcpy(a->un.sun_path, address + 5, n + 1);
    return sizeof(a->un);
}

static int
fail(char *error, size_t error_n, const char *address, const char *what)
{
    snprintf(error, error_n, "%s: %s", address, what);
    return -1;
}

/* --- UNIX sockets --- */

/* Whether somebody accepts connections at the path: 1, 0 nobody, -1 can't tell (errno). */
static int
is_answered(const union any_address *a)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), rc;

    if (fd < 0)
        return -1;
    rc = connect(fd, &a->sa, sizeof(a->un));
    if (rc == 0 || errno == EAGAIN || errno == EINPROGRESS)
        rc = 1;
    else
        rc = errno == ECONNREFUSED || errno == ENOENT ? 0 : -1;
    close(fd);
    return rc;
}

/* Make way at the path: its folder exists, nothing stands there. */
static int
clear_path(const char *address, const union any_address *a, char *error, size_t error_n)
{
    const char *path = a->un.sun_path;
    char dir[sizeof(a->un.sun_path)], *slash;
    struct stat st;
    int answered;

    memcpy(dir, path, sizeof(dir));
    slash = strrchr(dir, '/');
    if (slash && slash != dir) {
        *slash = '\0';
        if (mkdir(dir, 0755) == 0)
            (void)!chmod(dir, 0755); /* whatever the umask */
        else if (errno != EEXIST)
            return fail(error, error_n, dir, strerror(errno));
    }
    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : fail(error, error_n, address, strerror(errno));
    if (!S_ISSOCK(st.st_mode))
        return fail(error, error_n, address, "there is a file of this name that is no socket");
    answered = is_answered(a);
    if (answered > 0)
        return fail(error, error_n, address, "another daemon is running there");
    if (answered < 0 || unlink(path) < 0)
        return fail(error, error_n, address, strerror(errno));
    return 0;
}

static int
set_access(const char *address, gid_t group, char *error, size_t error_n)
{
    return socket_give(address + 5, group) < 0 ? fail(error, error_n, address, strerror(errno)) : 0;
}

static int
bind_unix(struct listener *l, const union any_address *a, char *error, size_t error_n)
{
    struct stat st;
    mode_t mask;
    int rc;

    if (clear_path(l->address, a, error, error_n) < 0)
        return -1;
    mask = umask(SOCKET_UMASK);
    rc = bind(l->fd, &a->sa, sizeof(a->un));
    umask(mask);
    if (rc < 0 || lstat(a->un.sun_path, &st) < 0)
        return fail(error, error_n, l->address, strerror(errno));
    l->dev = st.st_dev;
    l->ino = st.st_ino;
    return 0;
}

static void
remove_path(const struct listener *l)
{
    struct stat st;

    if (l->ino && lstat(l->address + 5, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino)
        unlink(l->address + 5);
}

/* --- both kinds --- */

static int
bind_inet(struct listener *l, const union any_address *a, socklen_t n, char *error, size_t error_n)
{
    int one = 1;

    setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (a->sa.sa_family == AF_INET6)
        setsockopt(l->fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    return bind(l->fd, &a->sa, n) < 0 ? fail(error, error_n, l->address, strerror(errno)) : 0;
}

static int
open_new(struct listener *l, const union any_address *a, socklen_t n, gid_t group, char *error,
         size_t error_n)
{
    int local = a->sa.sa_family == AF_UNIX, rc;

    l->fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->fd < 0)
        return fail(error, error_n, l->address, strerror(errno));
    rc = local ? bind_unix(l, a, error, error_n) : bind_inet(l, a, n, error, error_n);
    if (rc == 0 && listen(l->fd, BACKLOG) < 0)
        rc = fail(error, error_n, l->address, strerror(errno));
    if (rc == 0 && local)
        rc = set_access(l->address, group, error, error_n);
    if (rc == 0)
        return 0;
    remove_path(l);
    close(l->fd);
    return -1;
}

static int
same_socket(int fd, const union any_address *a, socklen_t n)
{
    union any_address b;
    socklen_t bn = sizeof(b);

    if (a->sa.sa_family == AF_UNIX)
        return sd_is_socket_unix(fd, SOCK_STREAM, 1, a->un.sun_path, 0) > 0;
    memset(&b, 0, sizeof(b));
    if (sd_is_socket_inet(fd, a->sa.sa_family, SOCK_STREAM, 1, 0) <= 0 ||
        getsockname(fd, &b.sa, &bn) < 0 || bn != n)
        return 0;
    if (a->sa.sa_family == AF_INET)
        return b.in.sin_port == a->in.sin_port &&
               memcmp(&b.in.sin_addr, &a->in.sin_addr, sizeof(b.in.sin_addr)) == 0;
    return b.in6.sin6_port == a->in6.sin6_port &&
           memcmp(&b.in6.sin6_addr, &a->in6.sin6_addr, sizeof(b.in6.sin6_addr)) == 0;
}

static int
take_inherited(struct listen_set *s, const union any_address *a, socklen_t n)
{
    for (int i = 0; i < s->ninherited; i++) {
        int fd = s->inherited[i];

        if (!same_socket(fd, a, n))
            continue;
        s->inherited[i] = s->inherited[--s->ninherited];
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
        return fd;
    }
    return -1;
}

int
listen_inherit(struct listen_set *s)
{
    int n = sd_listen_fds(1);

    if (n < 0)
        errno = -n;
    for (int i = 0; i < n; i++) {
        if (s->ninherited < LISTEN_MAX)
            s->inherited[s->ninherited++] = SD_LISTEN_FDS_START + i;
        else
            close(SD_LISTEN_FDS_START + i);
    }
    return n < 0 ? -1 : n;
}

int
listen_at(struct listen_set *s, const char *address, gid_t group, char *error, size_t error_n)
{
    struct listener *l = &s->at[s->n];
    union any_address a;
    socklen_t n = parse_address(address, &a);

    for (int i = 0; i < s->n; i++) {
        if (strcmp(s->at[i].address, address) != 0)
            continue;
        if (s->at[i].ino && set_access(address, group, error, error_n) < 0)
            return -1;
        return i;
    }
    if (n == 0 || strlen(address) >= sizeof(l->address))
        return fail(error, error_n, address,
                    "is no address: unix:/path, or ADDRESS:PORT in numbers");
    if (s->n == LISTEN_MAX)
        return fail(error, error_n, address, "too many sockets");
    memset(l, 0, sizeof(*l));
    snprintf(l->address, sizeof(l->address), "%s", address);
    l->fd = take_inherited(s, &a, n);
    l->inherited = l->fd >= 0;
    if (!l->inherited && open_new(l, &a, n, group, error, error_n) < 0)
        return -1;
    return s->n++;
}

void
listen_sweep(struct listen_set *s)
{
    int n = 0;

    for (int i = 0; i < s->n; i++) {
        struct listener *l = &s->at[i];

        if (l->keep) {
            l->keep = 0;
            s->at[n++] = *l;
            continue;
        }
        remove_path(l);
        close(l->fd);
    }
    s->n = n;
}

int
listen_drop_inherited(struct listen_set *s)
{
    int n = s->ninherited;

    while (s->ninherited > 0)
        close(s->inherited[--s->ninherited]);
    return n;
}
