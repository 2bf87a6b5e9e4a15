/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * syncrepl_guard: see syncrepl_guard.h. One thread looks at the clock for all, only
 * while there is something to watch. It holds a descriptor of its own for each
 * socket, so that it can't meet another one that got the same number meanwhile.
 */
#include "syncrepl_guard.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "board.h"
#include "conf.h"

#define GUARDS  (CONF_LIST_MAX + 2) /* each provider's thread, and the one that follows */
#define TICK_NS (100 * 1000000L)
#define STACK   (64u << 10)

static struct {
    int fd; /* our own; 0: free */
    int64_t until_ms;
} guards[GUARDS];
static int watched, running;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t begun = PTHREAD_COND_INITIALIZER;

/* Under the lock. */
static void
shut_down_late(void)
{
    int64_t now = (int64_t)board_now_ms();

    for (int i = 0; i < GUARDS; i++)
        if (guards[i].fd > 0 && now >= guards[i].until_ms)
            shutdown(guards[i].fd, SHUT_RDWR);
}

static void *
guard_thread(void *unused)
{
    const struct timespec tick = {0, TICK_NS};

    for (;;) {
        pthread_mutex_lock(&lock);
        while (watched == 0)
            pthread_cond_wait(&begun, &lock);
        shut_down_late();
        pthread_mutex_unlock(&lock);
        nanosleep(&tick, NULL);
    }
    return unused;
}

/* Under the lock. 0, or -1. */
static int
start_thread(void)
{
    sigset_t all, before;
    pthread_attr_t attr;
    pthread_t thread;
    int rc;

    if (pthread_attr_init(&attr) != 0)
        return -1;
    pthread_attr_setstacksize(&attr, STACK);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&thread, &attr, guard_thread, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    running = rc == 0;
    return rc ? -1 : 0;
}

/* Under the lock. A free place, or -1. */
static int
free_place(void)
{
    for (int i = 0; i < GUARDS; i++)
        if (guards[i].fd == 0)
            return i;
    return -1;
}

int
syncrepl_guard_begin(int fd, int ms)
{
    int own = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1, place = -1;

    if (own < 0)
        return -1;
    pthread_mutex_lock(&lock);
    if (running || start_thread() == 0)
        place = free_place();
    if (place >= 0) {
        guards[place].fd = own;
        guards[place].until_ms = (int64_t)board_now_ms() + ms;
        watched++;
        pthread_cond_signal(&begun);
    }
    pthread_mutex_unlock(&lock);
    if (place < 0)
        close(own);
    return place;
}

void
syncrepl_guard_end(int guard)
{
    if (guard < 0)
        return;
    pthread_mutex_lock(&lock);
    close(guards[guard].fd);
    guards[guard].fd = 0;
    watched--;
    pthread_mutex_unlock(&lock);
}
