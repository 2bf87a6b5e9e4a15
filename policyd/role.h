/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * role: what every child process of policyd is given, and the two functions
 * each role consists of.
 *
 * A role is started by re-exec (-x NAME). prepare runs with the privileges the
 * daemon was started with and does only what needs them; then role_drop; then the
 * sandbox (lib/sandbox.h); then run, which never returns while all is well. A role never reloads: on SIGHUP the parent
 * starts a new one with the new configuration and ends the old one (SIGTERM).
 */
#ifndef POSTROAD_ROLE_H
#define POSTROAD_ROLE_H

#include "board.h"
#include "conf.h"

#define ROLE_LISTEN_MAX 8

struct role_env {
    const struct conf *conf;
    const char *conf_path;
    struct board board;
    int number;    /* of the board page */
    int parent_fd; /* SOCK_SEQPACKET to the parent; EOF: the parent died, so end */
    int listen_fd
        [ROLE_LISTEN_MAX]; /* answer: [0] map; policy: [0] policy; access: [0] access; control: [0] control, then HTTP, then held if there is one; -1: none */
    int nlisten;
    /*
     * Set by the role: a thread of its own may still be at work within a library when run returns. The process
     * then ends at once, and nothing that thread uses is taken down before.
     */
    int lingers;
};

struct role {
    const char *name;                     /* "answer" */
    int (*prepare)(struct role_env *env); /* 0, or -1 after logging why */
    int (*run)(struct role_env *env);     /* the exit code */
    unsigned may; /* enum sandbox_may: what it needs beyond files and its sockets */
};

extern const struct role role_answer, role_policy, role_sync, role_control, role_cold, role_homes,
    role_hook, role_access, role_edit, role_queue, role_held;

/* Set user and groups as configured, no_new_privs, no core; log and exit when it can't. */
void role_drop(const struct role_env *env);
/* How many clients, up to most, the limit of open files leaves room for. */
unsigned role_room_for_clients(int most);

/*
 * One message each way on parent_fd, a word: control sends "sweep-accept" when an
 * administrator confirms a refused sweep; the parent hands it to sync.
 */
#define ROLE_MESSAGE_MAX 64

#endif
