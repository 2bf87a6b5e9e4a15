/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * beat: the heart-beat of a role whose work has long steps. The parent kills a
 * role that is silent for some seconds; a commit to a slow disk or a name server
 * that does not answer takes longer than that without anything being wrong.
 *
 * Between steps the role beats by itself. For a step whose length is bounded it
 * says how long it may take, and a thread beats for it until then and no longer.
 */
#ifndef POSTROAD_BEAT_H
#define POSTROAD_BEAT_H

#include <stdint.h>

#include "board.h"

#define BEAT_STEP_MAX_S 120
#define BEAT_WORK_MS    100 /* CPU time; then it counts as silent */

/* Start the thread, which lives as long as the process. 0, or -1: errno. */
int beat_start(struct board *board);
/* Here I am; ends a step that was begun. Cheap. Returns the monotonic ms now. */
int64_t beat_now(void);
/* What follows may take up to BEAT_STEP_MAX_S seconds without a beat. */
void beat_step(void);
/*
 * The same where it is a disk or somebody else that takes so long, not we: who does not wait but work,
 * for BEAT_WORK_MS, runs in a circle.
 */
void beat_wait(void);

#endif
