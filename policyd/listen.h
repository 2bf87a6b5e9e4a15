/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * listen: the sockets policyd answers on, opened by the parent or inherited from
 * systemd, and kept by it however often the roles are replaced.
 */
#ifndef POSTROAD_LISTEN_H
#define POSTROAD_LISTEN_H

#include <stddef.h>
#include <sys/types.h>

#define LISTEN_MAX 16 /* addresses at a time, old and new ones of a reload together */

struct listener {
    char address[140]; /* as configured: "unix:/path", "inet:127.0.0.1:2525", "127.0.0.1:8527" */
    int fd;
    int inherited;
    int keep;  /* mark of listen_sweep */
    dev_t dev; /* of the path we made, so that we only remove that */
    ino_t ino;
};

struct listen_set {
    struct listener at[LISTEN_MAX];
    int n;
    int inherited[LISTEN_MAX], ninherited; /* from systemd, not taken yet */
};

/* Take what systemd passed (LISTEN_FDS). Returns how many sockets, or -1 (errno). */
int listen_inherit(struct listen_set *s);

/*
 * A listening socket at address: the one that is open already, an inherited one, or a new one.
 * group: who may connect to a UNIX socket beside its owner; (gid_t)-1 to leave that alone.
 * A path where nobody answers is replaced, one where somebody does is an error. Returns the index
 * in s->at, or -1 and error.
 */
int listen_at(struct listen_set *s, const char *address, gid_t group, char *error, size_t error_n);

/* Close, and remove from the file system, all that are not marked keep; then clear the marks. */
void listen_sweep(struct listen_set *s);

/* Warn-worthy inherited sockets that no address asked for: close them, return how many. */
int listen_drop_inherited(struct listen_set *s);

#endif
