/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * access: asks the access socket whether owners may open their mailboxes, as Dovecot's
 * plugin does for each login: a connection, one line out, one line back, and prints
 *
 *   questions=10000 yes=10000 rate=21000 p50=47.1 p99=60.2 max=900.1      (times in us)
 *
 * With -s the same exchange with a socketmap server, to see what the machine takes for
 * it. Ends with 1 when the server hangs up, and after 60 s without an answer.
 *
 * usage: access [-s] [-n QUESTIONS] [-p CPU] SOCKET <ADDRESSES
 */
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "netstring.h"
#include "tabline.h"

#define SILENCE 60 /* seconds */
#define WARMUP  500

struct run {
    struct sockaddr_un server;
    int socketmap;
    char **keys;
    size_t nkeys, yes;
    double *took;
};

static void
die(const char *what)
{
    perror(what);
    exit(1);
}

static double
now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void
read_keys(struct run *r)
{
    char *line = NULL;
    size_t cap = 0, slots = 0;

    while (getline(&line, &cap, stdin) > 0) {
        line[strcspn(line, "\n")] = '\0';
        if (r->nkeys == slots)
            r->keys = realloc(r->keys, (slots = slots ? slots * 2 : 1024) * sizeof *r->keys);
        if (!r->keys || !(r->keys[r->nkeys++] = strdup(line)))
            die("memory");
    }
    free(line);
    if (r->nkeys == 0) {
        fputs("access: no addresses on standard input\n", stderr);
        exit(1);
    }
}

static size_t
write_question(const struct run *r, const char *key, char *out, size_t cap)
{
    struct tabline_out o;

    if (r->socketmap)
        return (size_t)snprintf(out, cap, "%zu:transport %s,", strlen(key) + 10, key);
    tabline_begin(&o, out, cap, "session");
    tabline_add(&o, "actor", span_of(key));
    tabline_add(&o, "target", span_of(key));
    tabline_add(&o, "service", span_of("imap"));
    tabline_add(&o, "remote", span_of("192.0.2.7"));
    tabline_add(&o, "session", span_of("x1y2z3x1y2z3"));
    tabline_add(&o, "master", span_of("no"));
    return tabline_end(&o);
}

/* One question on a connection of its own; 1 when the answer is yes. */
static int
ask(const struct run *r, const char *key)
{
    char line[TABLINE_MAX], answer[TABLINE_MAX];
    struct timeval limit = {.tv_sec = SILENCE};
    size_t n = write_question(r, key, line, sizeof line), got = 0;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ssize_t more;

    if (fd < 0 || connect(fd, (const struct sockaddr *)&r->server, sizeof r->server) < 0)
        die(r->server.sun_path);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (write(fd, line, n) != (ssize_t)n)
        die("write");
    while (!memchr(answer, r->socketmap ? ',' : '\n', got)) {
        more = read(fd, answer + got, sizeof answer - got);
        if (more <= 0)
            die("no answer");
        got += (size_t)more;
    }
    close(fd);
    return r->socketmap || (got > 4 && memcmp(answer, "yes\t", 4) == 0);
}

static int
by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void
measure(struct run *r, size_t n)
{
    double begin, from;

    r->took = calloc(n, sizeof *r->took);
    if (!r->took)
        die("memory");
    for (size_t i = 0; i < WARMUP; i++)
        ask(r, r->keys[i % r->nkeys]);
    begin = now_us();
    for (size_t i = 0; i < n; i++) {
        from = now_us();
        r->yes += (size_t)ask(r, r->keys[i % r->nkeys]);
        r->took[i] = now_us() - from;
    }
    begin = now_us() - begin;
    qsort(r->took, n, sizeof *r->took, by_size);
    printf("questions=%zu yes=%zu rate=%.0f p50=%.1f p99=%.1f max=%.1f\n", n, r->yes,
           (double)n * 1e6 / begin, r->took[n / 2], r->took[n * 99 / 100], r->took[n - 1]);
}

static void
pin(const char *cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((size_t)atoi(cpu), &set);
    if (sched_setaffinity(0, sizeof set, &set) < 0)
        perror("sched_setaffinity");
}

int
main(int argc, char **argv)
{
    struct run r = {.server = {.sun_family = AF_UNIX}};
    size_t n = 10000;
    int opt;

    while ((opt = getopt(argc, argv, "sn:p:")) != -1) {
        if (opt == 's')
            r.socketmap = 1;
        else if (opt == 'n')
            n = strtoul(optarg, NULL, 10);
        else if (opt == 'p')
            pin(optarg);
        else
            return 2;
    }
    if (optind + 1 != argc || n == 0 || strlen(argv[optind]) >= sizeof r.server.sun_path)
        return 2;
    strcpy(r.server.sun_path, argv[optind]);
    read_keys(&r);
    measure(&r, n);
    return 0;
}
