/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uuid: names for entries, see uuid.h. SHA-1 is used because RFC 4122 version 5
 * says so; nothing here relies on its strength. Uses nettle for nothing else.
 * Works on the caller's buffers, never allocates.
 */
#include "uuid.h"

#include <nettle/sha1.h>

const unsigned char uuid_x500[UUID_LEN] = {0x6b, 0xa7, 0xb8, 0x14, 0x9d, 0xad, 0x11, 0xd1,
                                           0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8};

void
uuid_v5(const unsigned char ns[UUID_LEN], struct span name, unsigned char out[UUID_LEN])
{
    struct sha1_ctx sha;

    sha1_init(&sha);
    sha1_update(&sha, UUID_LEN, ns);
    sha1_update(&sha, name.n, (const unsigned char *)name.p);
    sha1_digest(&sha, UUID_LEN, out);
    out[6] = (out[6] & 0x0f) | 0x50;
    out[8] = (out[8] & 0x3f) | 0x80;
}

static int
hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static int
is_dash_at(size_t i)
{
    return i == 8 || i == 13 || i == 18 || i == 23;
}

int
uuid_parse(struct span text, unsigned char out[UUID_LEN])
{
    size_t i, n = 0;

    if (text.n != UUID_TEXT_LEN)
        return -1;
    for (i = 0; i < UUID_TEXT_LEN; i++) {
        if (is_dash_at(i)) {
            if (text.p[i] != '-')
                return -1;
            continue;
        }
        int high = hex_value(text.p[i]), low = hex_value(text.p[i + 1]);

        if (high < 0 || low < 0)
            return -1;
        out[n++] = (unsigned char)(high << 4 | low);
        i++;
    }
    return 0;
}

void
uuid_text(const unsigned char uuid[UUID_LEN], char out[UUID_TEXT_LEN + 1])
{
    static const char digits[] = "0123456789abcdef";
    size_t i, n = 0;

    for (i = 0; i < UUID_LEN; i++) {
        if (is_dash_at(n))
            out[n++] = '-';
        out[n++] = digits[uuid[i] >> 4];
        out[n++] = digits[uuid[i] & 15];
    }
    out[n] = '\0';
}
