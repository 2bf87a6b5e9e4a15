/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spin_preload: lets roles of policyd run in a circle for ever, by LD_PRELOAD.
 *
 * The file named in SPIN_BLOCK is mapped by every process: a test writes there a place for a role,
 * in the order of the tables below. The first process of that role that comes there, in its main
 * thread, writes its number and never leaves again; those that follow it pass. Looking for a name
 * is for the other threads; there one may sleep as well.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *const roles[] = {"", "answer", "sync", "control", "policy"};
enum { ROLE_N = sizeof roles / sizeof *roles };
/* Waiting for something to do, reading the mirror, writing to it, looking for a name: spins or sleeps. */
enum place { NOWHERE, WAITS, READS, WRITES, NAMES, NAMES_ASLEEP };

struct order {
    _Atomic uint32_t place, taken;
};
static struct order *order; /* to the own role */
static uint32_t own_role;

static void
find_role(void)
{
    char line[512] = "", *arg;
    int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, line, sizeof line - 1);

    close(fd);
    arg = line + strlen(line) + 1;
    if (n < arg - line + 4 || strcmp(arg, "-x") != 0)
        return;
    for (uint32_t i = 1; i < ROLE_N; i++)
        if (strncmp(arg + 3, roles[i], strlen(roles[i])) == 0)
            own_role = i;
}

static void __attribute__((constructor)) begin(void)
{
    const char *file = getenv("SPIN_BLOCK");
    int fd = file ? open(file, O_RDWR | O_CLOEXEC) : -1;
    void *p = fd < 0
                  ? MAP_FAILED
                  : mmap(NULL, ROLE_N * sizeof *order, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (fd >= 0)
        close(fd);
    find_role();
    if (p != MAP_FAILED && own_role > 0)
        order = (struct order *)p + own_role;
}

static void
pass(enum place place)
{
    uint32_t nobody = 0;
    int is_main = syscall(SYS_gettid) == getpid();

    if (!order || atomic_load(&order->place) != (uint32_t)place || is_main != (place < NAMES) ||
        !atomic_compare_exchange_strong(&order->taken, &nobody, (uint32_t)getpid()))
        return;
    for (;;)
        if (place == NAMES_ASLEEP)
            pause();
        else
            atomic_load(&order->taken);
}

static void *
real(const char *name)
{
    void *p = dlsym(RTLD_NEXT, name);

    if (!p)
        abort(); /* the test itself is wrong */
    return p;
}

#define WRAP(at, type, name, parameters, arguments) \
    type name parameters                            \
    {                                               \
        static type(*next) parameters;              \
                                                    \
        if (!next)                                  \
            *(void **)&next = real(#name);          \
        pass(at);                                   \
        return next arguments;                      \
    }

WRAP(WAITS, int, epoll_wait, (int fd, struct epoll_event *e, int n, int ms), (fd, e, n, ms))
WRAP(WAITS, int, poll, (struct pollfd * fds, nfds_t n, int ms), (fds, n, ms))

/* LMDB's, without its header. */
int mdb_cursor_get(void *cursor, void *key, void *value, int op);
int mdb_get(void *txn, unsigned table, void *key, void *value);
int mdb_put(void *txn, unsigned table, void *key, void *value, unsigned flags);
WRAP(READS, int, mdb_cursor_get, (void *c, void *k, void *v, int op), (c, k, v, op))
WRAP(READS, int, mdb_get, (void *txn, unsigned t, void *k, void *v), (txn, t, k, v))
WRAP(WRITES, int, mdb_put, (void *txn, unsigned t, void *k, void *v, unsigned f), (txn, t, k, v, f))

int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
            struct addrinfo **out)
{
    static int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

    if (!next)
        *(void **)&next = real("getaddrinfo");
    pass(NAMES);
    pass(NAMES_ASLEEP);
    return next(node, service, hints, out);
}
