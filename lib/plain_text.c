/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plain_text: see plain_text.h.
 *
 * Promises: what comes out is well-formed UTF-8 (RFC 3629), fits, and moves no cursor. Must not
 * allocate, whatever comes in.
 */
#include "plain_text.h"

#include <stdint.h>

#include "attrs_text.h"

static uint32_t
code_point(const char *s, size_t n)
{
    static const unsigned char first[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    uint32_t c = (unsigned char)s[0] & first[n];

    for (size_t i = 1; i < n; i++)
        c = c << 6 | ((unsigned char)s[i] & 0x3F);
    return c;
}

/* Controls, separators, marks and overrides of direction, the byte order mark. */
static int
is_blank(uint32_t c)
{
    return c <= 0x20 || (c >= 0x7F && c <= 0xA0) || c == 0x061C || (c >= 0x200E && c <= 0x200F) ||
           (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0xFEFF;
}

size_t
plain_text(char *out, size_t cap, struct span in)
{
    size_t n = 0, len;
    int blank = 0;

    for (size_t at = 0; at < in.n; at += len ? len : 1) {
        len = text_utf8((struct span){in.p + at, in.n - at});
        if (len > 0 && is_blank(code_point(in.p + at, len))) {
            blank = n > 0;
            continue;
        }
        if (n + (size_t)blank + (len ? len : 1) >= cap)
            break;
        if (blank)
            out[n++] = ' ';
        blank = 0;
        memcpy(out + n, len ? in.p + at : "?", len ? len : 1);
        n += len ? len : 1;
    }
    if (cap > 0)
        out[n] = '\0';
    return n;
}
