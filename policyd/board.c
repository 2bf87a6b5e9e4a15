/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * board: shared memory in which the roles show one another how they are.
 *
 * One memfd: a page for each role, then the questions of each, then the answers to
 * them. It is sealed in size so that nobody can cut it under the others. A role maps everything through a read-only descriptor and only its
 * own parts through a writable one: a role that went astray can't write another's
 * part, not even by mprotect. The parent alone maps all of it writable, to bury
 * the dead. Must not allocate, block, or log.
 */
#include "board.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"
#include "conf.h"

#define PAGES_BYTES ((size_t)BOARD_ROLES * BOARD_PAGE)
#define ANSWERS_AT  (PAGES_BYTES + (size_t)BOARD_ROLES * BOARD_QUESTIONS)
#define BOARD_BYTES (ANSWERS_AT + BOARD_ANSWERS)

_Static_assert(sizeof(struct board_page) <= BOARD_PAGE, "a role's page must fit");
_Static_assert(BOARD_SYNC_SEARCHED < BOARD_SYNC_PROVIDER, "sync's words must not overlap");
_Static_assert(BOARD_SYNC_PROVIDER + CONF_LIST_MAX * BOARD_PROVIDER_WORDS <= BOARD_WORDS,
               "a row for each provider");
_Static_assert(BOARD_RESTARTS + BOARD_ROLES <= BOARD_WORDS, "a restart count for each role");

int
board_create(void)
{
    int fd = memfd_create("postroad-board", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0)
        return -1;
    if (ftruncate(fd, BOARD_BYTES) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* The whole board, read-only for good: the descriptor behind the mapping can't write. */
static char *
map_for_reading(int fd)
{
    char path[64], *all;
    int rfd;

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    rfd = open(path, O_RDONLY | O_CLOEXEC);
    if (rfd < 0)
        return NULL;
    all = mmap(NULL, BOARD_BYTES, PROT_READ, MAP_SHARED, rfd, 0);
    close(rfd);
    return all == MAP_FAILED ? NULL : all;
}

static size_t
questions_at(int role)
{
    return PAGES_BYTES + (size_t)role * BOARD_QUESTIONS;
}

/* Have n bytes at this place writable. 0 or -1. */
static int
map_own(char *all, int fd, size_t at, size_t n)
{
    return mmap(all + at, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, (off_t)at) ==
                   MAP_FAILED
               ? -1
               : 0;
}

static char *
map_for_role(int fd, int role)
{
    char *all;

    if (role == BOARD_PARENT) {
        all = mmap(NULL, BOARD_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        return all == MAP_FAILED ? NULL : all;
    }
    all = map_for_reading(fd);
    if (!all)
        return NULL;
    if (map_own(all, fd, (size_t)role * BOARD_PAGE, BOARD_PAGE) == 0 &&
        map_own(all, fd, questions_at(role), BOARD_QUESTIONS) == 0 &&
        (role != BOARD_SYNC || map_own(all, fd, ANSWERS_AT, BOARD_ANSWERS) == 0))
        return all;
    munmap(all, BOARD_BYTES);
    return NULL;
}

int
board_attach(struct board *b, int fd, int role, int keep)
{
    char *all = map_for_role(fd, role);

    if (!all)
        return -1;
    for (int i = 0; i < BOARD_ROLES; i++)
        b->page[i] = (struct board_page *)(all + (size_t)i * BOARD_PAGE);
    b->own = b->page[role];
    b->number = role;
    if (!keep)
        close(fd);
    return 0;
}

void
board_detach(struct board *b)
{
    if (b->own)
        munmap(b->page[0], BOARD_BYTES);
    memset(b, 0, sizeof(*b));
}

void *
board_questions(const struct board *b, int role)
{
    return (char *)b->page[0] + questions_at(role);
}

void *
board_answers(const struct board *b)
{
    return (char *)b->page[0] + ANSWERS_AT;
}

uint64_t
board_now_ms(void)
{
    return (uint64_t)clock_mono_ms();
}

void
board_beat(struct board *b)
{
    board_set(b, BOARD_BEAT_MS, board_now_ms());
}

uint64_t
board_doubts(const struct board *b)
{
    uint64_t n = 0;

    for (int role = 0; role < BOARD_ROLES; role++)
        n += board_get(b, role, BOARD_DOUBTS);
    return n;
}

void
board_bury(struct board *b, int role)
{
    static const int gone[] = {BOARD_BEAT_MS, BOARD_PID, BOARD_CONNECTIONS, BOARD_PARKED};

    for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
        atomic_store_explicit(&b->page[role]->word[gone[i]], 0, memory_order_relaxed);
    if (role == BOARD_ACCESS)
        atomic_store_explicit(&b->page[role]->word[BOARD_ACCESS_SESSIONS], 0, memory_order_relaxed);
}

void
board_say(struct board *b, const char *text)
{
    struct board_page *p = b->own;
    size_t n = strnlen(text, BOARD_TEXT_MAX - 1);
    /* A writer that died in the middle left the number odd: start from the next even one. */
    uint64_t seq = (atomic_load(&p->text_seq) + 1) & ~(uint64_t)1;

    atomic_store(&p->text_seq, seq + 1);
    atomic_thread_fence(memory_order_seq_cst);
    memcpy(p->text, text, n);
    p->text[n] = '\0';
    atomic_thread_fence(memory_order_seq_cst);
    atomic_store(&p->text_seq, seq + 2);
}

void
board_text(const struct board *b, int role, char *out, size_t cap)
{
    const struct board_page *p = b->page[role];
    size_t n;

    for (int attempt = 0; attempt < 100; attempt++) {
        uint64_t before = atomic_load(&p->text_seq);

        n = strnlen(p->text, BOARD_TEXT_MAX - 1);
        n = n < cap ? n : cap - 1;
        memcpy(out, p->text, n);
        out[n] = '\0';
        atomic_thread_fence(memory_order_seq_cst);
        if (!(before & 1) && atomic_load(&p->text_seq) == before)
            return;
    }
    out[0] = '\0';
}
