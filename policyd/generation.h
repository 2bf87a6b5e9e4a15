/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * generation: one configuration in use, with its sockets: what roles are started
 * from. A reload makes a new one beside the old; nothing of the old is touched until
 * the new one proved itself.
 */
#ifndef POSTROAD_GENERATION_H
#define POSTROAD_GENERATION_H

#include "conf.h"
#include "listen.h"

struct generation {
    unsigned number;
    struct conf *conf;
    int conf_fd;                                /* the configuration in memory, for the roles */
    int map_fd, control_fd;                     /* borrowed from the listen_set */
    int policy_fd, access_fd, hook_fd, http_fd; /* the same; -1: none */
    int queue_fd[2]; /* between role held and role queue, see queue.h; -1: no role queue */
    int edit_fd[2];  /* between role access and role edit, see edit.h; -1: no role edit */
    int held_fd[2];  /* between role control and role held, see held_ask.h; -1: no role held */
};

/*
 * Read and check the configuration: a PARENT_ code; but for PARENT_OK *g_r is untouched and
 * error says what is wrong.
 */
int generation_load(const char *conf_path, unsigned number, struct generation **g_r, char *error,
                    size_t error_n);
/* Make what it needs: folder of state, sockets. 0, or -1 and error; sockets opened so far stay in s. */
int generation_open(struct generation *g, struct listen_set *s, char *error, size_t error_n);
/* Mark its sockets to be kept by listen_sweep. */
void generation_keep(const struct generation *g, struct listen_set *s);
void generation_free(struct generation **g);

#endif
