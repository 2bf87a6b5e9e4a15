/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sandbox_test: each row is tried by a child of its own that has entered the sandbox with
 * the given purpose: what is withheld must fail with EPERM, what is not must work.
 */
#include "../lib/sandbox.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

/* Each returns 0 when it worked, else errno. */
static int
try_exec(void)
{
    char *argv[] = {(char *)"true", NULL};

    execv("/bin/true", argv); /* it ends with 0 */
    return errno;
}

static int
try_socket(int family, int type)
{
    return socket(family, type, 0) < 0 ? errno : 0;
}

static int
try_inet(void)
{
    return try_socket(AF_INET, SOCK_STREAM);
}

static int
try_inet6(void)
{
    return try_socket(AF_INET6, SOCK_STREAM);
}

static int
try_netlink(void)
{
    return try_socket(AF_NETLINK, SOCK_RAW);
}

static int
try_unix(void)
{
    return try_socket(AF_UNIX, SOCK_STREAM);
}

static int
try_packet(void)
{
    return try_socket(AF_PACKET, SOCK_RAW);
}

static int
try_bind(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    return bind(fd, (struct sockaddr *)&a, sizeof(a.sun_family)) < 0 ? errno : 0;
}

static int
try_fork(void)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    return pid < 0 || waitpid(pid, NULL, 0) != pid ? errno : 0;
}

static int
try_kill(void)
{
    return kill(getpid(), 0) < 0 ? errno : 0;
}

static int
try_ptrace(void)
{
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 ? errno : 0;
}

static void *
thread(void *arg)
{
    return arg;
}

static int
try_thread(void)
{
    pthread_t t;
    int rc = pthread_create(&t, NULL, thread, NULL);

    return rc ? rc : pthread_join(t, NULL);
}

static int
try_map(int prot)
{
    return mmap(NULL, 4096, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? errno : 0;
}

static int
try_map_writable_code(void)
{
    return try_map(PROT_WRITE | PROT_EXEC);
}

static int
try_map_data(void)
{
    return try_map(PROT_READ | PROT_WRITE);
}

static int
try_turn_to_code(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return mprotect(p, 4096, PROT_READ | PROT_EXEC) < 0 ? errno : 0;
}

static int
try_setuid(void)
{
    return setuid(getuid()) < 0 ? errno : 0;
}

static const struct row {
    const char *what;
    int (*try)(void);
    unsigned needs; /* what it takes; NEVER: nothing helps, ALWAYS: nothing is needed */
} rows[] = {
#define NEVER  ~0u
#define ALWAYS 0u
    {"run a program", try_exec, SANDBOX_PROGRAMS},
    {"bind a socket", try_bind, SANDBOX_PROGRAMS},
    {"a packet socket", try_packet, NEVER},
    {"memory written and run", try_map_writable_code, NEVER},
    {"memory turned into code", try_turn_to_code, NEVER},
    {"another user", try_setuid, SANDBOX_PROGRAMS},
    {"a Unix socket", try_unix, ALWAYS},
    {"memory", try_map_data, ALWAYS},
    {"a thread", try_thread, ALWAYS},
    {"an Internet socket", try_inet, SANDBOX_CONNECT},
    {"an IPv6 socket", try_inet6, SANDBOX_CONNECT},
    {"a netlink socket", try_netlink, SANDBOX_CONNECT},
    {"a child process", try_fork, SANDBOX_FORK},
    {"a signal", try_kill, SANDBOX_FORK},
    {"tracing", try_ptrace, SANDBOX_FORK},
};

#define NO_SANDBOX 254

/* What the row's try came to in a process that entered: errno, or 0. */
static int
outcome(const struct row *r, unsigned may)
{
    char error[128];
    int status = 0, rc;
    pid_t pid = fork();

    if (pid == 0) {
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
            _exit(NO_SANDBOX);
        rc = sandbox_enter(may, error, sizeof(error));
        _exit(rc == 0 ? r->try() : NO_SANDBOX);
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
test_row(const struct row *r, unsigned may)
{
    int got = outcome(r, may);
    int want = r->needs == NEVER || (r->needs & ~may) ? EPERM : 0;

    ok(got == want, "%s, purpose %u: %d, expected %d", r->what, may, got, want);
}

/* A sanitizer's look for leaks needs some of what is withheld: see sandbox.c. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static int
skip_all(const char *why)
{
    printf("1..0 # SKIP %s\n", why);
    return 0;
}

int
main(void)
{
    const struct row nothing = {"", try_unix, ALWAYS};

    if (SANITIZED)
        return skip_all("a sanitizer needs what is withheld");
    if (outcome(&nothing, 0) == NO_SANDBOX)
        return skip_all("no seccomp filters here");
    for (unsigned may = 0; may <= (SANDBOX_CONNECT | SANDBOX_FORK | SANDBOX_PROGRAMS); may++)
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
            test_row(&rows[i], may);
    return tap_done();
}
