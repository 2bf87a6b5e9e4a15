/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * null_server: the fastest socketmap server there can be, as the limit that
 * policyd is measured against.
 *
 * One process, one epoll loop; finds where each request ends, looks at nothing
 * else but, with -m, at the map's name, and sends one fixed reply for each; a read is
 * answered by one write. Serves until SIGTERM. Must not be used for anything but
 * measuring: a client that doesn't read its replies stops it.
 *
 * usage: null_server [-p CPU] [-r REPLY] [-m MAP=REPLY]... SOCKET
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "netstring.h"

#define READ_MAX  65536
#define KEY_MAX   10000
#define FD_MAX    4096
#define REPLY_MAX 1024
#define EVENTS    256
#define MAPS_MAX  8

struct conn {
    size_t n; /* bytes of a request begun */
    char part[KEY_MAX + NETSTRING_HEAD_MAX + 1];
};

static struct conn *conns[FD_MAX];
/* The first is for maps that are not named. */
static struct {
    const char *map;
    size_t n;
    char text[REPLY_MAX + NETSTRING_HEAD_MAX + 1];
} replies[MAPS_MAX] = {{.map = ""}};
static size_t nreplies = 1;
static char in[READ_MAX + sizeof(conns[0]->part)];
static char out[READ_MAX];

static void
die(const char *what)
{
    perror(what);
    exit(1);
}

static int
write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t w = write(fd, p, n);

        if (w < 0)
            return -1;
        p += w;
        n -= (size_t)w;
    }
    return 0;
}

static void
hang_up(int fd)
{
    close(fd);
    free(conns[fd]);
    conns[fd] = NULL;
}

static size_t
reply_to(struct span request)
{
    for (size_t i = 1; i < nreplies; i++) {
        size_t n = strlen(replies[i].map);

        if (request.n > n && request.p[n] == ' ' && memcmp(request.p, replies[i].map, n) == 0)
            return i;
    }
    return 0;
}

static int
set_reply(size_t i, const char *map, const char *text)
{
    replies[i].map = map;
    replies[i].n =
        (size_t)snprintf(replies[i].text, sizeof(replies[i].text), "%zu:%s,", strlen(text), text);
    return strlen(text) <= REPLY_MAX ? 0 : -1;
}

/* MAP=REPLY. */
static int
add_reply(char *arg)
{
    char *equals = strchr(arg, '=');

    if (!equals || nreplies == MAPS_MAX)
        return -1;
    *equals = '\0';
    return set_reply(nreplies++, arg, equals + 1);
}

/* Answer all whole requests in the first n bytes of in; returns how many bytes those were, or -1. */
static long
answer(int fd, size_t n)
{
    size_t done = 0, filled = 0;

    for (;;) {
        struct span payload;
        size_t i = 0;
        long used = netstring_parse(in + done, n - done, KEY_MAX, &payload);

        if (used < 0)
            return -1;
        if (used > 0)
            i = reply_to(payload);
        if (used == 0 || filled + replies[i].n > sizeof(out)) {
            if (filled > 0 && write_all(fd, out, filled) < 0)
                return -1;
            filled = 0;
        }
        if (used == 0)
            return (long)done;
        memcpy(out + filled, replies[i].text, replies[i].n);
        filled += replies[i].n;
        done += (size_t)used;
    }
}

static void
serve(int fd)
{
    struct conn *c = conns[fd];
    ssize_t got;
    long used;

    memcpy(in, c->part, c->n);
    got = read(fd, in + c->n, READ_MAX);
    used = got > 0 ? answer(fd, c->n + (size_t)got) : -1;
    if (used < 0) {
        hang_up(fd);
        return;
    }
    c->n = c->n + (size_t)got - (size_t)used;
    memcpy(c->part, in + used, c->n);
}

static void
welcome(int ep, int listener)
{
    int fd = accept(listener, NULL, NULL);
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

    if (fd < 0)
        return;
    if (fd >= FD_MAX || !(conns[fd] = calloc(1, sizeof(*conns[fd])))) {
        close(fd);
        return;
    }
    if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) < 0)
        hang_up(fd);
}

static int
listen_at(const char *path)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    if (strlen(path) >= sizeof(sun.sun_path)) {
        fprintf(stderr, "null_server: %s: too long for a socket\n", path);
        exit(2);
    }
    strcpy(sun.sun_path, path);
    unlink(path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 || listen(fd, 512) < 0)
        die(path);
    return fd;
}

static void
pin(int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof(set), &set) < 0)
        die("sched_setaffinity");
}

static void
loop(int listener)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = listener}, ready[EVENTS];
    int ep = epoll_create1(0);

    if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, listener, &ev) < 0)
        die("epoll");
    for (;;) {
        int n = epoll_wait(ep, ready, EVENTS, -1);

        for (int i = 0; i < n; i++) {
            if (ready[i].data.fd == listener)
                welcome(ep, listener);
            else
                serve(ready[i].data.fd);
        }
    }
}

int
main(int argc, char **argv)
{
    int opt, wrong = set_reply(0, "", "OK x") < 0;

    while ((opt = getopt(argc, argv, "p:r:m:")) != -1) {
        if (opt == 'p')
            pin(atoi(optarg));
        else if (opt == 'r')
            wrong |= set_reply(0, "", optarg) < 0;
        else
            wrong |= opt != 'm' || add_reply(optarg) < 0;
    }
    if (wrong || argc != optind + 1) {
        fprintf(stderr, "usage: null_server [-p CPU] [-r REPLY] [-m MAP=REPLY]... SOCKET\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    loop(listen_at(argv[optind]));
}
