/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sandbox: what a process that reads strangers' bytes may still ask of the kernel, by a seccomp
 * filter (seccomp(2), libseccomp). What is withheld fails with EPERM; nothing is killed by it, so
 * that a library that tries something new on the next release costs a log line, not mail.
 *
 * Withheld from everybody who enters: running programs, other processes' memory, mounts and
 * namespaces, new listening sockets, other users' identities, kernel modules, keys, tracing,
 * clocks, memory that is both written and run. The rest is by purpose.
 */
#ifndef POSTROAD_SANDBOX_H
#define POSTROAD_SANDBOX_H

#include <stddef.h>

enum sandbox_may {
    SANDBOX_CONNECT = 1, /* sockets of the Internet families; without: only Unix ones */
    SANDBOX_FORK = 2,    /* child processes, and signals to them; threads are always allowed */
    SANDBOX_PROGRAMS =
        4 /* running programs, and becoming another user as far as capabilities allow */
};

/*
 * Enter, for good, and for threads and children made from now on; no_new_privs must be set. may: an
 * OR of the above. 0; 1 this kernel has no seccomp filters, and nothing has changed; -1 it failed.
 * Unless 0, error says why.
 */
int sandbox_enter(unsigned may, char *error, size_t error_n);

#endif
