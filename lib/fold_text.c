/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fold_text: see fold_text.h. Character by character: NFKD with full case folding (Unicode D146 without its
 * last step, which puts accents in order).
 *
 * Promises: text that differs only in how it is written folds to the same. Must not allocate: one
 * character's folding always fits into what it is given.
 */
#include "fold_text.h"

#include <stdint.h>

#include <unicase.h>
#include <uninorm.h>

#include "attrs_text.h"

#define ONE_MAX 128 /* bytes one character folds to; the longest is 33 */

/* Soft hyphen, joiners, marks and overrides of direction, variation selectors, byte order mark. */
static int
is_invisible(struct span c)
{
    static const char *const all[] = {"\xC2\xAD",     "\xCD\x8F",     "\xD8\x9C",    "\xE1\xA0\x8E",
                                      "\xEF\xBB\xBF", "\xE2\x81\xA0", "\xE2\x80\xAE"};
    const unsigned char *p = (const unsigned char *)c.p;

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (span_same(c, span_of(all[i])))
            return 1;
    if (c.n != 3)
        return 0;
    return (p[0] == 0xE2 && p[1] == 0x80 &&
            ((p[2] >= 0x8B && p[2] <= 0x8F) || (p[2] >= 0xAA && p[2] <= 0xAE))) ||
           (p[0] == 0xE2 && p[1] == 0x81 && p[2] >= 0xA1 && p[2] <= 0xAF) ||
           (p[0] == 0xEF && p[1] == 0xB8 && p[2] <= 0x8F);
}

static int
is_blank(struct span c)
{
    unsigned char first = (unsigned char)*c.p;

    return (c.n == 1 && (first <= 0x20 || first == 0x7F)) ||
           (c.n == 2 && first == 0xC2 && (unsigned char)c.p[1] <= 0xA0) ||
           (c.n == 3 &&
            (memcmp(c.p, "\xE2\x80\xA8", 3) == 0 || memcmp(c.p, "\xE2\x80\xA9", 3) == 0));
}

/* One character folded, into one; its length. */
static size_t
fold_one(char one[ONE_MAX], struct span c)
{
    size_t n = ONE_MAX;

    if (c.n == 1) {
        one[0] = *c.p >= 'A' && *c.p <= 'Z' ? (char)(*c.p | 0x20) : *c.p;
        return 1;
    }
    if (u8_casefold((const uint8_t *)c.p, c.n, NULL, UNINORM_NFKD, (uint8_t *)one, &n) !=
        (uint8_t *)one)
        return 0;
    return n;
}

long
fold_text(char *out, size_t cap, struct span in)
{
    char one[ONE_MAX];
    size_t n = 0;

    for (size_t at = 0, len; at < in.n; at += len) {
        struct span c = {in.p + at, text_utf8((struct span){in.p + at, in.n - at})};
        size_t more;

        c.n = len = c.n ? c.n : 1;
        if (is_invisible(c))
            continue;
        more = is_blank(c) ? 1 : fold_one(one, c);
        if (is_blank(c) || (more == 1 && *one == ' '))
            *one = ' ', more = n > 0 && out[n - 1] != ' ';
        if (n + more >= cap)
            return -1;
        memcpy(out + n, one, more);
        n += more;
    }
    if (cap > 0)
        out[n] = '\0';
    return (long)n;
}
