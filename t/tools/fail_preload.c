/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fail_preload: makes one call of a function fail in one role of policyd, by LD_PRELOAD.
 *
 * The file named in FAIL_BLOCK is mapped by every process: a test arms it with a role, a
 * function, the how many-th call from now on, and how many in a row; and reads there whether
 * that has come, and how often each function was called. Its layout is struct block; the
 * numbers of roles and functions are their places in fail_preload_text, which a test finds in
 * the file.
 *
 * What needs no code of its own is passed on without its header: up to eleven integer or
 * pointer arguments, as the calling conventions of Linux on 64 bits allow. What stdio does
 * inside libc can't be caught, so its functions fail themselves, and mark the stream.
 */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define CALL(name)                     CALL_##name,
#define ERRNO_CALL(name, value, error) CALL(name)
#define CODE_CALL(name, error)         CALL(name)
#define LIBRARY_CALL(name, error)      CALL(name)
enum call {
#include "fail_calls.inc"
    CALL_N
};
#undef CALL

#define CALL(name) " " #name
const char fail_preload_text[] =
    "roles: parent answer sync control policy cold access edit held queue "
    "hook homes\ncalls:"
#include "fail_calls.inc"
    "\n";
#undef CALL
#undef ERRNO_CALL
#undef CODE_CALL
#undef LIBRARY_CALL

static const char *const roles[] = {"parent", "answer", "sync", "control", "policy", "cold",
                                    "access", "edit",   "held", "queue",   "hook",   "homes"};
enum { ROLE_N = sizeof roles / sizeof *roles };

struct block {
    _Atomic uint32_t armed; /* 1 + enum call; 0: nothing is */
    _Atomic uint32_t role;
    _Atomic int32_t countdown; /* 1: the next one */
    _Atomic int32_t times;     /* so many in a row */
    _Atomic uint32_t fired;    /* how often, since the test set it to 0 */
    char caller[64];           /* whose call failed */
    _Atomic uint32_t calls[ROLE_N][CALL_N];
};

static struct block *block;
static uint32_t own_role;

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);
extern void *__libc_memalign(size_t alignment, size_t n);

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

/* Whether this is an address in the program itself, the first object that was loaded. */
static int
is_ours(const void *address)
{
    static const void *base;
    Dl_info info;

    if (!base && dladdr((const void *)getauxval(AT_ENTRY), &info))
        base = info.dli_fbase;
    return dladdr(address, &info) && info.dli_fbase == base;
}

static int
is_helper(const char *name)
{
    return strncmp(name, "libc.", 5) == 0 || strncmp(name, "liblber", 7) == 0 ||
           strncmp(name, "fail_", 5) == 0;
}

/*
 * Note whose call it was: the file name of the first program or library above libc and liblber; but
 * libc's own where it asks for users and groups.
 */
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
        if (info.dli_sname && strncmp(info.dli_sname, "getpwnam", 8) == 0)
            snprintf(block->caller, sizeof block->caller, "getpwnam");
        else if (info.dli_sname && strncmp(info.dli_sname, "getgrnam", 8) == 0)
            snprintf(block->caller, sizeof block->caller, "getgrnam");
        else if (is_helper(block->caller))
            continue;
        return;
    }
}

static int
fails(enum call call)
{
    int32_t count, last;

    if (!block)
        return 0;
    atomic_fetch_add(&block->calls[own_role][call], 1);
    if (atomic_load(&block->armed) != (uint32_t)call + 1 || atomic_load(&block->role) != own_role)
        return 0;
    last = 2 - atomic_load(&block->times);
    count = atomic_fetch_sub(&block->countdown, 1);
    if (count > 1 || count < last)
        return 0;
    if (count == last)
        atomic_store(&block->armed, 0);
    if (count == 1)
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

int
posix_memalign(void **p_r, size_t alignment, size_t n)
{
    if (fails(CALL_posix_memalign) || !(*p_r = __libc_memalign(alignment, n)))
        return ENOMEM;
    return 0;
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

LIBC(ssize_t, recvmsg, ECONNRESET, (int fd, struct msghdr *m, int flags), (fd, m, flags))
LIBC(ssize_t, readv, EIO, (int fd, const struct iovec *v, int n), (fd, v, n))
LIBC(ssize_t, sendmsg, EPIPE, (int fd, const struct msghdr *m, int flags), (fd, m, flags))
LIBC(ssize_t, writev, EPIPE, (int fd, const struct iovec *v, int n), (fd, v, n))
LIBC(int, fsync, EIO, (int fd), (fd))
LIBC(int, fdatasync, EIO, (int fd), (fd))
LIBC(int, socket, EMFILE, (int family, int type, int protocol), (family, type, protocol))
LIBC(int, connect, ECONNREFUSED, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
LIBC(int, fstat, EIO, (int fd, struct stat *st), (fd, st))
LIBC(void *, mmap, ENOMEM, (void *p, size_t n, int prot, int flags, int fd, off_t at),
     (p, n, prot, flags, fd, at))

/* Whether a part of what was asked for can be all there is: bytes, no messages or counters. */
static int
is_stream(int fd)
{
    int type = 0;
    socklen_t n = sizeof type;
    struct stat st;

    if (syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0)
        return type == SOCK_STREAM;
    return syscall(SYS_fstat, fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode));
}

/* What a descriptor says that has nothing to say: only one that does not wait may say EAGAIN. */
static int
again(int fd)
{
    return syscall(SYS_fcntl, fd, F_GETFL) & O_NONBLOCK ? EAGAIN : EINTR;
}

/* A pipe between a program and itself can't fail; libevent rightly relies on that. */
static int
is_own_pipe(int fd)
{
    struct stat st;

    return syscall(SYS_fstat, fd, &st) == 0 && S_ISFIFO(st.st_mode);
}

/* Bytes in and out: all fail, but part of them can be short, or to be asked for again. */
#define FAIL(name, error)     \
    if (fails(CALL_##name)) { \
        errno = error;        \
        return -1;            \
    }
#define AGAIN(name)                   \
    if (fails(CALL_##name##_again)) { \
        errno = again(fd);            \
        return -1;                    \
    }
#define SHORT(name)                                           \
    if (n > 1 && is_stream(fd) && fails(CALL_##name##_short)) \
        n = 1;
#define BYTES(name, error, more, parameters, arguments) \
    ssize_t name parameters                             \
    {                                                   \
        static ssize_t(*next) parameters;               \
                                                        \
        if (!next)                                      \
            *(void **)&next = real(#name);              \
        if (is_own_pipe(fd))                            \
            return next arguments;                      \
        FAIL(name, error)                               \
        more(name) SHORT(name) return next arguments;   \
    }
#define NEVER(name)

BYTES(read, EIO, AGAIN, (int fd, void *p, size_t n), (fd, p, n))
BYTES(recv, ECONNRESET, AGAIN, (int fd, void *p, size_t n, int flags), (fd, p, n, flags))
BYTES(pread, EIO, NEVER, (int fd, void *p, size_t n, off_t at), (fd, p, n, at))
BYTES(write, EIO, AGAIN, (int fd, const void *p, size_t n), (fd, p, n))
BYTES(send, EPIPE, AGAIN, (int fd, const void *p, size_t n, int flags), (fd, p, n, flags))
BYTES(pwrite, ENOSPC, NEVER, (int fd, const void *p, size_t n, off_t at), (fd, p, n, at))

int
accept4(int fd, struct sockaddr *a, socklen_t *n, int flags)
{
    static int (*next)(int, struct sockaddr *, socklen_t *, int);

    if (!next)
        *(void **)&next = real("accept4");
    FAIL(accept4, EMFILE)
    FAIL(accept4_again, ECONNABORTED)
    return next(fd, a, n, flags);
}

int
poll(struct pollfd *fds, nfds_t n, int timeout)
{
    static int (*next)(struct pollfd *, nfds_t, int);

    if (!next)
        *(void **)&next = real("poll");
    FAIL(poll, ENOMEM)
    FAIL(poll_intr, EINTR)
    return next(fds, n, timeout);
}

/* To watch one more takes memory; to watch one no more doesn't. */
int
epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
    static int (*next)(int, int, int, struct epoll_event *);

    if (!next)
        *(void **)&next = real("epoll_ctl");
    if (op == EPOLL_CTL_ADD)
        FAIL(epoll_ctl, ENOSPC)
    return next(epfd, op, fd, event);
}

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
    FAIL(open, EMFILE)
    return next(path, flags, mode);
}

int
openat(int folder, const char *path, int flags, ...)
{
    static int (*next)(int, const char *, int, ...);
    va_list ap;
    mode_t mode;

    va_start(ap, flags);
    mode = va_arg(ap, mode_t);
    va_end(ap);
    if (!next)
        *(void **)&next = real("openat");
    FAIL(openat, EMFILE)
    return next(folder, path, flags, mode);
}

/* --- stdio --- */

static int
spoil(FILE *f)
{
    f->_flags |= 0x20; /* what ferror(3) looks at */
    errno = ENOSPC;
    return -1;
}

int
fputs(const char *s, FILE *f)
{
    static int (*next)(const char *, FILE *);

    if (!next)
        *(void **)&next = real("fputs");
    return fails(CALL_fputs) ? spoil(f) : next(s, f);
}

size_t
fwrite(const void *p, size_t size, size_t n, FILE *f)
{
    static size_t (*next)(const void *, size_t, size_t, FILE *);

    if (!next)
        *(void **)&next = real("fwrite");
    return fails(CALL_fwrite) ? (spoil(f), 0) : next(p, size, n, f);
}

int
fflush(FILE *f)
{
    static int (*next)(FILE *);

    if (!next)
        *(void **)&next = real("fflush");
    return fails(CALL_fflush) ? spoil(f) : next(f);
}

/* fprintf, as _FORTIFY_SOURCE has it called. */
int __fprintf_chk(FILE *f, int flag, const char *format, ...);
int
__fprintf_chk(FILE *f, int flag, const char *format, ...)
{
    va_list ap;
    int n;

    (void)flag;
    if (fails(CALL_fprintf))
        return spoil(f);
    va_start(ap, format);
    n = vfprintf(f, format, ap);
    va_end(ap);
    return n;
}

int __dprintf_chk(int fd, int flag, const char *format, ...);
int
__dprintf_chk(int fd, int flag, const char *format, ...)
{
    va_list ap;
    int n;

    (void)flag;
    FAIL(dprintf, ENOSPC)
    va_start(ap, format);
    n = vdprintf(fd, format, ap);
    va_end(ap);
    return n;
}

int
fclose(FILE *f)
{
    static int (*next)(FILE *);
    int rc;

    if (!next)
        *(void **)&next = real("fclose");
    rc = next(f);
    FAIL(fclose, ENOSPC)
    return rc;
}

/* --- what needs no code of its own --- */

#define CALL(name)
#define ANY_CALL(name, value, error, whose)                                                    \
    long fake_##name(long, long, long, long, long, long, long, long, long, long,               \
                     long) __asm__(#name);                                                     \
    long fake_##name(long a, long b, long c, long d, long e, long f, long g, long h, long i,   \
                     long j, long k)                                                           \
    {                                                                                          \
        static long (*next)(long, long, long, long, long, long, long, long, long, long, long); \
                                                                                               \
        if (!next)                                                                             \
            *(void **)&next = real(#name);                                                     \
        if (!(whose) || !fails(CALL_##name))                                                   \
            return next(a, b, c, d, e, f, g, h, i, j, k);                                      \
        errno = (error);                                                                       \
        return value;                                                                          \
    }
#define ERRNO_CALL(name, value, error) ANY_CALL(name, value, error, 1)
#define CODE_CALL(name, error)         ANY_CALL(name, error, ENOMEM, 1)
#define LIBRARY_CALL(name, error) \
    ANY_CALL(name, error, ENOMEM, is_ours(__builtin_return_address(0)))
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
