/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * confirm: what looking for an address at every provider has shown so far: when it
 * has to be looked for, and what may be answered. CSNs tell what a provider should
 * have, this tells what it has; equal contextCSN is not equal content.
 *
 * Pure but for its memory; time is an argument, of one monotonic clock, in ms.
 */
#ifndef POSTROAD_CONFIRM_H
#define POSTROAD_CONFIRM_H

#include <stdint.h>

#define CONFIRM_STRIKES 2 /* searches in a row that found a difference, before it is called one */

struct confirm; /* rows of what each provider said of one question */

enum confirm_verdict { CONFIRM_NONE, CONFIRM_SAME, CONFIRM_DIFFERS };

/* NULL: no memory. */
struct confirm *confirm_new(unsigned rows, unsigned providers);
void confirm_free(struct confirm **c);

/*
 * Whether a provider has to be asked for the question of a row: it was not since want_ms, or a
 * difference it showed is to be seen once more. version: another one begins the row anew.
 */
int confirm_due(struct confirm *c, unsigned row, unsigned provider, uint64_t version,
                int64_t want_ms);
/* It is being asked, at that moment. */
void confirm_asked(struct confirm *c, unsigned row, unsigned provider, uint64_t version,
                   int64_t at_ms);
/* That came to nothing: it is due again. */
void confirm_unanswered(struct confirm *c, unsigned row, unsigned provider, uint64_t version);
/*
 * What it has of it was compared. same 0: it has something otherwise than the mirror, which holds all
 * that it knew at that moment. Results for another version are ignored.
 */
void confirm_result(struct confirm *c, unsigned row, unsigned provider, uint64_t version,
                    int64_t at_ms, int same);
/*
 * What can be said of the row, for the moment *at_ms_r. CONFIRM_SAME: of every provider;
 * CONFIRM_DIFFERS: of *provider_r.
 */
enum confirm_verdict confirm_verdict(const struct confirm *c, unsigned row, uint64_t version,
                                     int64_t *at_ms_r, unsigned *provider_r);

#endif
