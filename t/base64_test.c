/* SPDX-License-Identifier: BSD-2-Clause */
/* base64: the examples of RFC 4648, all digits, and a text in parts. */
#include "lib/base64.h"
#include "t/tap.h"

static void
try_examples(void)
{
    static const char *const rows[][2] = {{"", ""},
                                          {"f", "Zg=="},
                                          {"fo", "Zm8="},
                                          {"foo", "Zm9v"},
                                          {"foob", "Zm9vYg=="},
                                          {"fooba", "Zm9vYmE="},
                                          {"foobar", "Zm9vYmFy"}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char out[BASE64_SIZE(6)];
        size_t n = strlen(rows[i][0]);

        ok(base64_write(out, 6, rows[i][0], n) == n && BASE64_SIZE(n) == strlen(rows[i][1]) + 1,
           "\"%s\" whole", rows[i][0]);
        is_str(out, rows[i][1], "its digits");
    }
}

static void
try_digits(void)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned char bytes[48];
    char out[BASE64_SIZE(48)];

    for (unsigned i = 0; i < 16; i++) {
        unsigned v = 4 * i << 18 | (4 * i + 1) << 12 | (4 * i + 2) << 6 | (4 * i + 3);

        bytes[3 * i] = (unsigned char)(v >> 16);
        bytes[3 * i + 1] = (unsigned char)(v >> 8);
        bytes[3 * i + 2] = (unsigned char)v;
    }
    base64_write(out, sizeof bytes, bytes, sizeof bytes);
    is_str(out, digits, "all digits in their order");
}

static void
try_parts(void)
{
    static const char text[] = "The quick brown fox";
    char whole[BASE64_SIZE(sizeof text)], part[BASE64_SIZE(6) + 1], parts[64] = "";
    size_t n = strlen(text), at = 0, took;

    base64_write(whole, 21, text, n);
    part[BASE64_SIZE(6)] = '#';
    while ((took = base64_write(part, 6, text + at, n - at))) {
        strcat(parts, part);
        at += took;
    }
    ok(at == n && strcmp(parts, whole) == 0, "in parts as whole");
    is_int(part[BASE64_SIZE(6)], '#', "and no further than said");
}

int
main(void)
{
    try_examples();
    try_digits();
    try_parts();
    return tap_done();
}
