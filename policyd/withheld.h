/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * withheld: which functions (postroadDeny) are withheld from an account: by itself, by an entry
 * above it, or by what is above the domain of its primary address. The one place
 * where that is found out for the maps, the sign-in and explain.
 */
#ifndef POSTROAD_WITHHELD_H
#define POSTROAD_WITHHELD_H

#include "mirror.h"

/* The bit of a function: bit i is word i of attrs_deny_words. 0 for words that are none. */
unsigned withheld_bit(struct span function);
/* The next of blank-separated words, taken from rest; 0 at the end. */
int withheld_next_word(struct span *rest, struct span *word);

/* All that are withheld from the account of this record. 0, or -1: can't be read, bits_r is what is known. */
int withheld_functions(struct mirror *m, const struct record *r, unsigned *bits_r);
/* Which entry withholds the function: 1 and by_r, the account or the nearest above; 0 none does; -1. */
int withheld_by(struct mirror *m, const unsigned char uuid[UUID_LEN], const char *function,
                unsigned char by_r[UUID_LEN]);

#endif
