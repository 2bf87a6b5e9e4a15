/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * socket_give: who may connect to a socket that was just made, in a folder which may belong to somebody with
 * fewer privileges, who can put something else there at any time.
 */
#ifndef POSTROAD_SOCKET_GIVE_H
#define POSTROAD_SOCKET_GIVE_H

#include <sys/types.h>

/* What it is to be made with, so that nothing is left to be loosened by its name. */
#define SOCKET_UMASK 0117

/* Its group, -1: as it is, and mode 0660. 0; -1 and errno: EINVAL when there is no socket at path. */
int socket_give(const char *path, gid_t gid);

#endif
