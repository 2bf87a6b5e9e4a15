/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * program: programs of others that a role has run: by a helper, a process beside the role made before it
 * gives up its privileges, which forks a watcher for each.
 */
#ifndef POSTROAD_PROGRAM_H
#define POSTROAD_PROGRAM_H

#include <stdint.h>

struct role_env;

#define PROGRAM_SOCKET 3 /* in the helper, after program_settle: its end of the pair */

/* What the helper tells the role of each. */
struct program_report {
    uint64_t number; /* of the order */
    int status;      /* as of waitpid; -1: its time was up, or it could not be started */
};

/*
 * Make the helper, in which help is called and does not return: the socket to it (SOCK_SEQPACKET), or -1
 * (errno). Its end is the end of the pair.
 */
int program_helper(void (*help)(int fd, const struct role_env *env), const struct role_env *env);
/* In the helper: its name, and no descriptors but 0 to 2 and PROGRAM_SOCKET. */
void program_settle(int fd, const char *name);
/* In the helper: tell the role. */
void program_tell(uint64_t number, int status);
/* In the helper: fork a watcher, which tells the role what run came to, and ends. */
void program_watch(uint64_t number, int (*run)(void *ctx), void *ctx);

struct program {
    const char *const *argv, *const *environment;
    int in, out, err;   /* its first descriptors; -1: /dev/null */
    int (*lower)(void); /* in its process, before it starts: 0 or -1; NULL: nothing to do */
};

/*
 * In the watcher: run it without a shell, in / and in a process group of its own, no longer than that; then
 * end it, and in any case what it has left behind in its group. Takes over its descriptors. Its status as
 * of waitpid, 126 or 127 where it can't be started, or -1: its time was up, or there is no process.
 */
int program_run(const struct program *p, int timeout_s);

#endif
