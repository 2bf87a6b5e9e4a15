/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * beat: see beat.h. The thread touches nothing but a few words of memory: it reads
 * until when it may beat, and writes the board's word for it. A role that hangs
 * outside a declared step, or past its end, falls silent and is replaced.
 */
#include "beat.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

static struct board *beat_board;
static _Atomic int64_t beat_until, beat_work_until; /* ms: monotonic, and of CPU time */
static clockid_t beat_cpu;                          /* of the thread that works */

static int64_t
clock_ms(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int64_t
monotonic_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

static int
may_beat(int64_t now)
{
    return now < atomic_load(&beat_until) && clock_ms(beat_cpu) < atomic_load(&beat_work_until);
}

static void *
beat_thread(void *unused)
{
    const struct timespec quarter = {0, 250 * 1000000};

    for (;;) {
        int64_t now = monotonic_ms();

        if (may_beat(now))
            board_set(beat_board, BOARD_BEAT_MS, (uint64_t)now);
        nanosleep(&quarter, NULL);
    }
    return unused;
}

int
beat_start(struct board *board)
{
    pthread_t thread;
    sigset_t all, before;
    int rc;

    beat_board = board;
    if ((errno = pthread_getcpuclockid(pthread_self(), &beat_cpu)))
        return -1;
    beat_now();
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&thread, NULL, beat_thread, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = rc;
    return rc ? -1 : pthread_detach(thread);
}

int64_t
beat_now(void)
{
    int64_t now = monotonic_ms();

    atomic_store(&beat_until, 0);
    board_set(beat_board, BOARD_BEAT_MS, (uint64_t)now);
    return now;
}

void
beat_step(void)
{
    atomic_store(&beat_work_until, INT64_MAX);
    atomic_store(&beat_until, monotonic_ms() + BEAT_STEP_MAX_S * 1000);
}

void
beat_wait(void)
{
    beat_step();
    atomic_store(&beat_work_until, clock_ms(CLOCK_THREAD_CPUTIME_ID) + BEAT_WORK_MS);
}
