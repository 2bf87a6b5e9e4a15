/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * figures: how much mail went which way, for postroad status and /metrics; see lib/flow.h. Any thread may
 * call; no message waits for it, or fails because of it.
 */
#ifndef POSTROAD_FIGURES_H
#define POSTROAD_FIGURES_H

#include "conf.h"
#include "flow.h"
#include "message.h"

/* Begin, with a thread that gives a sign of life; after privileges are given up. 0, or -1: no memory. */
int figures_start(const struct conf *conf, int folder, int64_t wall_ms);
/* Postfix is told to accept this one. */
void figures_message(const struct message *m, int64_t wall_ms);
/* It was held besides, or not accepted. */
void figures_event(enum flow_event e, int64_t wall_ms);

#endif
