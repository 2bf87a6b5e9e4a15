/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * asker: asks a socketmap server without pause, as Postfix's processes do, and holds
 * each answer against what it must be. For tests that do things to the server
 * meanwhile.
 *
 * Each of CONNS threads has a connection of its own and asks one question after the
 * other. As in Postfix, a connection that breaks is made anew once, silently; a second
 * break, a refused connection or silence for 20 s is a failure, which would be a 451.
 * Every 500 questions a thread connects anew, as processes come and go.
 *
 * For each line on standard input it prints one line of counts:
 *   asked=81242 again=3 failed=0 temp=0 notfound=0 wrong=0 slowest_ms=12 each=40621,40621
 * (slowest_ms: since the last one; each: asked by each thread), and at its end the last one. The first failures
 * are told on standard error. Exit code 1 when there was any.
 *
 * usage: asker [-c CONNS] [-u PAUSE_US] SOCKET FILE   lines of FILE: "MAP|KEY|ANSWER"
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "socketmap.h"

#define CONNS_MAX   256
#define ROWS_MAX    1024
#define NEW_CONN    500 /* questions */
#define SILENCE_S   20
#define TOLD_MAX    20
#define PAYLOAD_MAX 4096

enum count { ASKED, AGAIN, FAILED, TEMP, NOTFOUND, WRONG, SLOWEST_MS, COUNTS };

static const char *const count_words[COUNTS] = {"asked",    "again", "failed",    "temp",
                                                "notfound", "wrong", "slowest_ms"};
static _Atomic unsigned long counts[COUNTS];
static _Atomic unsigned long each[CONNS_MAX]; /* questions, by thread */
static unsigned nconns = 4;
static atomic_int stopping, told;

static struct row {
    char wire[PAYLOAD_MAX];
    size_t n;
    char name[128], answer[PAYLOAD_MAX]; /* for people; "OK data" */
} rows[ROWS_MAX];
static unsigned nrows, pause_us;
static struct sockaddr_un address = {.sun_family = AF_UNIX};

static void
give_up(const char *what)
{
    perror(what);
    exit(2);
}

static long
now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
read_rows(const char *file)
{
    FILE *f = fopen(file, "r");
    char line[PAYLOAD_MAX], payload[2 * PAYLOAD_MAX];

    if (!f)
        give_up(file);
    while (nrows < ROWS_MAX && fgets(line, sizeof line, f)) {
        struct row *r = &rows[nrows++];
        char *map = strtok(line, "|"), *key = strtok(NULL, "|"), *answer = strtok(NULL, "\n");
        int n;

        if (!map || !key || !answer)
            give_up("a line is not MAP|KEY|ANSWER");
        snprintf(r->name, sizeof r->name, "%s %s", map, key);
        snprintf(r->answer, sizeof r->answer, "%s", answer);
        n = snprintf(payload, sizeof payload, "%s %s", map, key);
        r->n = (size_t)snprintf(r->wire, sizeof r->wire, "%d:%s,", n, payload);
    }
    fclose(f);
    if (nrows == 0)
        give_up("no lines");
}

static void
tell(const struct row *r, const char *what)
{
    if (atomic_fetch_add(&told, 1) < TOLD_MAX)
        fprintf(stderr, "asker: %s: %s\n", r->name, what);
}

static int
connect_anew(int *fd)
{
    const struct timeval limit = {.tv_sec = SILENCE_S};

    if (*fd >= 0)
        close(*fd);
    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*fd < 0)
        return -1;
    setsockopt(*fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (connect(*fd, (struct sockaddr *)&address, sizeof address) == 0)
        return 0;
    close(*fd);
    *fd = -1;
    return -1;
}

/* One question on an open connection. 0 and the payload in buf, or -1: it broke. */
static int
exchange(int fd, const struct row *r, char *buf, size_t cap, struct span *payload)
{
    size_t have = 0;
    long used = 0;

    if (write(fd, r->wire, r->n) != (ssize_t)r->n)
        return -1;
    while (used == 0) {
        ssize_t got = read(fd, buf + have, cap - have);

        if (got < 0 && errno == EINTR)
            continue; /* we were stopped and go on: where a time-out is set, that interrupts */
        if (got <= 0)
            return -1;
        have += (size_t)got;
        used = netstring_parse(buf, have, cap, payload);
    }
    return used == (long)have ? 0 : -1;
}

static void
judge(const struct row *r, struct span payload)
{
    enum socketmap_status status = SOCKETMAP_PERM;
    char got[PAYLOAD_MAX];
    struct span data;

    if (span_same(payload, span_of(r->answer)))
        return;
    socketmap_reply_parse(payload, &status, &data);
    atomic_fetch_add(&counts[status == SOCKETMAP_TEMP       ? TEMP
                             : status == SOCKETMAP_NOTFOUND ? NOTFOUND
                                                            : WRONG],
                     1);
    snprintf(got, sizeof got, "%.*s", (int)payload.n, payload.p);
    tell(r, got);
}

static void
ask(int *fd, const struct row *r)
{
    static _Thread_local char buf[PAYLOAD_MAX];
    long began = now_ms(), took;
    struct span payload;
    int good = 0;

    for (int attempt = 0; attempt < 2 && !good; attempt++) {
        if (*fd < 0 && connect_anew(fd) < 0)
            break; /* nobody listens: Postfix does not try again either */
        good = exchange(*fd, r, buf, sizeof buf, &payload) == 0;
        if (!good) {
            close(*fd);
            *fd = -1;
            atomic_fetch_add(&counts[AGAIN], attempt == 0);
        }
    }
    took = now_ms() - began;
    atomic_fetch_add(&counts[ASKED], 1);
    if (took > (long)atomic_load(&counts[SLOWEST_MS]))
        atomic_store(&counts[SLOWEST_MS], (unsigned long)took);
    if (good) {
        judge(r, payload);
    } else {
        atomic_fetch_add(&counts[FAILED], 1);
        tell(r, "no answer");
    }
}

static void *
asker(void *number)
{
    unsigned me = (unsigned)(size_t)number, i = me, asked = 0;
    int fd = -1;

    while (!atomic_load(&stopping)) {
        if (++asked % NEW_CONN == 0 && fd >= 0) {
            close(fd);
            fd = -1;
        }
        ask(&fd, &rows[i++ % nrows]);
        atomic_fetch_add(&each[me], 1);
        if (pause_us > 0)
            usleep(pause_us);
    }
    if (fd >= 0)
        close(fd);
    return NULL;
}

static void
report(void)
{
    for (int i = 0; i < COUNTS; i++)
        printf("%s%s=%lu", i ? " " : "", count_words[i],
               i == SLOWEST_MS ? atomic_exchange(&counts[i], 0) : atomic_load(&counts[i]));
    for (unsigned i = 0; i < nconns; i++)
        printf("%s%lu", i ? "," : " each=", atomic_load(&each[i]));
    putchar('\n');
    fflush(stdout);
}

int
main(int argc, char **argv)
{
    pthread_t threads[CONNS_MAX];
    char line[16];
    int opt;

    while ((opt = getopt(argc, argv, "c:u:")) != -1) {
        if (opt == 'c')
            nconns = (unsigned)atoi(optarg);
        else if (opt == 'u')
            pause_us = (unsigned)atoi(optarg);
        else
            return 2;
    }
    if (argc != optind + 2 || nconns < 1 || nconns > CONNS_MAX ||
        strlen(argv[optind]) >= sizeof address.sun_path) {
        fputs("usage: asker [-c CONNS] [-u PAUSE_US] SOCKET FILE\n", stderr);
        return 2;
    }
    memcpy(address.sun_path, argv[optind], strlen(argv[optind]) + 1);
    signal(SIGPIPE, SIG_IGN);
    read_rows(argv[optind + 1]);
    for (unsigned i = 0; i < nconns; i++)
        if (pthread_create(&threads[i], NULL, asker, (void *)(size_t)i) != 0)
            give_up("thread");
    while (fgets(line, sizeof line, stdin))
        report();
    atomic_store(&stopping, 1);
    for (unsigned i = 0; i < nconns; i++)
        pthread_join(threads[i], NULL);
    report();
    return atomic_load(&counts[FAILED]) + atomic_load(&counts[TEMP]) +
               atomic_load(&counts[NOTFOUND]) + atomic_load(&counts[WRONG]) >
           0;
}
