/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * program: a program that was started in a process group of its own, and its end.
 */
#ifndef POSTROAD_PROGRAM_H
#define POSTROAD_PROGRAM_H

#include <sys/types.h>

/*
 * Wait for our child pid no longer than that; then end it, and in any case what it has left behind in its
 * group. Its status as of waitpid, or -1: its time was up.
 */
int program_wait(pid_t pid, int timeout_s);

#endif
