/* SPDX-License-Identifier: BSD-2-Clause */
/* traffic: counters in memory and in their file, against a plain table; files cut, torn, full; two processes. */
#include "traffic.h"
#include "t/tap.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define T0 1800000000
#define N  3000

static char file[64], error[256];
static unsigned seed = 7;

static unsigned
draw(unsigned below)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 8) % below;
}

static const unsigned char *
uuid_of(unsigned n)
{
    static unsigned char uuid[UUID_LEN];

    for (int i = 0; i < UUID_LEN; i++)
        uuid[i] = (unsigned char)(n * 2654435761u >> (i % 4 * 8)) ^ (unsigned char)(i * 37);
    return uuid;
}

static unsigned
messages_of(const struct traffic *t, unsigned n, int64_t now)
{
    struct window w = traffic_find(t, uuid_of(n));
    uint64_t sums[WINDOW_WHAT_N];

    window_sums(&w, now, sums);
    return (unsigned)sums[WINDOW_MESSAGES_DAY];
}

static struct traffic *
reopened(struct traffic *t, int64_t now)
{
    traffic_close(&t);
    return traffic_open(file, now, error, sizeof error);
}

static unsigned
differing(const struct traffic *t, const unsigned *truth, int64_t now)
{
    unsigned bad = 0;

    for (unsigned n = 0; n < N; n++)
        bad += messages_of(t, n, now) != truth[n];
    return bad;
}

/* Random senders come, go idle and come back, with flushes and restarts in between. */
static void
test_random(void)
{
    static unsigned truth[N];
    static int64_t last[N];
    struct traffic *t = traffic_open(file, T0, error, sizeof error);
    int64_t now = T0;
    unsigned bad = 0, opens = 1, forgotten = 0;
    size_t most = 0, count;

    ok(t != NULL && *error == '\0', "a new file: %s", error);
    for (int step = 0; t && step < 40000; step++) {
        unsigned n = draw(step % 8000 < 4000 ? N : 40);

        now += draw(12);
        if (truth[n] && now / WINDOW_DAY_SLOT - last[n] / WINDOW_DAY_SLOT >= WINDOW_DAY_SLOTS)
            truth[n] = 0;
        if (truth[n] == 0 || now / WINDOW_DAY_SLOT == last[n] / WINDOW_DAY_SLOT) {
            traffic_add(t, uuid_of(n), now, 1, 2);
            truth[n]++;
            last[n] = now;
        }
        if (draw(50) == 0)
            bad += traffic_flush(t, now, error, sizeof error) < 0;
        if (draw(4000) == 0) {
            traffic_flush(t, now, error, sizeof error);
            t = reopened(t, now);
            bad += !t || *error;
            opens++;
        }
        count = traffic_count(t, NULL);
        forgotten += count < most;
        most = count > most ? count : most;
    }
    for (unsigned n = 0; n < N; n++)
        if (now / WINDOW_DAY_SLOT - last[n] / WINDOW_DAY_SLOT >= WINDOW_DAY_SLOTS)
            truth[n] = 0;
    is_int((int)differing(t, truth, now), 0, "each counter is as it should be");
    traffic_flush(t, now, error, sizeof error);
    t = reopened(t, now);
    is_int((int)differing(t, truth, now), 0, "after a restart, too");
    is_int((int)bad, 0, "no flush and no start failed");
    ok(opens > 3 && forgotten > 0, "%u starts; idle ones were forgotten", opens);
    for (int i = 0; i < 10; i++)
        traffic_flush(t, now + 2 * 86400, error, sizeof error);
    is_int((int)traffic_count(t, NULL), 0, "all are, after two days");
    t = reopened(t, now + 2 * 86400);
    is_int((int)traffic_count(t, NULL), 0, "in the file, too");
    traffic_close(&t);
}

static void
spoil(off_t at, const char *bytes, size_t n)
{
    int fd = open(file, O_WRONLY);

    if (n > 0 ? pwrite(fd, bytes, n, at) != (ssize_t)n : ftruncate(fd, at) < 0)
        ok(0, "the file can be spoilt");
    close(fd);
}

static struct traffic *
filled(unsigned n)
{
    struct traffic *t;

    unlink(file);
    t = traffic_open(file, T0, error, sizeof error);
    for (unsigned i = 0; i < n; i++)
        traffic_add(t, uuid_of(i), T0, 1, 1);
    traffic_flush(t, T0, error, sizeof error);
    return t;
}

static void
test_damage(void)
{
    struct traffic *t = filled(10);
    unsigned sum = 0;

    traffic_close(&t);
    spoil(64 + 3 * 192 + 20, "torn", 4);
    t = traffic_open(file, T0, error, sizeof error);
    ok(t && strstr(error, "1 of the counters"), "a torn slot is noticed: %s", error);
    for (unsigned i = 0; i < 10; i++)
        sum += messages_of(t, i, T0);
    is_int((int)sum, 9, "and costs one counter");
    traffic_add(t, uuid_of(3), T0, 1, 1);
    is_int(traffic_flush(t, T0, error, sizeof error), 0, "all is written anew");
    t = reopened(t, T0);
    ok(t && *error == '\0', "and is sound again");
    is_int((int)traffic_count(t, NULL), 10, "with everybody");
    traffic_close(&t);
    spoil(64 + 5 * 192 + 100, NULL, 0);
    t = traffic_open(file, T0, error, sizeof error);
    ok(t && *error, "a file that was cut: %s", error);
    is_int((int)traffic_count(t, NULL), 5, "the whole slots before the cut");
    traffic_close(&t);
    spoil(0, "another file", 12);
    t = traffic_open(file, T0, error, sizeof error);
    ok(t && *error && traffic_count(t, NULL) == 0, "a file that is not ours: %s", error);
    traffic_close(&t);
    ok(traffic_open("/nowhere/at/all", T0, error, sizeof error) == NULL && *error, "no folder: %s",
       error);
}

/* No room: counted all the same, and written when there is. */
static void
test_full(void)
{
    struct traffic *t = filled(10);
    struct rlimit before, tight = {64 + 12 * 192, RLIM_INFINITY};

    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    tight.rlim_max = before.rlim_max;
    setrlimit(RLIMIT_FSIZE, &tight);
    for (unsigned i = 5; i < 40; i++)
        traffic_add(t, uuid_of(i), T0, 1, 1);
    is_int(traffic_flush(t, T0, error, sizeof error), -1, "no room");
    ok(strstr(error, "can't write") != NULL, "which is said: %s", error);
    setrlimit(RLIMIT_FSIZE, &before);
    is_int((int)messages_of(t, 5, T0), 2, "it is counted");
    is_int(traffic_flush(t, T0, error, sizeof error), 0, "and written when there is room");
    t = reopened(t, T0);
    is_int((int)messages_of(t, 5, T0) + (int)messages_of(t, 39, T0), 3, "all of it, once");
    traffic_close(&t);
}

/* At a reload the old one still counts when the new one begins. */
static void
test_two(void)
{
    struct traffic *old = filled(10), *new = traffic_open(file, T0, error, sizeof error);

    ok(new &&*error == '\0', "a second one may begin");
    is_int((int)traffic_count(new, NULL), 0, "with nothing");
    traffic_add(new, uuid_of(1), T0 + 1, 1, 1);
    traffic_add(new, uuid_of(99), T0 + 1, 1, 1);
    is_int(traffic_flush(new, T0 + 1, error, sizeof error), 0, "it can't write yet");
    traffic_add(old, uuid_of(1), T0 + 1, 1, 1);
    traffic_add(old, uuid_of(50), T0 + 1, 1, 1);
    traffic_flush(old, T0 + 1, error, sizeof error);
    traffic_close(&old);
    traffic_flush(new, T0 + 2, error, sizeof error);
    is_int((int)messages_of(new, 1, T0 + 2), 3, "what both counted is added up");
    is_int((int)traffic_count(new, NULL), 12, "everybody is there");
    new = reopened(new, T0 + 2);
    is_int((int)messages_of(new, 1, T0 + 2) + (int)messages_of(new, 50, T0 + 2) +
               (int)messages_of(new, 99, T0 + 2),
           5, "and in the file");
    traffic_close(&new);
}

/* Whatever moment a process is killed at, what it said to be written is there. */
static void
test_killed(void)
{
    unsigned bad = 0;

    unlink(file);
    for (int round = 0; round < 30; round++) {
        struct traffic *t;
        int pipes[2], status;
        unsigned said = 0, n;
        pid_t pid;

        if (pipe(pipes) < 0 || (pid = fork()) < 0)
            break;
        if (pid == 0) {
            t = traffic_open(file, T0, error, sizeof error);
            for (n = 0;; n++) {
                traffic_add(t, uuid_of(n % 500), T0, 1, 1);
                if (n % 20 == 19 && traffic_flush(t, T0, error, sizeof error) == 0 &&
                    write(pipes[1], &n, sizeof n) < 0)
                    _exit(1);
            }
        }
        close(pipes[1]);
        for (unsigned i = 0; i < 1 + draw(20); i++)
            if (read(pipes[0], &n, sizeof n) == sizeof n)
                said = n + 1;
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        while (read(pipes[0], &n, sizeof n) == sizeof n)
            said = n + 1;
        close(pipes[0]);
        t = traffic_open(file, T0, error, sizeof error);
        bad += !t || *error;
        for (n = 0, status = 0; n < 500; n++)
            status += (int)messages_of(t, n, T0);
        bad += (unsigned)status < said;
        traffic_close(&t);
        unlink(file);
    }
    is_int((int)bad, 0, "thirty kills: nothing that was written is lost or torn");
}

/* A build that watches memory takes more of it. */
#if defined(__SANITIZE_ADDRESS__)
static const int watched = 1;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
static const int watched = 1;
#else
static const int watched = 0;
#endif
#else
static const int watched = 0;
#endif

/* Bytes of memory that are really taken. */
static size_t
resident(void)
{
    unsigned long all, pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    if (f && fscanf(f, "%lu %lu", &all, &pages) != 2)
        pages = 0;
    if (f)
        fclose(f);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void
test_size(void)
{
    struct traffic *t = traffic_open(file, T0, error, sizeof error);
    unsigned char uuid[UUID_LEN] = {0};
    size_t bytes, worst = 0, n, before = resident();

    for (uint32_t i = 0; i < 1000000; i++) {
        memcpy(uuid + 4, &i, sizeof i);
        traffic_add(t, uuid, T0, 1, 1);
        n = traffic_count(t, &bytes);
        if (n > 100000 && bytes / n > worst)
            worst = bytes / n;
    }
    n = traffic_count(t, &bytes);
    ok(n == 1000000 && bytes <= 200 * n && worst <= 200, "%zu bytes each, %zu at most on the way",
       bytes / n, worst);
    bytes = resident() - before;
    ok(watched || bytes <= 200 * n, "%zu bytes each are resident", bytes / n);
    traffic_close(&t);
}

int
main(void)
{
    char dir[] = "/tmp/traffic_test.XXXXXX";

    if (!mkdtemp(dir))
        return 1;
    snprintf(file, sizeof file, "%s/traffic", dir);
    test_random();
    test_damage();
    test_full();
    test_two();
    test_killed();
    test_size();
    unlink(file);
    rmdir(dir);
    return tap_done();
}
