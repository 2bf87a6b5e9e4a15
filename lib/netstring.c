/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netstring: framing of socketmap requests and replies.
 *
 * Promises: looks at no byte past n, refuses an over-long length as soon as its
 * digits show it, and accepts one spelling of each length only (no leading
 * zeros), so that what was parsed can be written back byte for byte. Must not
 * read, log, allocate or keep state between calls: a caller that got 0 comes
 * again with more bytes.
 */
#include "netstring.h"

long
netstring_parse(const char *buf, size_t n, size_t max, struct span *payload)
{
    size_t i = 0, len = 0;

    for (; i < n; i++) {
        unsigned digit = (unsigned char)buf[i] - (unsigned)'0';

        if (digit > 9)
            break;
        if (i > 0 && len == 0)
            return -1;
        if (digit > max || len > (max - digit) / 10)
            return -1;
        len = len * 10 + digit;
    }
    if (i == n)
        return 0;
    if (i == 0 || buf[i] != ':')
        return -1;
    i++;
    if (n - i <= len)
        return 0;
    if (buf[i + len] != ',')
        return -1;
    payload->p = buf + i;
    payload->n = len;
    return (long)(i + len + 1);
}

size_t
netstring_head(size_t len, char *out)
{
    char digits[NETSTRING_HEAD_MAX];
    size_t n = 0, i = 0;

    do {
        if (n == NETSTRING_HEAD_MAX - 1)
            return 0;
        digits[n++] = (char)('0' + len % 10);
        len /= 10;
    } while (len > 0);
    while (n > 0)
        out[i++] = digits[--n];
    out[i++] = ':';
    return i;
}
