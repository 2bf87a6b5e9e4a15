/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * socket_give: a socket gets its group and mode; a link, or a file of its name, gets nothing, nor does
 * what a link leads to.
 */
#include "socket_give.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tap.h"

static char dir[] = "/tmp/socket_give.XXXXXX";

static const char *
at(const char *name)
{
    static char path[4][96];
    static int n;

    n = (n + 1) % 4;
    snprintf(path[n], sizeof path[n], "%s/%s", dir, name);
    return path[n];
}

static mode_t
mode_of(const char *name)
{
    struct stat st;

    return stat(at(name), &st) == 0 ? st.st_mode & 0777 : 0;
}

static int
make_socket(const char *name, mode_t mask)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0), rc;
    mode_t before = umask(mask);

    snprintf(a.sun_path, sizeof a.sun_path, "%s", at(name));
    rc = bind(fd, (const struct sockaddr *)&a, sizeof a);
    umask(before);
    close(fd);
    return rc;
}

int
main(void)
{
    struct stat st;

    if (!mkdtemp(dir) || make_socket("new", SOCKET_UMASK) < 0 || make_socket("old", 0177) < 0)
        return 1;
    close(open(at("file"), O_WRONLY | O_CREAT, 0600));
    is_int(mode_of("new"), 0660, "made as it is to be");
    is_int(socket_give(at("new"), getegid()), 0, "its group");
    ok(stat(at("new"), &st) == 0 && st.st_gid == getegid(), "which it has");
    is_int(socket_give(at("old"), (gid_t)-1), 0, "one of before");
    is_int(mode_of("old"), 0660, "has the mode, too");
    is_int(socket_give(at("file"), (gid_t)-1), -1, "a file is none");
    unlink(at("new"));
    ok(symlink("file", at("new")) == 0, "a link in its place");
    is_int(socket_give(at("new"), (gid_t)-1), -1, "is not followed");
    is_int(mode_of("file"), 0600, "nobody may read what it leads to");
    is_int(socket_give(at("none"), (gid_t)-1), -1, "none is there");
    unlink(at("new"));
    unlink(at("old"));
    unlink(at("file"));
    rmdir(dir);
    return tap_done();
}
