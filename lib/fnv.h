/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fnv: FNV-1a, for tables and against torn writes. Must not be used against people: whoever knows what is
 * hashed can make two of the same sum.
 */
#ifndef POSTROAD_FNV_H
#define POSTROAD_FNV_H

#include <stddef.h>
#include <stdint.h>

/* What a sum begins with. */
#define FNV32 UINT32_C(0x811c9dc5)
#define FNV64 UINT64_C(0xcbf29ce484222325)

static inline uint32_t
fnv32_byte(uint32_t sum, unsigned char byte)
{
    return (sum ^ byte) * UINT32_C(0x01000193);
}

/* The sum of what there was before, and of n bytes more. */
static inline uint32_t
fnv32(uint32_t sum, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;

    for (size_t i = 0; i < n; i++)
        sum = fnv32_byte(sum, p[i]);
    return sum;
}

static inline uint64_t
fnv64(uint64_t sum, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;

    for (size_t i = 0; i < n; i++)
        sum = (sum ^ p[i]) * UINT64_C(0x100000001b3);
    return sum;
}

#endif
