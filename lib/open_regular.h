/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * open_regular: a file to be read in a folder that somebody else may write to, who may have put anything
 * there by its name: a link to what only the reader may read, or a pipe that nobody ever writes to.
 */
#ifndef POSTROAD_OPEN_REGULAR_H
#define POSTROAD_OPEN_REGULAR_H

/* A descriptor of a plain file; -1 and errno: EINVAL when it is none, ELOOP a link. Never waits. */
int open_regular(int dir_fd, const char *name);

#endif
