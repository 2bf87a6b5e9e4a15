/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * syncrepl_guard: shuts a socket down when what is done with it takes too long, for
 * steps inside the library that know no time-out. For any number of threads.
 */
#ifndef POSTROAD_SYNCREPL_GUARD_H
#define POSTROAD_SYNCREPL_GUARD_H

/* Watch fd from now on, for at most ms. Returns a number to end it with, or -1: nothing watches. */
int syncrepl_guard_begin(int fd, int ms);
/* Nothing is to be shut down any more; -1: nothing was. */
void syncrepl_guard_end(int guard);

#endif
