/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sandbox: the lists of system calls that are withheld, and the filter made of them.
 *
 * A list of what is forbidden, not of what is allowed: the C library, LMDB, OpenLDAP
 * and its TLS library take new calls into use from release to release. Calls that
 * this machine's libseccomp or kernel doesn't know are left out.
 */
#include "sandbox.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define N_OF(a)   (sizeof(a) / sizeof((a)[0]))
#define FORBIDDEN SCMP_ACT_ERRNO(EPERM)

/* A sanitizer looks for leaks with ptrace, in a process of its own. */
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

/* But for who may SANDBOX_PROGRAMS; the C library binds a netlink socket to list addresses. */
static const char *const programs[] = {"bind",      "execve",   "execveat",  "setgid",
                                       "setgroups", "setregid", "setresgid", "setresuid",
                                       "setreuid",  "setuid"};

static const char *const never[] = {
    "uselib",
    /* other processes */
    "kcmp",
    "migrate_pages",
    "move_pages",
    "pidfd_getfd",
    "process_madvise",
    "process_vm_readv",
    "process_vm_writev",
    /* namespaces, mounts and what is reached around them */
    "chroot",
    "fsconfig",
    "fsmount",
    "fsopen",
    "fspick",
    "mount",
    "mount_setattr",
    "move_mount",
    "name_to_handle_at",
    "open_by_handle_at",
    "open_tree",
    "pivot_root",
    "setns",
    "umount",
    "umount2",
    "unshare",
    /* doors: the parent opens them */
    "listen",
    /* identities and devices */
    "capset",
    "mknod",
    "mknodat",
    "setfsgid",
    "setfsuid",
    /* parts of the kernel with a large surface */
    "add_key",
    "bpf",
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "keyctl",
    "modify_ldt",
    "perf_event_open",
    "personality",
    "request_key",
    "userfaultfd",
    "vmsplice",
    /* the machine */
    "acct",
    "adjtimex",
    "clock_adjtime",
    "clock_settime",
    "delete_module",
    "finit_module",
    "init_module",
    "ioperm",
    "iopl",
    "kexec_file_load",
    "kexec_load",
    "quotactl",
    "reboot",
    "setdomainname",
    "sethostname",
    "settimeofday",
    "swapoff",
    "swapon",
    "syslog",
    "vhangup",
};

static const char *const childless[] = {
    "fork", "vfork", "kill", "pidfd_send_signal", "rt_sigqueueinfo", "tkill", "ptrace"};

static int
is_unknown(int nr)
{
    return nr == __NR_SCMP_ERROR;
}

/* Rules about calls and arguments that this architecture doesn't have are no failure. */
static int
forbid(scmp_filter_ctx f, uint32_t action, const char *name, unsigned n,
       const struct scmp_arg_cmp *when)
{
    int nr = seccomp_syscall_resolve_name(name);
    int rc = is_unknown(nr) ? 0 : seccomp_rule_add_array(f, action, nr, n, when);

    return rc == -EDOM || rc == -EEXIST ? 0 : rc;
}

static int
forbid_all(scmp_filter_ctx f, const char *const *names, size_t n)
{
    int rc = 0;

    for (size_t i = 0; i < n && rc == 0; i++)
        rc = forbid(f, FORBIDDEN, names[i], 0, NULL);
    return rc;
}

/* Memory is never written and run; a library's code is mapped from its file, read-only. */
static int
forbid_made_code(scmp_filter_ctx f)
{
    const uint64_t both = PROT_WRITE | PROT_EXEC;
    const struct scmp_arg_cmp mapped = SCMP_A2(SCMP_CMP_MASKED_EQ, both, both);
    const struct scmp_arg_cmp turned = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC);
    int rc = forbid(f, FORBIDDEN, "mmap", 1, &mapped);

    if (rc == 0)
        rc = forbid(f, FORBIDDEN, "mprotect", 1, &turned);
    return rc == 0 ? forbid(f, FORBIDDEN, "pkey_mprotect", 1, &turned) : rc;
}

/* Families up to the highest one allowed, each named; everything above. */
static int
forbid_families(scmp_filter_ctx f, unsigned may)
{
    int rc = 0;

    for (int family = 0; family < AF_MAX && rc == 0; family++) {
        const struct scmp_arg_cmp is = SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)family, 0);
        int inet = family == AF_INET || family == AF_INET6 || family == AF_NETLINK;

        if (family == AF_UNIX || (inet && (may & SANDBOX_CONNECT)))
            continue;
        rc = forbid(f, FORBIDDEN, "socket", 1, &is);
    }
    if (rc == 0) {
        const struct scmp_arg_cmp above = SCMP_A0(SCMP_CMP_GE, AF_MAX, 0);
        rc = forbid(f, FORBIDDEN, "socket", 1, &above);
    }
    return rc;
}

/* clone3 hides its flags from a filter; without it the C library takes clone. */
static int
forbid_children(scmp_filter_ctx f)
{
    const struct scmp_arg_cmp process = SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0);
    int rc = forbid_all(f, childless, N_OF(childless));

    if (rc == 0)
        rc = forbid(f, SCMP_ACT_ERRNO(ENOSYS), "clone3", 0, NULL);
    return rc == 0 ? forbid(f, FORBIDDEN, "clone", 1, &process) : rc;
}

static int
make_filter(scmp_filter_ctx f, unsigned may)
{
    int rc = forbid_all(f, never, N_OF(never));

    if (rc == 0 && !(may & SANDBOX_PROGRAMS))
        rc = forbid_all(f, programs, N_OF(programs));
    if (rc == 0)
        rc = forbid_made_code(f);
    if (rc == 0)
        rc = forbid_families(f, may);
    if (rc == 0 && !(may & SANDBOX_FORK) && !SANITIZED)
        rc = forbid_children(f);
    return rc;
}

int
sandbox_enter(unsigned may, char *error, size_t error_n)
{
    scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
    int rc = f ? make_filter(f, may) : -ENOMEM;

    if (rc == 0)
        rc = seccomp_load(f);
    if (f)
        seccomp_release(f);
    if (rc == 0)
        return 0;
    snprintf(error, error_n, "%s", strerror(-rc));
    return rc == -EINVAL || rc == -ENOSYS ? 1 : -1;
}
