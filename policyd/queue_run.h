/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * queue_run: the helper that runs postqueue and postsuper for role queue, the one process beside the
 * parent that stays root when queue.manage is set. It takes orders of four kinds, each with a queue id or
 * none, and runs one fixed command line for each.
 *
 * What it keeps of root: user id 0, which postsuper asks for, and the capabilities CAP_SETUID, CAP_SETGID
 * (postsuper becomes Postfix's own user, postqueue is run as ours) and CAP_KILL (to end either).
 */
#ifndef POSTROAD_QUEUE_RUN_H
#define POSTROAD_QUEUE_RUN_H

#include "program.h"
#include "queue.h"
#include "role.h"

enum queue_program { PROGRAM_LIST, PROGRAM_RELEASE, PROGRAM_DELETE, PROGRAM_FLUSH, PROGRAM_N };

/* With two descriptors for what the program writes: standard output, standard error. */
struct queue_order {
    uint64_t number;
    enum queue_program program;
    char queue_id[QUEUE_ID_MAX + 1]; /* "" for a list */
};

/* Make the helper; before role_drop. The socket to it, or -1 (errno). */
int queue_run_helper(const struct role_env *env);
/*
 * Have a program run: *out_r and *err_r are where its output can be read; a report follows. 0, or -1
 * (errno) and nothing happens.
 */
int queue_run(int fd, const struct queue_order *order, int *out_r, int *err_r);

#endif
