/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * look: looks for addresses at the providers themselves before they count as nobody's.
 *
 * The threads that ask providers take questions and hand in what they found; the
 * thread that writes the mirror compares that with it, answers, and raises an alarm
 * where the two differ for good: contextCSN is equal, but the content is not.
 */
#ifndef POSTROAD_LOOK_H
#define POSTROAD_LOOK_H

#include "board.h"
#include "conf.h"
#include "mirror.h"
#include "proof.h"
#include "search.h"
#include "vitals.h"

struct look;

/* NULL: no memory. board: of sync; borrowed, as conf. */
struct look *look_new(const struct conf *conf, struct board *board, unsigned providers);
void look_free(struct look **l);

/* Any thread: what is to be looked for at this provider, at now_ms; NULL: nothing. */
struct search *look_take(struct look *l, unsigned provider, int64_t now_ms);
/* What of it is asked now. */
void look_begun(struct look *l, const struct search *s);
/* It was answered; or it was not, and is to be done again. Takes s. */
void look_done(struct look *l, struct search **s);
void look_failed(struct look *l, struct search **s);

/*
 * The main thread: compare what was found with the mirror as readers see it, and answer. m: NULL while
 * it does not follow the directory. covered_ms: for each provider, the moment for which the mirror
 * holds all that it knew.
 */
void look_settle(struct look *l, struct mirror *m, const int64_t *covered_ms, struct moment now);

#endif
