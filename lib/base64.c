/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base64: see base64.h. Pure.
 */
#include "base64.h"

#include <nettle/base64.h>

size_t
base64_write(char *out, size_t max, const void *bytes, size_t n)
{
    if (n > max)
        n = max;
    base64_encode_raw(out, n, bytes);
    out[BASE64_SIZE(n) - 1] = '\0';
    return n;
}
