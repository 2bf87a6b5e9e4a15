/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * accounting_state: see accounting_state.h.
 *
 * What is stored in a shared mapping is the kernel's from that moment: it outlives a killed
 * process, though not a machine that loses power.
 */
#include "accounting_state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

static int
begin(struct accounting_state *s)
{
    uint64_t random;

    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        return -1;
    memset(s, 0, sizeof *s);
    snprintf(s->log, sizeof s->log, "%016" PRIx64, random);
    s->next = 1;
    memcpy(s->magic, ACCOUNTING_MAGIC, sizeof s->magic);
    return 0;
}

static int
makes_sense(const struct accounting_state *s)
{
    return memcmp(s->magic, ACCOUNTING_MAGIC, sizeof s->magic) == 0 && s->next > 0 &&
           memchr(s->log, '\0', sizeof s->log) && strlen(s->log) == ACCOUNTING_LOG - 1 &&
           strspn(s->log, "0123456789abcdef") == ACCOUNTING_LOG - 1;
}

static struct accounting_state *
map(int fd, int *new_r)
{
    struct accounting_state *s;
    int rc = posix_fallocate(fd, 0, sizeof *s);

    if (rc) {
        errno = rc;
        return NULL;
    }
    s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (s == MAP_FAILED)
        return NULL;
    *new_r = !makes_sense(s);
    if (*new_r && begin(s) < 0) {
        munmap(s, sizeof *s);
        return NULL;
    }
    return s;
}

struct accounting_state *
accounting_state_map(int dir_fd, int *fd_r, int *new_r)
{
    struct accounting_state *s = NULL;
    int fd = openat(dir_fd, "state", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640), error;

    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
        s = map(fd, new_r);
    if (s) {
        *fd_r = fd;
        return s;
    }
    error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return NULL;
}

void
accounting_state_unmap(struct accounting_state **s, int *fd)
{
    if (*s)
        munmap(*s, sizeof **s);
    if (*fd >= 0)
        close(*fd);
    *s = NULL;
    *fd = -1;
}
