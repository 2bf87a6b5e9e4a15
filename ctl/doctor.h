/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doctor: the checks of `postroad doctor`, each in a file by what it looks at, and
 * what they have found, in order. A check says something about each thing it has
 * looked at, also that it is well.
 */
#ifndef POSTROAD_DOCTOR_H
#define POSTROAD_DOCTOR_H

#include "ctl.h"

/* Worse ones are larger. SKIPPED: it could not be looked at, and why. */
enum doctor_mark { DOCTOR_OK, DOCTOR_SKIPPED, DOCTOR_WARNING, DOCTOR_TROUBLE };

struct doctor {
    struct ctl *ctl;
    json_t *findings;
    json_t *status; /* what the daemon says; NULL: it does not answer */
    int count[DOCTOR_TROUBLE + 1];
};

/* id: one word, the same in every version; todo: what mends it, or NULL. */
void doctor_say(struct doctor *d, enum doctor_mark mark, const char *id, const char *todo,
                const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/*
 * What a program prints, at most cap - 1 bytes, without the last newline. Its exit code, or -1: it
 * could not be run. What it says on stderr is lost.
 */
int doctor_run(char *const argv[], char *out, size_t cap);

/* doctor_files.c: the configuration's and the secrets' permissions; room on disk. */
void doctor_files(struct doctor *d);
/* doctor_read.c: why the daemon's user can't read it: 0 he can, or an errno; -1: that can't be told from here. */
int doctor_reads(const struct conf *conf, const char *path);
/* Whether the daemon was started as root, as it runs: 1, 0; -1 it does not answer. */
int doctor_runs_as_root(struct doctor *d);
/* doctor_sockets.c: each socket is there, the right people may use it, and it answers. */
void doctor_sockets(struct doctor *d);
/* doctor_daemon.c: what the daemon says of itself, of its providers and of what it read there. */
void doctor_daemon(struct doctor *d);
/* doctor_mail.c: held mail can be released, the milter lives. After doctor_daemon. */
void doctor_mail(struct doctor *d);
/* doctor_postfix.c: main.cf asks our maps. */
void doctor_postfix(struct doctor *d);
/* What main.cf says, defaults included, with its macros replaced. 0, or -1: it can't be told. */
int doctor_parameter(const char *name, char *out, size_t cap);
/* doctor_milter.c: what is beside postroad-milter. */
void doctor_milter(struct doctor *d);
/* doctor_apart.c: its user, who may nothing of the daemon's. */
void doctor_apart(struct doctor *d);
/* doctor_cert.c: certificates, ours and Postfix's. */
void doctor_certificates(struct doctor *d);
/* doctor_held.c: held mail: it can be released, and moderators see it; there is a place for it at one server. */
void doctor_held(struct doctor *d);
struct dir;
void doctor_held_server(struct doctor *d, struct dir *dir);
/* doctor_clock.c: one server's clock, or why it can't be seen. */
#define DOCTOR_SYNC "1.3.6.1.4.1.4203.1.9.1.1" /* the control changes are followed by */
void doctor_clock(struct doctor *d, struct dir *dir);
/* doctor_effect.c: what one server does, seen without its configuration. */
void doctor_effect(struct doctor *d, struct dir *dir);
/* doctor_directory.c: the directory servers: indices and limits, and the checks above of each. */
void doctor_directory(struct doctor *d);

int verb_doctor(struct ctl *ctl);

#endif
