/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fail_preload: makes one call of a function fail in one role of policyd, by LD_PRELOAD.
 *
 * The file named in FAIL_BLOCK is mapped by every process: a test arms it with a role, a
 * function and the how many-th call from now on, and reads there whether that has come,
 * and how often each function was called. Its layout is struct block; the numbers of
 * roles and functions are their places in fail_preload_text, which a test finds in the file.
 *
 * The functions of LMDB and libldap are passed on without their headers: up to eleven
 * integer or pointer arguments, as the calling conventions of Linux on 64 bits allow.
 */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define CALL(name)                CALL_##name,
#define LIBRARY_CALL(name, error) CALL_##name,
enum call {
#include "fail_calls.inc"
    CALL_N
};
#undef CALL
#undef LIBRARY_CALL

#define CALL(name)                " " #name
#define LIBRARY_CALL(name, error) " " #name
const char fail_preload_text[] = "roles: parent answer sync control policy\ncalls:"
#include "fail_calls.inc"
                                 "\n";
#undef CALL
#undef LIBRARY_CALL

static const char *const roles[] = {"parent", "answer", "sync", "control", "policy"};
enum { ROLE_N = sizeof roles / sizeof *roles };

struct block {
    _Atomic uint32_t armed; /* 1 + enum call; 0: nothing is */
    _Atomic uint32_t role;
    _Atomic int32_t countdown; /* 1: the next one */
    _Atomic uint32_t fired;    /* how often, since the test set it to 0 */
    char caller[64];           /* whose call failed */
    _Atomic uint32_t calls[ROLE_N][CALL_N];
};

static struct block *block;
static uint32_t own_role;

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);

/* "postroad-policyd", "-x", "ROLE:PAGE:SOCKETS": without -x it is the parent. */
static void
find_role(void)
{
    char line[512] = "";
    int fd = (int)open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, line, sizeof line - 1);
    char *arg = line + strlen(line) + 1;

    close(fd);
    if (n < (ssize_t)strlen(line) + 4 || strcmp(arg, "-x") != 0)
        return;
    for (uint32_t i = 0; i < ROLE_N; i++)
        if (strncmp(arg + 3, roles[i], strlen(roles[i])) == 0)
            own_role = i;
}

static void __attribute__((constructor)) begin(void)
{
    const char *file = getenv("FAIL_BLOCK");
    int fd = file ? open(file, O_RDWR | O_CLOEXEC) : -1;
    void *p, *frame;

    if (fd < 0)
        return;
    backtrace(&frame, 1); /* the first time it needs memory */
    find_role();
    p = mmap(NULL, sizeof *block, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (p != MAP_FAILED)
        block = p;
}

static int
is_helper(const char *name)
{
    return strncmp(name, "libc.", 5) == 0 || strncmp(name, "liblber", 7) == 0 ||
           strncmp(name, "fail_", 5) == 0;
}

/* Note whose call it was: the file name of the first program or library above libc and liblber. */
static void
note_caller(void)
{
    void *frames[16];
    int n = backtrace(frames, 16);
    Dl_info info;

    if (getenv("FAIL_TRACE"))
        backtrace_symbols_fd(frames, n, STDERR_FILENO);
    for (int i = 1; i < n; i++) {
        const char *slash;

        if (!dladdr(frames[i], &info) || !info.dli_fname)
            continue;
        slash = strrchr(info.dli_fname, '/');
        snprintf(block->caller, sizeof block->caller, "%s", slash ? slash + 1 : info.dli_fname);
        if (!is_helper(block->caller))
            return;
    }
}

static int
fails(enum call call)
{
    if (!block)
        return 0;
    atomic_fetch_add(&block->calls[own_role][call], 1);
    if (atomic_load(&block->armed) != (uint32_t)call + 1 || atomic_load(&block->role) != own_role ||
        atomic_fetch_sub(&block->countdown, 1) != 1)
        return 0;
    atomic_store(&block->armed, 0);
    note_caller();
    atomic_fetch_add(&block->fired, 1);
    return 1;
}

/* --- libc --- */

void *
malloc(size_t n)
{
    return fails(CALL_malloc) ? (errno = ENOMEM, NULL) : __libc_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
    return fails(CALL_calloc) ? (errno = ENOMEM, NULL) : __libc_calloc(n, size);
}

void *
realloc(void *p, size_t n)
{
    return fails(CALL_realloc) ? (errno = ENOMEM, NULL) : __libc_realloc(p, n);
}

void *
reallocarray(void *p, size_t n, size_t size)
{
    size_t all;

    if (fails(CALL_reallocarray) || __builtin_mul_overflow(n, size, &all)) {
        errno = ENOMEM;
        return NULL;
    }
    return __libc_realloc(p, all);
}

char *
strdup(const char *s)
{
    size_t n = strlen(s) + 1;
    char *copy = fails(CALL_strdup) ? NULL : __libc_malloc(n);

    if (!copy)
        errno = ENOMEM;
    return copy ? memcpy(copy, s, n) : NULL;
}

static void *
real(const char *name)
{
    void *p = dlsym(RTLD_NEXT, name);

    if (!p)
        abort(); /* the test itself is wrong */
    return p;
}

#define LIBC(type, name, error, parameters, arguments) \
    type name parameters                               \
    {                                                  \
        static type(*next) parameters;                 \
                                                       \
        if (!next)                                     \
            *(void **)&next = real(#name);             \
        if (fails(CALL_##name)) {                      \
            errno = error;                             \
            return (type)-1;                           \
        }                                              \
        return next arguments;                         \
    }

LIBC(ssize_t, read, EIO, (int fd, void *p, size_t n), (fd, p, n))
LIBC(ssize_t, pread, EIO, (int fd, void *p, size_t n, off_t at), (fd, p, n, at))
LIBC(ssize_t, recv, ECONNRESET, (int fd, void *p, size_t n, int flags), (fd, p, n, flags))
LIBC(ssize_t, recvmsg, ECONNRESET, (int fd, struct msghdr *m, int flags), (fd, m, flags))
LIBC(ssize_t, readv, EIO, (int fd, const struct iovec *v, int n), (fd, v, n))
LIBC(ssize_t, write, EIO, (int fd, const void *p, size_t n), (fd, p, n))
LIBC(ssize_t, pwrite, ENOSPC, (int fd, const void *p, size_t n, off_t at), (fd, p, n, at))
LIBC(ssize_t, send, EPIPE, (int fd, const void *p, size_t n, int flags), (fd, p, n, flags))
LIBC(ssize_t, sendmsg, EPIPE, (int fd, const struct msghdr *m, int flags), (fd, m, flags))
LIBC(ssize_t, writev, EPIPE, (int fd, const struct iovec *v, int n), (fd, v, n))
LIBC(int, fsync, EIO, (int fd), (fd))
LIBC(int, fdatasync, EIO, (int fd), (fd))
LIBC(int, accept4, EMFILE, (int fd, struct sockaddr *a, socklen_t *n, int flags), (fd, a, n, flags))
LIBC(int, socket, EMFILE, (int family, int type, int protocol), (family, type, protocol))
LIBC(int, connect, ECONNREFUSED, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
LIBC(int, fstat, EIO, (int fd, struct stat *st), (fd, st))
LIBC(void *, mmap, ENOMEM, (void *p, size_t n, int prot, int flags, int fd, off_t at),
     (p, n, prot, flags, fd, at))

int
open(const char *path, int flags, ...)
{
    static int (*next)(const char *, int, ...);
    va_list ap;
    mode_t mode;

    va_start(ap, flags);
    mode = va_arg(ap, mode_t);
    va_end(ap);
    if (!next)
        *(void **)&next = real("open");
    if (fails(CALL_open)) {
        errno = EMFILE;
        return -1;
    }
    return next(path, flags, mode);
}

/* --- LMDB and libldap --- */

#define LIBRARY(name, error)                                                                   \
    long name(long, long, long, long, long, long, long, long, long, long, long);               \
    long name(long a, long b, long c, long d, long e, long f, long g, long h, long i, long j,  \
              long k)                                                                          \
    {                                                                                          \
        static long (*next)(long, long, long, long, long, long, long, long, long, long, long); \
                                                                                               \
        if (!next)                                                                             \
            *(void **)&next = real(#name);                                                     \
        return fails(CALL_##name) ? (error) : next(a, b, c, d, e, f, g, h, i, j, k);           \
    }

#define CALL(name)
#define LIBRARY_CALL(name, error) LIBRARY(name, error)
#include "fail_calls.inc"

/* It ends the transaction, whatever comes of it. */
int mdb_txn_commit(void *txn);
int
mdb_txn_commit(void *txn)
{
    static int (*next)(void *);
    static void (*undo)(void *);

    if (!next) {
        *(void **)&undo = real("mdb_txn_abort");
        *(void **)&next = real("mdb_txn_commit");
    }
    if (!fails(CALL_mdb_txn_commit))
        return next(txn);
    undo(txn);
    return EIO;
}
