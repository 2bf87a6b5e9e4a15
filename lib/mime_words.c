/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mime_words: see mime_words.h.
 *
 * Promises: writes no more than it reads. A word that has no end is looked for up to the
 * end of the text: callers bound that. Must not refuse what a mail program would show.
 */
#include "mime_words.h"

#include <string.h>

#define CHARSET_MAX 64

static int
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* A character of a charset's name: a token of RFC 2047 2. */
static int
is_token(char c)
{
    return (unsigned char)c > 0x20 && (unsigned char)c < 0x7f && !strchr("()<>@,;:\"/[]?.=", c);
}

/* The charset's name and its '?'; the length of both, or 0. */
static size_t
take_charset(const char *s, size_t n, struct mime_word *w)
{
    const char *star;
    size_t len = 0;

    while (len < n && len <= CHARSET_MAX && is_token(s[len]))
        len++;
    if (len == 0 || len >= n || s[len] != '?')
        return 0;
    star = memchr(s, '*', len);
    w->charset = (struct span){s, star ? (size_t)(star - s) : len};
    return len + 1;
}

size_t
mime_word_at(const char *s, size_t n, struct mime_word *w)
{
    const char *end;
    size_t at = 2, len;

    if (n < 8 || s[0] != '=' || s[1] != '?')
        return 0;
    len = take_charset(s + at, n - at, w);
    at += len;
    if (len == 0 || n - at < 2 || s[at + 1] != '?')
        return 0;
    w->encoding = (char)(s[at] | 0x20);
    if (w->encoding != 'q' && w->encoding != 'b')
        return 0;
    at += 2;
    end = memmem(s + at, n - at, "?=", 2);
    if (!end)
        return 0;
    w->text = (struct span){s + at, (size_t)(end - s) - at};
    return (size_t)(end - s) + 2;
}

size_t
mime_word_gap(const char *s, size_t n)
{
    struct mime_word w;
    size_t at = 0;

    while (at < n && is_blank(s[at]))
        at++;
    return at > 0 && mime_word_at(s + at, n - at, &w) > 0 ? at : 0;
}

static int
hex(char c)
{
    const char *digits = "0123456789abcdef", *p = memchr(digits, c | 0x20, 16);

    return c >= '0' && p ? (int)(p - digits) : -1;
}

static size_t
decode_q(struct span text, char *out)
{
    size_t n = 0;

    for (size_t i = 0; i < text.n; i++) {
        int high = i + 2 < text.n && text.p[i] == '=' ? hex(text.p[i + 1]) : -1;
        int low = high >= 0 ? hex(text.p[i + 2]) : -1;

        if (low >= 0)
            i += 2;
        out[n++] = low >= 0 ? (char)(high << 4 | low) : text.p[i] == '_' ? ' ' : text.p[i];
    }
    return n;
}

static int
base64(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* What is no digit is left out; '=' ends a group, and another may begin. */
static size_t
decode_b(struct span text, char *out)
{
    unsigned bits = 0;
    int have = 0;
    size_t n = 0;

    for (size_t i = 0; i < text.n; i++) {
        int digit = base64(text.p[i]);

        if (text.p[i] == '=')
            have = 0;
        if (digit < 0)
            continue;
        bits = (bits << 6 | (unsigned)digit) & 0xffff;
        have += 6;
        if (have < 8)
            continue;
        have -= 8;
        out[n++] = (char)(bits >> have & 0xff);
    }
    return n;
}

size_t
mime_word_bytes(const struct mime_word *w, char *out)
{
    return w->encoding == 'q' ? decode_q(w->text, out) : decode_b(w->text, out);
}
