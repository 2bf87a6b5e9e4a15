/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nearest: what somebody may have meant who mistyped a word. Pure.
 */
#ifndef POSTROAD_NEAREST_H
#define POSTROAD_NEAREST_H

#include <stddef.h>

#define NEAREST_MAX 96 /* bytes; longer words are far from all */

/* How many characters are to be put in, left out or changed. */
size_t nearest_distance(const char *a, const char *b);
/* The one of words (the last is NULL) that is so near that it may be meant; NULL: none is. */
const char *nearest_word(const char *word, const char *const *words);

#endif
