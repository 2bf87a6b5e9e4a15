/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_words: see held_words.h. The words are in records on disk and in the directory: they stay.
 */
#include "held_words.h"

#include <stddef.h>
#include <string.h>

static const char *const states[] = {
    [HELD_HELD] = "held",       [HELD_APPROVED] = "approved", [HELD_REJECTED] = "rejected",
    [HELD_EXPIRED] = "expired", [HELD_GONE] = "gone",         [HELD_FAILED] = "failed"};
static const char *const on_expire[] = {[HELD_EXPIRE_REJECT] = "reject",
                                        [HELD_EXPIRE_APPROVE] = "approve",
                                        [HELD_EXPIRE_KEEP] = "keep"};

#define N_OF(a) (sizeof(a) / sizeof *(a))

static int
find_word(const char *const *words, size_t n, const char *word)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(words[i], word) == 0)
            return (int)i;
    return -1;
}

const char *
held_state_word(enum held_state s)
{
    return states[(unsigned)s < N_OF(states) ? s : HELD_FAILED];
}

int
held_state_find(const char *word)
{
    return find_word(states, N_OF(states), word);
}

const char *
held_on_expire_word(enum held_on_expire e)
{
    return on_expire[(unsigned)e < N_OF(on_expire) ? e : HELD_EXPIRE_KEEP];
}

int
held_on_expire_find(const char *word)
{
    return find_word(on_expire, N_OF(on_expire), word);
}
