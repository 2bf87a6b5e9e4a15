/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * exit_preload: lets each process say on stderr that its exit handlers run, by LD_PRELOAD: there
 * libraries take down what their threads may still use.
 */
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

static void __attribute__((destructor)) say(void)
{
    char name[17] = "";

    prctl(PR_GET_NAME, name, 0, 0, 0);
    dprintf(STDERR_FILENO, "exit handlers of %s pid=%d\n", name, (int)getpid());
}
