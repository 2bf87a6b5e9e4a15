/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mime_words: encoded words of header fields, "=?utf-8?q?b=C3=BCro?=" (RFC 2047). The one
 * place that takes them apart.
 *
 * Taken as mail programs take them, not as the RFC wants them written: of any length, in the
 * middle of other text, with blanks in them. Pure; what a charset's bytes mean is the caller's.
 */
#ifndef POSTROAD_MIME_WORDS_H
#define POSTROAD_MIME_WORDS_H

#include <stddef.h>

#include "span.h"

struct mime_word {
    struct span charset; /* without the language of RFC 2231 */
    struct span text;    /* encoded */
    char encoding;       /* 'q' or 'b' */
};

/* Whether an encoded word stands at the beginning of s: its length, or 0. */
size_t mime_word_at(const char *s, size_t n, struct mime_word *w);

/*
 * After an encoded word: the blanks that stand between it and the next one, at the
 * beginning of s, and are not shown; 0 when what follows is something else.
 */
size_t mime_word_gap(const char *s, size_t n);

/* The bytes it stands for into out, which has room for w->text.n; how many. Nonsense stays as it is. */
size_t mime_word_bytes(const struct mime_word *w, char *out);

#endif
