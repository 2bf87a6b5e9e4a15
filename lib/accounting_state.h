/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * accounting_state: what accounting must still know after its process was killed, in a
 * small file that is mapped into memory. For lib/accounting*.c only.
 */
#ifndef POSTROAD_ACCOUNTING_STATE_H
#define POSTROAD_ACCOUNTING_STATE_H

#include "accounting_line.h"

#define ACCOUNTING_MAGIC "PRACCT1"
#define ACCOUNTING_SLOTS 4096

/* A message whose records are written and whose answer may still be on its way to Postfix. */
struct accounting_slot {
    uint64_t first, last; /* numbers of its records; first 0: the slot holds none */
    char queue[ACCOUNTING_QUEUE];
    uint64_t taken; /* by a connection of the process at hand */
};

struct accounting_state {
    char magic[8];
    char log[ACCOUNTING_LOG + 7];
    uint64_t next; /* number of the next record */
    struct accounting_gap missed;
    uint64_t missed_in; /* number of the record that tells of missed, once it is being written */
    struct accounting_slot slot[ACCOUNTING_SLOTS];
};

/*
 * Map the file "state" in dir_fd, made when it is not there or makes no sense (then *new_r is 1), with
 * all its blocks, so that a full disk is met here and not later. fd_r stays locked until it is closed:
 * no second process can. NULL and errno, EWOULDBLOCK: another one has it.
 */
struct accounting_state *accounting_state_map(int dir_fd, int *fd_r, int *new_r);
void accounting_state_unmap(struct accounting_state **s, int *fd);

#endif
