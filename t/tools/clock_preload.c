/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clock_preload: a wall clock that a test can step, by LD_PRELOAD. The file named in
 * CLOCK_STEP holds the seconds it is wrong by, as a binary 64-bit number; it is mapped,
 * so a change is seen at once by all. Monotonic clocks go on as they are.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *step;
static int (*real_clock)(clockid_t, struct timespec *);

static void __attribute__((constructor)) begin(void)
{
    const char *file = getenv("CLOCK_STEP");
    int fd = file ? open(file, O_RDONLY | O_CLOEXEC) : -1;
    void *p = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);

    if (fd >= 0)
        close(fd);
    if (p != MAP_FAILED)
        step = p;
    *(void **)&real_clock = dlsym(RTLD_NEXT, "clock_gettime");
}

int
clock_gettime(clockid_t id, struct timespec *ts)
{
    int rc;

    if (!real_clock)
        begin();
    rc = real_clock(id, ts);
    if (rc == 0 && step && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        ts->tv_sec += *step;
    return rc;
}

time_t
time(time_t *out)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    if (out)
        *out = ts.tv_sec;
    return ts.tv_sec;
}

int
gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
    struct timespec ts;

    (void)zone;
    clock_gettime(CLOCK_REALTIME, &ts);
    *tv = (struct timeval){ts.tv_sec, ts.tv_nsec / 1000};
    return 0;
}
