/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * role_start: the hand-over from parent to role. Both ends are here, so that the
 * places of the descriptors are stated once.
 */
#ifndef POSTROAD_ROLE_START_H
#define POSTROAD_ROLE_START_H

#include <sys/types.h>

#include "role.h"

/* Where a role finds what the parent gave it; listening sockets follow one another. */
enum { ROLE_FD_PARENT = 3, ROLE_FD_BOARD, ROLE_FD_CONF, ROLE_FD_LISTEN };

/*
 * fork() in the parent: no signal meets the child while it still has the parent's handlers, as these
 * would tell the parent.
 */
pid_t role_fork(void);

/* In the parent's child after role_fork: put the descriptors in place and become the role. Never returns. */
struct role_order {
    const struct role *role;
    const char *conf_path;
    int page, parent_fd, board_fd, conf_fd;
    int listen_fd[ROLE_LISTEN_MAX], nlisten;
};
void role_exec(const struct role_order *o) __attribute__((noreturn));

/* In the new program (-x order): run the role; the exit code. */
int role_main(const char *order, const char *conf_path);

#endif
