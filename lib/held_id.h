/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_id: the name of a held message, SITE-TIME-QUEUEID: TIME is milliseconds in base 36,
 * QUEUEID Postfix's. One name is one message at all sites, for good: short queue ids come again. Pure.
 */
#ifndef POSTROAD_HELD_ID_H
#define POSTROAD_HELD_ID_H

#include <stdint.h>

#include "span.h"

#define HELD_ID_MAX    100 /* bytes, of A-Z a-z 0-9 . - */
#define HELD_QUEUE_MAX 30  /* bytes of a queue id, of A-Z a-z 0-9 */

/*
 * Into out. In a site's name what an ID can't hold becomes "-", and what is too long is cut. 0, or -1: the
 * queue id is none, or time_ms is negative.
 */
int held_id_write(char out[HELD_ID_MAX + 1], const char *site, int64_t time_ms, const char *queue);
/* Whether it has the shape of one: it may be the name of a file then. */
int held_id_is(struct span id);
/* The queue id at the end of id, which held_id_is; points into id. */
struct span held_id_queue(struct span id);
/* Whether asked means id: all of it, or an end of it, in any case. The queue id is such an end. */
int held_id_means(struct span asked, struct span id);

#endif
