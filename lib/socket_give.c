/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * socket_give: see socket_give.h.
 *
 * Promises: what is given is a socket, and what was looked at, whatever becomes of the name. Else root would
 * give any file to a group, and let it be written to, for whoever turns the name into a link.
 */
#include "socket_give.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODE 0660

static int
give(int fd, gid_t gid)
{
    char name[64];
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -1;
    errno = EINVAL;
    if (!S_ISSOCK(st.st_mode))
        return -1;
    if (gid != (gid_t)-1 && fchownat(fd, "", (uid_t)-1, gid, AT_EMPTY_PATH) < 0)
        return -1;
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    return (st.st_mode & 0777) == MODE ? 0 : chmod(name, MODE);
}

int
socket_give(const char *path, gid_t gid)
{
    int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC), rc, error;

    if (fd < 0)
        return -1;
    rc = give(fd, gid);
    error = errno;
    close(fd);
    errno = error;
    return rc;
}
