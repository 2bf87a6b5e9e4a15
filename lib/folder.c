/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * folder: see folder.h. Leaves no descriptor behind when it fails.
 */
#include "folder.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

DIR *
folder_list(int fd)
{
    int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), error;
    DIR *d = own < 0 ? NULL : fdopendir(own);

    if (own < 0 || d)
        return d;
    error = errno;
    close(own);
    errno = error;
    return NULL;
}
