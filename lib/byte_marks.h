/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * byte_marks: where in a block of bytes a certain one stands, as the bits of one word: a parser of many
 * short words goes from one to the next, where it would call memchr(3) for each.
 *
 * Pure. Reads no byte behind n.
 */
#ifndef POSTROAD_BYTE_MARKS_H
#define POSTROAD_BYTE_MARKS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define BYTE_MARKS 64 /* bytes looked at at once */

/* Bit i is set when byte i of a whole block is c. */
static inline uint64_t
byte_marks_plain(const char block[BYTE_MARKS], char c)
{
    uint64_t marks = 0;

    for (unsigned i = 0; i < BYTE_MARKS; i++)
        marks |= (uint64_t)(block[i] == c) << i;
    return marks;
}

#ifdef __SSE2__
static inline uint64_t
byte_marks_16(const char *p, __m128i same)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);

    return (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, same));
}

static inline uint64_t
byte_marks(const char block[BYTE_MARKS], char c)
{
    const __m128i same = _mm_set1_epi8(c);

    return byte_marks_16(block, same) | byte_marks_16(block + 16, same) << 16 |
           byte_marks_16(block + 32, same) << 32 | byte_marks_16(block + 48, same) << 48;
}
#else
#define byte_marks byte_marks_plain
#endif

#endif
