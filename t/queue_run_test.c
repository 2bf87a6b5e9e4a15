/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * queue_run: what the helper of role queue, which may do things to Postfix's queue, takes for an order: a whole
 * one with its two descriptors; of all else nothing is left open.
 */
#define queue_run_helper tried_helper
#define queue_run        tried_run
#include "policyd/queue_run.c"

#include <dirent.h>

#include "tap.h"

static int ends[2];

static int
descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = 0;

    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n;
}

/* bytes of an order, and so many descriptors. */
static void
sent(size_t bytes, size_t n)
{
    struct queue_order o = {.number = 7, .program = PROGRAM_RELEASE, .queue_id = "4Zb"};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(3 * sizeof(int))];
    } control = {.bytes = {0}};
    struct iovec v = {&o, bytes};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    struct cmsghdr *c;
    int fds[3] = {0, 1, 2};

    if (n > 0) {
        m.msg_control = control.bytes;
        m.msg_controllen = CMSG_SPACE(n * sizeof(int));
        c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(n * sizeof(int));
        memcpy(CMSG_DATA(c), fds, n * sizeof(int));
    }
    ok(sendmsg(ends[0], &m, MSG_NOSIGNAL) == (ssize_t)bytes, "sent: %zu bytes, %zu descriptors",
       bytes, n);
}

static void
refused(size_t bytes, size_t n, const char *what)
{
    struct queue_order o;
    int before = descriptors(), fd[2] = {-1, -1};

    sent(bytes, n);
    ok(next_order(ends[1], &o, fd) == 0, "%s: no order", what);
    ok(descriptors() == before, "%s: nothing is left open", what);
}

int
main(void)
{
    struct queue_order o;
    int fd[2] = {-1, -1}, before;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return 1;
    refused(sizeof o, 1, "a lone descriptor");
    refused(sizeof o, 0, "no descriptor");
    refused(sizeof o - 1, 2, "half an order");
    refused(1, 1, "a byte and a lone descriptor");
    before = descriptors();
    sent(sizeof o, 2);
    ok(next_order(ends[1], &o, fd) == 1 && o.number == 7, "an order is taken after that");
    ok(descriptors() == before + 2, "with its two descriptors");
    close(fd[0]);
    close(fd[1]);
    close(ends[0]);
    ok(next_order(ends[1], &o, fd) == -1, "the role is gone");
    return tap_done();
}
