/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store's lock file on a full disk: a reader gets along without it while nobody
 * writes, and neither reads while somebody writes nor keeps anybody from writing for
 * longer than it reads; a store that can't be opened for lack of room is not a damaged one.
 */
#include "mirror_rig.h"

#include <errno.h>
#include <fcntl.h>

static int full;

/* In place of the C library's. */
int
posix_fallocate(int fd, off_t from, off_t n)
{
    return full ? ENOSPC : ftruncate(fd, from + n);
}

static char dir[128], lock[160], error[256];

static struct mirror *
reader_open(void)
{
    return mirror_open(dir, MIB, error, sizeof error);
}

static struct mirror *
writer_open(void)
{
    return mirror_open_writer(dir, MIB, error, sizeof error);
}

static void
test_reader(void)
{
    struct mirror *reader, *other, *writer;
    struct mirror_info info;

    reader = reader_open();
    if (!ok(reader != NULL, "a reader opens it: %s", error))
        exit(1);
    ok(mirror_is_unlocked(reader) && !mirror_can_lock(reader), "without a lock file");
    is_int(mirror_begin(reader), 0, "it reads");
    is_int(mirror_info(reader, &info), 0, "what is there");
    is_int((long long)info.entries, 1, "all of it");
    ok(!mirror_replaced(reader), "it is the same store");
    other = reader_open();
    is_int(mirror_begin(other), 0, "so does another one");
    mirror_close(&other);

    full = 0;
    ok(mirror_can_lock(reader), "when there is room it could be locked");
    writer = writer_open();
    ok(!writer && errno == EWOULDBLOCK, "nobody writes while it is read: %s", error);
    mirror_pause(reader);
    ok(!writer_open(), "nor while the snapshot is kept");
    mirror_end(reader);
    writer = writer_open();
    ok(writer != NULL, "but as soon as it is not");
    is_int(mirror_begin(reader), -1, "then it is not read without a lock file");
    ok(!mirror_damaged(reader), "which is no damage");
    mirror_close(&reader);
    mirror_close(&writer);
}

static void
test_verify(void)
{
    full = 1;
    unlink(lock);
    is_int(mirror_verify(dir, MIB, error, sizeof error), 0, "it can be looked over without");
    ok(!writer_open() && errno == ENOSPC, "not written: %s", error);
    full = 0;
    is_int(mirror_verify(dir, MIB, error, sizeof error), 0, "and with a lock file");
    unlink(lock);
    mkdir(lock, 0700);
    is_int(mirror_verify(dir, MIB, error, sizeof error) == 0, 0, "with a folder in its place");
    rmdir(lock);
}

static void
test_lost(void)
{
    struct mirror *writer = writer_open(), *reader = reader_open();

    ok(!mirror_lock_lost(writer) && !mirror_replaced(reader), "the lock file is there");
    unlink(lock);
    ok(mirror_lock_lost(writer), "the writer misses it when it is gone");
    ok(!mirror_replaced(reader), "the reader keeps its own");
    mirror_close(&writer);
    writer = writer_open();
    ok(!mirror_lock_lost(writer) && mirror_replaced(reader) == 1, "until there is another one");
    mirror_close(&reader);
    mirror_close(&writer);
}

int
main(void)
{
    struct mirror *m;

    if (rig_up() < 0)
        return 1;
    m = fresh("lock");
    put(m, 1, KIND_DOMAIN, 1, "dc=a.example,o=corp", NULL, "");
    mirror_write_commit(m);
    mirror_close(&m);
    snprintf(dir, sizeof dir, "%s/lock", top);
    snprintf(lock, sizeof lock, "%s/mirror/lock.mdb", dir);
    full = 1;
    unlink(lock);
    test_reader();
    test_verify();
    test_lost();
    rig_down();
    return tap_done();
}
