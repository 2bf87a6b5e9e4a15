/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * folder: the names in a folder that is open already.
 */
#ifndef POSTROAD_FOLDER_H
#define POSTROAD_FOLDER_H

#include <dirent.h>

/* A stream of its own, for closedir, so that nobody else's place in the folder moves. NULL: errno. */
DIR *folder_list(int fd);

#endif
