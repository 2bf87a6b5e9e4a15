/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load: asks a socketmap server as fast as it answers, and prints one line:
 *
 *   lookups=100000 seconds=0.430 rate=232558 p50=3.9 p99=4.4 p999=9.1 max=80.2
 *   ok=100000 notfound=0 temp=0 perm=0          (all in one line; times in us)
 *
 * Each of CONNS connections keeps DEPTH requests under way. One connection reads
 * by blocking, as Postfix does; more are watched with epoll. Requests are built
 * before the clock starts. Ends with 1 when the server hangs up or breaks the
 * protocol, and after 60 s without an answer.
 *
 * usage: load [-c CONNS] [-d DEPTH] [-m MAP] [-n LOOKUPS] [-p CPU] [-w WARMUP] SOCKET <KEYS
 */
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "netstring.h"

#define CONNS_MAX 8192
#define DEPTH_MAX 1024
#define REPLY_MAX 100000
#define SILENCE   60 /* seconds */
#define STATUSES  4

static const char *const status_words[STATUSES] = {"ok", "notfound", "temp", "perm"};

struct conn {
    int fd;
    unsigned head, under_way; /* ring of when[] */
    uint64_t when[DEPTH_MAX]; /* ns, of the requests not yet answered */
    size_t n;                 /* bytes in buf */
    char buf[REPLY_MAX + NETSTRING_HEAD_MAX + 1];
};

struct load {
    const char *map, *path;
    unsigned nconns, depth;
    struct conn **conns;
    int ep;
    char *requests; /* all requests, one after the other */
    size_t *at;     /* request i is from at[i] to at[i + 1] */
    size_t nkeys, next;
    size_t want, sent, done; /* of the present round */
    uint32_t *took;          /* ns; NULL while warming up */
    size_t count[STATUSES];
};

static void
die(const char *what)
{
    perror(what);
    exit(1);
}

static void
give_up(const char *why)
{
    fprintf(stderr, "load: %s\n", why);
    exit(1);
}

static void *
need(void *p)
{
    if (!p)
        die("memory");
    return p;
}

static uint64_t
now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Make "LEN:MAP KEY," of each line of standard input. */
static void
read_keys(struct load *l)
{
    char *line = NULL, payload[1024], head[NETSTRING_HEAD_MAX];
    size_t cap = 0, size = 1u << 20, used = 0, slots = 1u << 16;
    ssize_t n;

    l->requests = need(malloc(size));
    l->at = need(malloc(slots * sizeof(*l->at)));
    while ((n = getline(&line, &cap, stdin)) > 0) {
        line[strcspn(line, "\n")] = '\0';
        int plen = snprintf(payload, sizeof(payload), "%s %s", l->map, line);
        size_t hlen = netstring_head((size_t)plen, head);

        if ((size_t)plen >= sizeof(payload))
            give_up("a key is too long");
        if (used + sizeof(payload) + 32 > size)
            l->requests = need(realloc(l->requests, size *= 2));
        if (l->nkeys + 2 > slots)
            l->at = need(realloc(l->at, (slots *= 2) * sizeof(*l->at)));
        l->at[l->nkeys++] = used;
        memcpy(l->requests + used, head, hlen);
        memcpy(l->requests + used + hlen, payload, (size_t)plen);
        used += hlen + (size_t)plen;
        l->requests[used++] = ',';
        l->at[l->nkeys] = used;
    }
    free(line);
    if (l->nkeys == 0)
        give_up("no keys on standard input");
}

static int
connect_to(const char *path)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    struct timeval limit = {.tv_sec = SILENCE};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    if (strlen(path) >= sizeof(sun.sun_path))
        give_up("path too long for a socket");
    strcpy(sun.sun_path, path);
    if (fd < 0 || connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
        die(path);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    return fd;
}

static void
open_conns(struct load *l)
{
    struct rlimit files = {l->nconns + 64, l->nconns + 64};

    setrlimit(RLIMIT_NOFILE, &files);
    l->conns = need(calloc(l->nconns, sizeof(*l->conns)));
    l->ep = epoll_create1(0);
    for (unsigned i = 0; i < l->nconns; i++) {
        struct conn *c = l->conns[i] = need(calloc(1, sizeof(*c)));
        struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};

        c->fd = connect_to(l->path);
        if (epoll_ctl(l->ep, EPOLL_CTL_ADD, c->fd, &ev) < 0)
            die("epoll_ctl");
    }
}

/* Fill the connection up to depth, with one write for what is next to each other. */
static void
ask(struct load *l, struct conn *c)
{
    while (c->under_way < l->depth && l->sent < l->want) {
        size_t from = l->next, room = l->depth - c->under_way;
        uint64_t t = now_ns();

        if (room > l->want - l->sent)
            room = l->want - l->sent;
        if (room > l->nkeys - from)
            room = l->nkeys - from;
        for (size_t i = 0; i < room; i++)
            c->when[(c->head + c->under_way++) % DEPTH_MAX] = t;
        l->next = (from + room) % l->nkeys;
        l->sent += room;
        const char *p = l->requests + l->at[from], *end = l->requests + l->at[from + room];
        while (p < end) {
            ssize_t w = write(c->fd, p, (size_t)(end - p));

            if (w < 0)
                die("write");
            p += w;
        }
    }
}

static void
note(struct load *l, struct conn *c, struct span reply, uint64_t t)
{
    const char *letters = "ONTP", *s = reply.n ? memchr(letters, reply.p[0], STATUSES) : NULL;

    if (!s || c->under_way == 0)
        give_up("that was no socketmap reply");
    l->count[s - letters]++;
    if (l->took) {
        uint64_t ns = t - c->when[c->head];

        l->took[l->done] = ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
    }
    c->head = (c->head + 1) % DEPTH_MAX;
    c->under_way--;
    l->done++;
}

static void
hear(struct load *l, struct conn *c)
{
    ssize_t got = read(c->fd, c->buf + c->n, sizeof(c->buf) - c->n);
    uint64_t t = now_ns();
    size_t used = 0;
    struct span reply;
    long n;

    if (got <= 0)
        give_up(got == 0 ? "the server hung up" : "no answer");
    c->n += (size_t)got;
    while ((n = netstring_parse(c->buf + used, c->n - used, REPLY_MAX, &reply)) > 0) {
        note(l, c, reply, t);
        used += (size_t)n;
    }
    if (n < 0)
        give_up("that was no netstring");
    c->n -= used;
    memmove(c->buf, c->buf + used, c->n);
}

static void
hear_all(struct load *l)
{
    struct epoll_event ready[256];
    int n = epoll_wait(l->ep, ready, 256, SILENCE * 1000);

    if (n <= 0)
        give_up("no answer");
    for (int i = 0; i < n; i++) {
        hear(l, ready[i].data.ptr);
        ask(l, ready[i].data.ptr);
    }
}

/* Ask want times; returns the seconds it took. */
static double
run(struct load *l, size_t want)
{
    uint64_t start = now_ns();

    l->want = want;
    l->sent = l->done = 0;
    memset(l->count, 0, sizeof(l->count));
    for (unsigned i = 0; i < l->nconns; i++)
        ask(l, l->conns[i]);
    while (l->done < want) {
        if (l->nconns > 1) {
            hear_all(l);
        } else {
            hear(l, l->conns[0]);
            ask(l, l->conns[0]);
        }
    }
    return (double)(now_ns() - start) / 1e9;
}

static int
by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static void
report(struct load *l, double seconds)
{
    size_t n = l->done;
    double us[] = {0.50, 0.99, 0.999};

    qsort(l->took, n, sizeof(*l->took), by_size);
    for (int i = 0; i < 3; i++)
        us[i] = l->took[(size_t)((double)(n - 1) * us[i])] / 1e3;
    printf("lookups=%zu seconds=%.4f rate=%.0f p50=%.2f p99=%.2f p999=%.2f max=%.2f", n, seconds,
           (double)n / seconds, us[0], us[1], us[2], l->took[n - 1] / 1e3);
    for (int i = 0; i < STATUSES; i++)
        printf(" %s=%zu", status_words[i], l->count[i]);
    putchar('\n');
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

int
main(int argc, char **argv)
{
    struct load l = {.map = "transport", .nconns = 1, .depth = 1};
    size_t lookups = 100000, warm_up = 1000;
    double seconds;
    int opt;

    while ((opt = getopt(argc, argv, "c:d:m:n:p:w:")) != -1) {
        switch (opt) {
        case 'c':
            l.nconns = (unsigned)atoi(optarg);
            break;
        case 'd':
            l.depth = (unsigned)atoi(optarg);
            break;
        case 'm':
            l.map = optarg;
            break;
        case 'n':
            lookups = strtoul(optarg, NULL, 10);
            break;
        case 'p':
            pin(atoi(optarg));
            break;
        case 'w':
            warm_up = strtoul(optarg, NULL, 10);
            break;
        default:
            argc = 0;
        }
    }
    if (argc != optind + 1 || l.nconns < 1 || l.nconns > CONNS_MAX || l.depth < 1 ||
        l.depth > DEPTH_MAX || lookups < 1) {
        fprintf(stderr, "usage: load [-c CONNS] [-d DEPTH] [-m MAP] [-n LOOKUPS] [-p CPU] "
                        "[-w WARMUP] SOCKET <KEYS\n");
        return 2;
    }
    l.path = argv[optind];
    signal(SIGPIPE, SIG_IGN);
    read_keys(&l);
    open_conns(&l);
    if (warm_up > 0)
        run(&l, warm_up);
    l.took = need(malloc(lookups * sizeof(*l.took)));
    seconds = run(&l, lookups);
    report(&l, seconds);
    return 0;
}
