/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * syncrepl_poll: asks all providers what they know, all the time: one thread and one
 * kept connection for each, so that none waits for another. The threads never touch
 * the mirror; what their answers prove is worked out by the one who writes it.
 */
#ifndef POSTROAD_SYNCREPL_POLL_H
#define POSTROAD_SYNCREPL_POLL_H

#include "board.h"
#include "conf.h"
#include "cookie.h"
#include "mirror.h"

struct syncrepl_polls;

/*
 * Start asking conf_providers(conf), for what they know and, with directory.verify_unknown, for the
 * addresses that others ask for (inquiry.h). base: normalised DN. conf and board are borrowed until
 * the end of the process, since a thread may not be stopped in time. NULL: errno.
 */
struct syncrepl_polls *syncrepl_polls_start(const struct conf *conf, const char *base,
                                            struct board *board);

/* Becomes readable when there is news; syncrepl_polls_update takes it. */
int syncrepl_polls_fd(const struct syncrepl_polls *p);

/*
 * Work out how far the mirror is proven, answer questions about addresses, and show it all on the
 * board. visible: what the mirror holds for all to see; NULL while it does not follow the directory.
 * Logs when a provider falls silent, answers again, or differs.
 */
void syncrepl_polls_update(struct syncrepl_polls *p, const struct cookie *visible, struct mirror *m,
                           struct board *b);

/*
 * The URI of a provider whose thread is stuck in the library, waiting or running in a circle; NULL:
 * none is. It does not come back: the process has to end.
 */
const char *syncrepl_polls_hung(const struct syncrepl_polls *p);

/* The mirror's content is going to be another one: nothing is proven any more. */
void syncrepl_polls_forget(struct syncrepl_polls *p, struct board *b);

/*
 * Tell the threads to end and wait for at most wait_ms. 1: they did, and all is freed; 0: some did
 * not (a name server that does not answer), so the process must end by _exit.
 */
int syncrepl_polls_stop(struct syncrepl_polls **p, int wait_ms);

#endif
