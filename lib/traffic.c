/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * traffic: windows in chunks that never move, found by a table of numbers; behind
 * it a file with a slot for each, read at the start and written once a second.
 *
 * Promises: memory by the number of those who sent within a day, not by what they
 * sent; a slot that a crash has torn is noticed by its sum and costs that counter,
 * never mail. A file of slots, for no reader needs a snapshot of it, and unlike a
 * mapped store it can't end the process when the disk is full or the file cut short.
 * Must not: write while another process holds the lock; what it has counted is taken
 * over when it ends, so that a reload forgets nothing.
 */
#include "traffic.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fnv.h"

#define CHUNK      4096 /* entries allocated at once */
#define SWEEP_STEP 2048 /* entries looked at for idleness in one flush */

struct entry {
    unsigned char uuid[UUID_LEN];
    struct window w;
};

/* Never moved nor made larger: a growing block would leave holes of its former sizes behind. */
struct chunk {
    struct entry entry[CHUNK];
    unsigned char mark[CHUNK]; /* enum mark */
};

struct traffic {
    struct chunk **chunks;
    uint32_t n, nchunks, room; /* entries; chunks, and the room for pointers to them */
    uint32_t *table;           /* number + 1 of an entry, open addressing; 0 empty */
    uint32_t slots;
    uint32_t swept;       /* where the next look for idle ones begins */
    int dirty;            /* some are marked */
    int fd, owner, whole; /* whole: the file holds all that is not marked */
    char *path;
};

enum mark { CLEAN, DIRTY };

static struct entry *
entry_at(const struct traffic *t, uint32_t i)
{
    return &t->chunks[i / CHUNK]->entry[i % CHUNK];
}

static unsigned char *
mark_at(const struct traffic *t, uint32_t i)
{
    return &t->chunks[i / CHUNK]->mark[i % CHUNK];
}

/* entryUUIDs are random enough, whoever made them; the store belongs to us. */
static uint32_t
hash_of(const unsigned char uuid[UUID_LEN])
{
    uint64_t a, b;

    memcpy(&a, uuid, 8);
    memcpy(&b, uuid + 8, 8);
    a = (a ^ (b * UINT64_C(0x9e3779b97f4a7c15))) * UINT64_C(0xff51afd7ed558ccd);
    return (uint32_t)(a >> 32);
}

/* The slot where it is, or would be. */
static uint32_t
slot_of(const struct traffic *t, const unsigned char uuid[UUID_LEN])
{
    uint32_t i = hash_of(uuid) & (t->slots - 1);

    while (t->table[i] && memcmp(entry_at(t, t->table[i] - 1)->uuid, uuid, UUID_LEN) != 0)
        i = (i + 1) & (t->slots - 1);
    return i;
}

static int
table_grow(struct traffic *t)
{
    uint32_t slots = t->slots ? t->slots * 2 : 8192, *table = calloc(slots, sizeof *table);

    if (!table)
        return -1;
    free(t->table);
    t->table = table;
    t->slots = slots;
    for (uint32_t i = 0; i < t->n; i++)
        table[slot_of(t, entry_at(t, i)->uuid)] = i + 1;
    return 0;
}

static int
chunk_add(struct traffic *t)
{
    if (t->nchunks == t->room) {
        uint32_t room = t->room ? 2 * t->room : 16;
        struct chunk **chunks = realloc(t->chunks, room * sizeof *chunks);

        if (!chunks)
            return -1;
        t->chunks = chunks;
        t->room = room;
    }
    if (!(t->chunks[t->nchunks] = malloc(sizeof(struct chunk))))
        return -1;
    t->nchunks++;
    return 0;
}

/* The entry, made when it is not there. NULL: no memory. */
static struct entry *
entry_for(struct traffic *t, const unsigned char uuid[UUID_LEN], uint32_t *number_r)
{
    uint32_t slot = slot_of(t, uuid);

    if (!t->table[slot]) {
        if (t->n == t->nchunks * CHUNK && chunk_add(t) < 0)
            return NULL;
        if (t->n >= t->slots / 8 * 7) {
            if (table_grow(t) < 0)
                return NULL;
            slot = slot_of(t, uuid);
        }
        memset(entry_at(t, t->n), 0, sizeof(struct entry));
        memcpy(entry_at(t, t->n)->uuid, uuid, UUID_LEN);
        *mark_at(t, t->n) = CLEAN;
        t->table[slot] = ++t->n;
    }
    *number_r = t->table[slot] - 1;
    return entry_at(t, *number_r);
}

static void
mark_dirty(struct traffic *t, uint32_t i)
{
    *mark_at(t, i) = DIRTY;
    t->dirty = 1;
}

/* Take the i-th out: the last one moves to its place. */
static void
entry_drop(struct traffic *t, uint32_t i)
{
    uint32_t hole = slot_of(t, entry_at(t, i)->uuid), last = t->n - 1;

    if (i != last) {
        t->table[slot_of(t, entry_at(t, last)->uuid)] = i + 1;
        *entry_at(t, i) = *entry_at(t, last);
        *mark_at(t, i) = CLEAN;
    }
    t->n--;
    if (i != last)
        mark_dirty(t, i);
    /* Close the gap, so that those behind it are found again. */
    for (uint32_t j = (hole + 1) & (t->slots - 1);; j = (j + 1) & (t->slots - 1)) {
        uint32_t home;

        t->table[hole] = 0;
        if (!t->table[j])
            return;
        home = hash_of(entry_at(t, t->table[j] - 1)->uuid) & (t->slots - 1);
        if (((j - home) & (t->slots - 1)) >= ((j - hole) & (t->slots - 1))) {
            t->table[hole] = t->table[j];
            hole = j;
        }
    }
}

struct window
traffic_find(const struct traffic *t, const unsigned char uuid[UUID_LEN])
{
    uint32_t i = t->table[slot_of(t, uuid)];

    return i ? entry_at(t, i - 1)->w : (struct window){0};
}

int
traffic_add(struct traffic *t, const unsigned char uuid[UUID_LEN], int64_t now, uint32_t messages,
            uint32_t recipients)
{
    uint32_t i;
    struct entry *e = entry_for(t, uuid, &i);

    if (!e)
        return -1;
    window_add(&e->w, now, messages, recipients);
    mark_dirty(t, i);
    return 0;
}

size_t
traffic_count(const struct traffic *t, size_t *bytes_r)
{
    if (bytes_r)
        *bytes_r = t->nchunks * sizeof(struct chunk) + t->slots * sizeof *t->table;
    return t->n;
}

/* --- the file --- */

#define MAGIC    "postroad traffic 1\n"
#define PAGE     4096
#define HEAD     64 /* of each page; the first one's has MAGIC */
#define PER_PAGE ((PAGE - HEAD) / sizeof(struct slot))

/*
 * One entry in the file: its place is its number here. None lies across two pages: the kernel copies
 * page by page, and a kill can come in between.
 */
struct slot {
    struct entry e;
    uint64_t sum;
};
_Static_assert(sizeof(struct slot) == 192, "21 in a page");

static uint64_t
sum_of(const struct entry *e)
{
    return fnv64(FNV64, e, sizeof *e);
}

static off_t
place_of(uint32_t i)
{
    return (off_t)(i / PER_PAGE * PAGE + HEAD + i % PER_PAGE * sizeof(struct slot));
}

/* Where a file of n entries ends. */
static off_t
end_of(uint32_t n)
{
    return n > 0 ? place_of(n - 1) + (off_t)sizeof(struct slot) : HEAD;
}

static int
complain(char *error, size_t error_n, const char *what, const char *path, int rc)
{
    snprintf(error, error_n, "%s %s: %s", what, path, strerror(rc));
    return -1;
}

/* All n bytes at that place: 0, or errno; what can't be had whole is EIO. */
static int
read_at(int fd, void *p, size_t n, off_t at)
{
    ssize_t got = pread(fd, p, n, at);

    return got == (ssize_t)n ? 0 : got < 0 ? errno : EIO;
}

static int
write_at(int fd, const void *p, size_t n, off_t at)
{
    ssize_t put = pwrite(fd, p, n, at);

    return put == (ssize_t)n ? 0 : put < 0 ? errno : ENOSPC;
}

/* One of the file's entries, added to what was counted since. */
static int
merge(struct traffic *t, const struct slot *s, int64_t now, uint32_t *bad)
{
    uint32_t i;
    struct entry *e;

    if (s->sum != sum_of(&s->e)) {
        ++*bad;
        return 0;
    }
    if (!(e = entry_for(t, s->e.uuid, &i)))
        return ENOMEM;
    window_merge(&e->w, now, &s->e.w);
    return 0;
}

static int
load_slots(struct traffic *t, int64_t now, uint32_t *bad)
{
    struct slot slots[PER_PAGE];
    struct stat st;
    int rc = fstat(t->fd, &st) < 0 ? errno : 0;
    off_t size = rc == 0 ? st.st_size : 0;

    for (off_t at = HEAD; rc == 0 && at < size; at += PAGE) {
        size_t n = (size_t)(size - at) < sizeof slots ? (size_t)(size - at) : sizeof slots;

        rc = read_at(t->fd, slots, n, at);
        for (size_t i = 0; rc == 0 && i < n / sizeof *slots; i++)
            rc = merge(t, &slots[i], now, bad);
        *bad += n % sizeof *slots > 0;
    }
    return rc;
}

static int
load(struct traffic *t, int64_t now, char *error, size_t error_n)
{
    char head[HEAD] = "";
    uint32_t bad = 0, before = t->n;
    struct stat st = {0};
    int rc = read_at(t->fd, head, HEAD, 0), ours = rc == 0 && strcmp(head, MAGIC) == 0;

    if (ours)
        rc = load_slots(t, now, &bad);
    else if (rc == 0 || rc == EIO)
        bad += rc == 0, rc = 0; /* not ours, or new */
    if (rc != 0)
        return complain(error, error_n, "can't read", t->path, rc);
    if (bad > 0)
        snprintf(error, error_n, "%u of the counters in %s can't be read, and begin anew", bad,
                 t->path);
    /* Otherwise numbers here are not places there, and all of it is written once. */
    t->whole =
        ours && bad == 0 && before == 0 && fstat(t->fd, &st) == 0 && st.st_size == end_of(t->n);
    return 0;
}

/* Whoever ends at a reload still writes: 1 it is ours, 0 not yet, -1. */
static int
take_over(struct traffic *t, int64_t now, char *error, size_t error_n)
{
    if (t->owner)
        return 1;
    if (flock(t->fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? 0 : complain(error, error_n, "can't lock", t->path, errno);
    t->owner = 1;
    return load(t, now, error, error_n) < 0 ? -1 : 1;
}

/* The first one marked, from i on; t->n: none. */
static uint32_t
next_dirty(const struct traffic *t, uint32_t i)
{
    while (i < t->n) {
        uint32_t room = CHUNK - i % CHUNK, n = t->n - i < room ? t->n - i : room;
        const unsigned char *from = mark_at(t, i), *found = memchr(from, DIRTY, n);

        if (found)
            return i + (uint32_t)(found - from);
        i += n;
    }
    return t->n;
}

/* Those from..last, which lie in one page. */
static int
write_slots(struct traffic *t, uint32_t from, uint32_t last)
{
    struct slot s[PER_PAGE];
    uint32_t n = last - from + 1;

    for (uint32_t k = 0; k < n; k++) {
        s[k].e = *entry_at(t, from + k);
        s[k].sum = sum_of(&s[k].e);
    }
    return write_at(t->fd, s, n * sizeof *s, place_of(from));
}

/* Page by page, each from the first one to be written to the last; what lies between stays what it is. */
static int
write_dirty(struct traffic *t)
{
    uint32_t i = 0;
    int rc = 0;

    while (rc == 0 && (i = t->whole ? next_dirty(t, i) : i) < t->n) {
        uint32_t next = i / PER_PAGE * PER_PAGE + PER_PAGE, last = i;

        next = next < t->n ? next : t->n;
        for (uint32_t k = i; k < next; k++)
            last = !t->whole || *mark_at(t, k) == DIRTY ? k : last;
        rc = write_slots(t, i, last);
        i = next;
    }
    return rc;
}

/*
 * Have it written from now on. Not waited for, as fdatasync() would: who does that in a loop that answers
 * makes all who ask wait for the disk, which Postfix's queue keeps busy. Where it isn't known the kernel
 * writes in its own time.
 */
static int
begin_write_back(int fd)
{
    return sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE) < 0 && errno == EIO ? EIO : 0;
}

static int
write_all(struct traffic *t)
{
    char head[HEAD] = MAGIC;
    struct stat st;
    int rc = t->whole ? 0 : write_at(t->fd, head, HEAD, 0);

    if (rc == 0)
        rc = write_dirty(t);
    /* Waited for, now and then: a moved entry must not be lost, nor be there twice, because its page came later. */
    if (rc == 0 && fstat(t->fd, &st) == 0 && st.st_size > end_of(t->n))
        rc = fdatasync(t->fd) < 0 || ftruncate(t->fd, end_of(t->n)) < 0 ? errno : 0;
    return rc == 0 ? begin_write_back(t->fd) : rc;
}

/* Some of those who sent nothing for a day; 1 when there were any. */
static int
forget_idle(struct traffic *t, int64_t now)
{
    uint32_t i = t->swept < t->n ? t->swept : 0, before = t->n;

    for (uint32_t k = 0; k < SWEEP_STEP && i < t->n; k++)
        if (window_idle(&entry_at(t, i)->w, now))
            entry_drop(t, i);
        else
            i++;
    t->swept = i;
    return t->n < before;
}

int
traffic_flush(struct traffic *t, int64_t now, char *error, size_t error_n)
{
    int rc, owner;

    if (error_n > 0)
        *error = '\0';
    if ((owner = take_over(t, now, error, error_n)) <= 0)
        return owner;
    if (!forget_idle(t, now) && t->whole && !t->dirty)
        return 0;
    if ((rc = write_all(t)) != 0)
        return complain(error, error_n, "can't write", t->path, rc);
    for (uint32_t i = 0; i < t->nchunks; i++)
        memset(t->chunks[i]->mark, CLEAN, CHUNK);
    t->dirty = 0;
    t->whole = 1;
    return 0;
}

struct traffic *
traffic_open(const char *path, int64_t now, char *error, size_t error_n)
{
    struct traffic *t = calloc(1, sizeof *t);

    *error = '\0';
    if (!t || table_grow(t) < 0 || chunk_add(t) < 0 || !(t->path = strdup(path))) {
        complain(error, error_n, "can't keep counters of", path, ENOMEM);
        if (t)
            t->fd = -1;
        traffic_close(&t);
        return NULL;
    }
    t->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (t->fd < 0)
        complain(error, error_n, "can't open", path, errno);
    if (t->fd < 0 || take_over(t, now, error, error_n) < 0)
        traffic_close(&t);
    return t;
}

void
traffic_close(struct traffic **tp)
{
    struct traffic *t = *tp;

    if (!t)
        return;
    for (uint32_t i = 0; i < t->nchunks; i++)
        free(t->chunks[i]);
    free(t->chunks);
    free(t->table);
    if (t->fd >= 0)
        close(t->fd);
    free(t->path);
    free(t);
    *tp = NULL;
}
