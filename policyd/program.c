/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * program: see program.h. For a process that does nothing else meanwhile.
 */
#include "program.h"

#include <signal.h>
#include <stdint.h>
#include <sys/wait.h>
#include <time.h>

/* In small steps that grow. */
int
program_wait(pid_t pid, int timeout_s)
{
    struct timespec nap = {0, 1000000};
    int64_t left_ns = (int64_t)timeout_s * 1000000000;
    int status = -1;
    pid_t got = 0;

    while (left_ns > 0 && (got = waitpid(pid, &status, WNOHANG)) == 0) {
        nanosleep(&nap, NULL);
        left_ns -= nap.tv_nsec;
        if (nap.tv_nsec < 50000000)
            nap.tv_nsec += nap.tv_nsec / 4;
    }
    kill(-pid, SIGKILL);
    if (got == 0)
        waitpid(pid, NULL, 0);
    return got == pid ? status : -1;
}
