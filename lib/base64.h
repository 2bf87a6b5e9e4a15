/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base64: bytes as RFC 4648 writes them. Where lines are broken is the caller's.
 */
#ifndef POSTROAD_BASE64_H
#define POSTROAD_BASE64_H

#include <stddef.h>

/* What n bytes take, with the NUL. */
#define BASE64_SIZE(n) (((n) + 2) / 3 * 4 + 1)

/*
 * Write no more than max of the n bytes that are left, and a NUL: how many were written, 0: none are left.
 * max is a multiple of three where more may follow; out has room for BASE64_SIZE(max).
 */
size_t base64_write(char *out, size_t max, const void *bytes, size_t n);

#endif
