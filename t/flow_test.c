/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flow: what is counted is read, in all, today and within the hour; over a restart, damage, a file
 * that is cut short or gone; and by a reader while threads write.
 */
#include "flow.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

#define NOW 1795330800 /* a full hour */

static char path[64], aside[80];
static char error[256];

static struct flow_seen
seen(int64_t now_s)
{
    struct flow_seen s;

    if (flow_read(path, now_s, NOW, &s, error, sizeof error) != 1)
        printf("# not read: %s\n", error);
    return s;
}

static struct flow *
opened(int64_t now_s, int want)
{
    struct flow *f = flow_new(AT_FDCWD, path, now_s * 1000);

    is_int(flow_beat(f, now_s * 1000), want, "opened");
    return f;
}

static void
counts(void)
{
    struct flow *f;
    struct flow_seen s;

    is_int(flow_read(path, NOW, NOW, &s, error, sizeof error), 0, "nobody wrote it yet");
    f = opened(NOW, 0);
    s = seen(NOW);
    is_int(s.beat_ms, NOW * 1000LL, "a sign of life");
    is_int((long long)s.total.way[DIRECTION_LOCAL].messages, 0, "and nothing yet");
    flow_add(f, NOW * 1000LL, DIRECTION_LOCAL, 3, 1000);
    flow_add(f, (NOW - 1) * 1000LL, DIRECTION_LOCAL, 1, 500);
    flow_add(f, (NOW - 3700) * 1000LL, DIRECTION_OUTBOUND, 2, 70);
    flow_event(f, NOW * 1000LL, FLOW_SPOOFED);
    s = seen(NOW + 10);
    is_int((long long)s.total.way[DIRECTION_LOCAL].messages, 2, "messages");
    is_int((long long)s.total.way[DIRECTION_LOCAL].recipients, 4, "recipients");
    is_int((long long)s.total.way[DIRECTION_LOCAL].bytes, 1500, "bytes");
    is_int((long long)s.total.event[FLOW_SPOOFED], 1, "an event");
    is_int((long long)s.today.way[DIRECTION_LOCAL].messages, 1,
           "what came before midnight is not today's");
    is_int((long long)s.hour.way[DIRECTION_LOCAL].messages, 2, "but of this hour");
    is_int((long long)s.hour.way[DIRECTION_OUTBOUND].messages, 0, "an hour ago is not");
    is_int((long long)s.total.way[DIRECTION_OUTBOUND].bytes, 70, "in all it is");
    s = seen(NOW + 3600);
    is_int((long long)s.hour.way[DIRECTION_LOCAL].messages, 0, "an hour later there was nothing");
    is_int((long long)s.today.way[DIRECTION_LOCAL].messages, 1, "but today");
    flow_add(f, (NOW + 320 * 300) * 1000LL, DIRECTION_LOCAL, 1, 1);
    is_int((long long)seen(NOW + 320 * 300).hour.way[DIRECTION_LOCAL].messages, 1,
           "the ring goes round");
    flow_free(&f);
    f = opened(NOW + 99, 0);
    s = seen(NOW);
    is_int((long long)s.total.way[DIRECTION_LOCAL].messages, 3, "it goes on after a restart");
    is_int(s.began_ms, NOW * 1000LL, "and says since when");
    flow_free(&f);
}

static void
scratch(off_t at)
{
    int fd = open(path, O_RDWR);

    ok(pwrite(fd, "x", 1, at) == 1, "one byte is changed");
    close(fd);
}

static void
damage(void)
{
    struct flow_seen s;
    struct flow *f;

    scratch((off_t)(2 + (NOW - 1) / 300 % 320) * (8 * 23) + 8);
    s = seen(NOW);
    is_int((long long)s.hour.way[DIRECTION_UNKNOWN].messages, 0, "a torn slot is left out");
    is_int((long long)s.total.way[DIRECTION_LOCAL].messages, 3, "and the total is as it was");
    scratch(200); /* in the total */
    is_int(flow_read(path, NOW, NOW, &s, error, sizeof error), -1, "a damaged total can't be read");
    f = opened(NOW + 100, 1);
    s = seen(NOW);
    is_int(s.began_ms, (NOW + 100) * 1000LL, "whoever goes on begins anew");
    ok(truncate(path, 100) == 0, "cut short under the writer");
    flow_add(f, NOW * 1000LL, DIRECTION_INBOUND, 1, 1);
    ok(flow_read(path, NOW, NOW, &s, error, sizeof error) == -1, "the reader can't tell");
    is_int(flow_beat(f, NOW * 1000LL), 0, "until the writer mends it");
    is_int((long long)seen(NOW).total.way[DIRECTION_INBOUND].messages, 1, "all is there");
    unlink(path);
    is_int(flow_beat(f, NOW * 1000LL), 0, "taken away: made anew");
    is_int((long long)seen(NOW).hour.way[DIRECTION_INBOUND].messages, 1,
           "with all that was counted");
    flow_free(&f);
}

static void
late(void)
{
    struct flow *f;

    ok(rename(path, aside) == 0 && mkdir(path, 0700) == 0, "no file can be made there");
    f = opened(NOW, -1);
    flow_add(f, NOW * 1000LL, DIRECTION_INBOUND, 5, 5);
    rmdir(path);
    rename(aside, path);
    is_int(flow_beat(f, NOW * 1000LL), 0, "later it can");
    is_int((long long)seen(NOW).total.way[DIRECTION_INBOUND].recipients, 6,
           "and what was in it is added");
    flow_free(&f);
    unlink(path);
}

static void *
writer(void *ctx)
{
    for (int i = 0; i < 5000; i++)
        flow_add(ctx, (NOW + i % 7 * 300) * 1000LL, DIRECTION_TRANSIT, 2, 10);
    return NULL;
}

static void
threads(void)
{
    struct flow *f = opened(NOW, 0);
    int good = 1, reads = 0, status;
    pthread_t t[4];
    pid_t pid = fork();

    if (pid == 0) {
        for (int i = 0; i < 4; i++)
            pthread_create(&t[i], NULL, writer, f);
        for (int i = 0; i < 4; i++)
            pthread_join(t[i], NULL);
        _exit(0);
    }
    while (waitpid(pid, &status, WNOHANG) == 0) {
        struct flow_seen s;
        int rc = flow_read(path, NOW + 1800, NOW, &s, error, sizeof error);

        good &= rc != 0 && (rc < 0 || s.total.way[DIRECTION_TRANSIT].bytes ==
                                          10 * s.total.way[DIRECTION_TRANSIT].messages);
        reads++;
    }
    ok(good, "a reader never sees half a message (%d reads)", reads);
    is_int((long long)seen(NOW + 1800).total.way[DIRECTION_TRANSIT].messages, 20000,
           "all threads' counts are there");
    is_int((long long)seen(NOW + 1800).hour.way[DIRECTION_TRANSIT].messages, 20000,
           "in the slots, too");
    flow_free(&f);
}

/* Its folder is the milter's, who may have been taken over: nobody waits for what he puts there. */
static void
others(void)
{
    struct flow_seen s;

    alarm(20);
    if (mkfifo(path, 0644) == 0)
        is_int(flow_read(path, NOW, NOW, &s, error, sizeof error), -1, "a pipe is not waited for");
    unlink(path);
    if (symlink(aside, path) == 0)
        is_int(flow_read(path, NOW, NOW, &s, error, sizeof error), -1, "a link is not followed");
    unlink(path);
    alarm(0);
}

int
main(void)
{
    snprintf(path, sizeof path, "/tmp/flow_test.XXXXXX");
    close(mkstemp(path));
    unlink(path);
    snprintf(aside, sizeof aside, "%s.aside", path);
    counts();
    damage();
    late();
    threads();
    unlink(path);
    others();
    return tap_done();
}
