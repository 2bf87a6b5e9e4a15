/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mirror_lock: the store's lock file, in which LMDB's readers say what they read.
 *
 * LMDB makes it with holes and maps it: on a full disk whoever touches a hole is ended by
 * SIGBUS. So its room is reserved before LMDB opens it. A reader for whom there is none
 * reads without it; of what he reads the writer knows nothing, and might use the pages
 * again. So that is for times when nobody writes: a writer holds an exclusive flock(2) of
 * the data file for as long as it has it open, such a reader a shared one while it reads.
 */
#include "mirror_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_BYTES 32768 /* more than LMDB needs for the readers we ask for */

static void
file_of(char out[1100], const char *path, const char *name)
{
    snprintf(out, 1100, "%.1000s/%s", path, name);
}

/*
 * 0, or errno. Touches the file only when there is something to reserve: closing any descriptor of
 * it gives up the locks on it that this process has.
 */
static int
reserve(const char *lock)
{
    struct stat st;
    int fd, rc;

    if (stat(lock, &st) == 0 && (long long)st.st_blocks * 512 >= LOCK_BYTES)
        return 0;
    fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    rc = posix_fallocate(fd, 0, LOCK_BYTES);
    close(fd);
    return rc == EOPNOTSUPP || rc == EINVAL ? 0 : rc;
}

/* The lock file speaks of one data file: with another one it must not be used. */
int
mirror_lock_prepare(const char *path, int writer)
{
    char data[1100], lock[1100];
    struct stat st;

    file_of(data, path, "data.mdb");
    file_of(lock, path, "lock.mdb");
    if (stat(data, &st) < 0) {
        if (!writer || errno != ENOENT)
            return errno;
        if (unlink(lock) < 0 && errno != ENOENT)
            return errno;
    }
    return reserve(lock);
}

int
mirror_lock_claim(MDB_env *env, int shared)
{
    int fd;

    if (mdb_env_get_fd(env, &fd) != 0)
        return EINVAL;
    if (flock(fd, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0)
        return 0;
    return shared || errno == EWOULDBLOCK ? errno
                                          : 0; /* where there is no flock no reader goes without */
}

void
mirror_lock_release(MDB_env *env)
{
    int fd;

    if (mdb_env_get_fd(env, &fd) == 0)
        flock(fd, LOCK_UN);
}

uint64_t
mirror_lock_ino(const struct mirror *m)
{
    char lock[1100];
    struct stat st;

    file_of(lock, m->path, "lock.mdb");
    return !m->unlocked && stat(lock, &st) == 0 ? (uint64_t)st.st_ino : 0;
}

/* Who opens the store from now on does so with another lock file, and would not see who has it open. */
int
mirror_lock_lost(const struct mirror *m)
{
    return m->lock_ino && mirror_lock_ino(m) != m->lock_ino;
}

int
mirror_is_unlocked(const struct mirror *m)
{
    return m->unlocked;
}

int
mirror_can_lock(const struct mirror *m)
{
    return mirror_lock_prepare(m->path, 0) == 0;
}
