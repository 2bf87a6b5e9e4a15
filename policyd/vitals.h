/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vitals: what the board says about the life of policyd's roles, for status,
 * /metrics, /healthz and /readyz, so that all four say the same. Time is an argument.
 */
#ifndef POSTROAD_VITALS_H
#define POSTROAD_VITALS_H

#include <stddef.h>
#include <stdint.h>

#include "board.h"

#define VITALS_SILENCE_MS 5000 /* a role that did not beat for so long counts as dead */

struct moment {
    int64_t mono_ms; /* CLOCK_MONOTONIC, the clock of the beats */
    int64_t wall_ms; /* since 1970 */
};

/* "parent", "sync", "answer"…: one of a fixed set, fit for a label. */
const char *vitals_role(int number);
/* Whether a process holds this page. */
int vitals_present(const struct board *b, int number);
/* Milliseconds since its last beat; -1 when it never beat. */
int64_t vitals_beat_age(const struct board *b, int number, const struct moment *now);
/* How many answer workers beat. */
int vitals_answering(const struct board *b, const struct moment *now);

/*
 * 1 when parent, sync, control, policy and access (where there are) and workers answer workers beat; else 0
 * and a line in why.
 */
int vitals_alive(const struct board *b, int workers, int policy, int access,
                 const struct moment *now, char *why, size_t why_n);
/* 1 when lookups get real answers: the mirror was filled once and somebody answers. */
int vitals_ready(const struct board *b, int mirror_complete, const struct moment *now, char *why,
                 size_t why_n);

/*
 * Wall clock at which the directory last confirmed what the mirror holds, as far as sync shows it
 * now; 0: it does not confirm anything at the moment.
 */
int64_t vitals_confirmed_ms(const struct board *b, const struct moment *now);

/*
 * Milliseconds since the directory last confirmed the mirror; -1: it was never filled, or can't be read. In
 * *confirmed_ms, 0 at first, the caller keeps when that was seen last, for when it is no longer confirmed.
 */
struct mirror;
int64_t vitals_mirror_age(const struct board *b, struct mirror *m, const struct moment *now,
                          int64_t *confirmed_ms);

/* Sum of one counter over all answer workers. */
uint64_t vitals_sum(const struct board *b, int word);

#endif
