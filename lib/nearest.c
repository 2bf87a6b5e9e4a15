/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nearest: see nearest.h. By Levenshtein's distance: two mistakes in a short word, and in a long one
 * a third of it.
 */
#include "nearest.h"

#include <string.h>

static size_t
least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Row by row. */
size_t
nearest_distance(const char *a, const char *b)
{
    size_t row[NEAREST_MAX + 1], n = strlen(b);

    if (n > NEAREST_MAX)
        return NEAREST_MAX;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t change = diagonal + (a[i - 1] != b[j - 1]);

            diagonal = row[j];
            row[j] = least(change, least(row[j], row[j - 1]) + 1);
        }
    }
    return row[n];
}

const char *
nearest_word(const char *word, const char *const *words)
{
    size_t best = strlen(word) / 3 > 2 ? strlen(word) / 3 : 2;
    const char *found = NULL;

    for (; *words; words++) {
        size_t d = nearest_distance(word, *words);

        if (d <= best && d < strlen(*words) && (!found || d < best)) {
            best = d;
            found = *words;
        }
    }
    return found;
}
