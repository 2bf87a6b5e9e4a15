/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * open_regular: see open_regular.h.
 *
 * Promises: no link is followed, no pipe or device waited for, and what was looked at is what is read.
 */
#include "open_regular.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int
open_regular(int dir_fd, const char *name)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat st;
    int error;

    if (fd < 0)
        return -1;
    error = fstat(fd, &st) < 0 ? errno : S_ISREG(st.st_mode) ? 0 : EINVAL;
    if (!error)
        return fd;
    close(fd);
    errno = error;
    return -1;
}
