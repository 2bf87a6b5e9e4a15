/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * attrs_text: UTF-8, generalized time and RDNs, as they stand in directory values.
 *
 * Promises: any bytes are taken, none is read beyond the span. Must not: use the
 * host's locale or time zone.
 */
#include "attrs_text.h"

size_t
text_utf8(struct span s)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char c = s.n > 0 ? (unsigned char)s.p[0] : 0xff;
    size_t n = c < 0x80 ? 1 : c >> 5 == 6 ? 2 : c >> 4 == 14 ? 3 : c >> 3 == 30 ? 4 : 0;
    uint32_t v = n > 1 ? c & (0xffu >> (n + 1)) : c;

    if (n == 0 || n > s.n)
        return 0;
    for (size_t i = 1; i < n; i++) {
        c = (unsigned char)s.p[i];
        if (c >> 6 != 2)
            return 0;
        v = v << 6 | (c & 0x3f);
    }
    return v < least[n] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff) ? 0 : n;
}

/* Like text_utf8, and 0 for control characters (C0, DEL, C1). */
static size_t
clean_bytes(struct span s)
{
    size_t n = text_utf8(s);
    unsigned char c = n > 0 ? (unsigned char)s.p[0] : 0;

    if (c < ' ' || c == 0x7f || (c == 0xc2 && (unsigned char)s.p[1] < 0xa0))
        return 0;
    return n;
}

int
text_clean(struct span s)
{
    for (size_t n; s.n > 0; s.p += n, s.n -= n) {
        n = s.p[0] >= ' ' && s.p[0] < 0x7f ? 1 : clean_bytes(s);
        if (n == 0)
            return 0;
    }
    return 1;
}

size_t
text_show(struct span s, char *out, size_t cap)
{
    size_t len = 0;

    while (s.n > 0) {
        size_t n = clean_bytes(s), take = n > 0 ? n : 1;

        if (len + take >= cap)
            break;
        memcpy(out + len, n > 0 ? s.p : "?", take);
        len += take;
        s.p += take;
        s.n -= take;
    }
    out[len] = '\0';
    return len;
}

static unsigned char
lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

struct span
text_lower(struct span s, char *out)
{
    for (size_t i = 0; i < s.n; i++)
        out[i] = (char)lower(s.p[i]);
    return (struct span){out, s.n};
}

int
text_same(struct span a, struct span b)
{
    if (a.n != b.n)
        return 0;
    for (size_t i = 0; i < a.n; i++)
        if (lower(a.p[i]) != lower(b.p[i]))
            return 0;
    return 1;
}

/* Take exactly digits decimal digits off the front of s; -1 when they are not there. */
static int
take_number(struct span *s, unsigned digits)
{
    int v = 0;

    if (s->n < digits)
        return -1;
    for (unsigned i = 0; i < digits; i++) {
        if (s->p[i] < '0' || s->p[i] > '9')
            return -1;
        v = v * 10 + (s->p[i] - '0');
    }
    s->p += digits;
    s->n -= digits;
    return v;
}

static int
is_digit_next(const struct span *s)
{
    return s->n > 0 && s->p[0] >= '0' && s->p[0] <= '9';
}

/* Days from 1970-01-01 to a date of the Gregorian calendar; a year is counted from March. */
static int64_t
days_of(int year, int month, int day)
{
    int64_t y = month > 2 ? year : year - 1;
    int64_t m = month > 2 ? month - 3 : month + 9;

    return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

static int
days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
        return 29;
    return days[month - 1];
}

/* ".5" or ",5": stepped over. 0, or -1 when there is no digit after the point. */
static int
skip_fraction(struct span *s)
{
    if (s->n == 0 || (s->p[0] != '.' && s->p[0] != ','))
        return 0;
    s->p++, s->n--;
    if (!is_digit_next(s))
        return -1;
    while (is_digit_next(s))
        s->p++, s->n--;
    return 0;
}

/* "Z", "+08" or "-0330" in seconds, and nothing after it. 0, or -1. */
static int
take_zone(struct span s, int64_t *seconds)
{
    int sign, hours, minutes = 0;

    if (s.n == 1 && s.p[0] == 'Z') {
        *seconds = 0;
        return 0;
    }
    if (s.n == 0 || (s.p[0] != '+' && s.p[0] != '-'))
        return -1;
    sign = s.p[0] == '-' ? -1 : 1;
    s.p++, s.n--;
    if ((hours = take_number(&s, 2)) < 0 || hours > 23)
        return -1;
    if (s.n > 0 && ((minutes = take_number(&s, 2)) < 0 || minutes > 59 || s.n > 0))
        return -1;
    *seconds = sign * (hours * 3600 + minutes * 60);
    return 0;
}

int64_t
text_time(struct span s)
{
    int year = take_number(&s, 4), month = take_number(&s, 2), day = take_number(&s, 2);
    int hour = take_number(&s, 2), minute = 0, second = 0;
    int64_t zone, t;

    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > days_in(year, month) ||
        hour < 0 || hour > 23)
        return -1;
    if (is_digit_next(&s) && ((minute = take_number(&s, 2)) < 0 || minute > 59))
        return -1;
    if (is_digit_next(&s) && ((second = take_number(&s, 2)) < 0 || second > 60))
        return -1;
    if (skip_fraction(&s) < 0 || take_zone(s, &zone) < 0)
        return -1;
    t = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - zone;
    return t < 0 ? -1 : t;
}

static int
hex_value(char c)
{
    unsigned char l = lower(c);

    if (l >= '0' && l <= '9')
        return l - '0';
    return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

/* The byte after the backslash at s.p[at]: "\2C" or "\,"; *at moves to its last one. -1: none. */
static int
unescape(struct span s, size_t *at)
{
    int high = *at + 1 < s.n ? hex_value(s.p[*at + 1]) : -1;
    int low = *at + 2 < s.n ? hex_value(s.p[*at + 2]) : -1;

    if (high >= 0 && low >= 0) {
        *at += 2;
        return high << 4 | low;
    }
    if (*at + 1 >= s.n)
        return -1;
    *at += 1;
    return (unsigned char)s.p[*at];
}

long
text_rdn(struct span rdn, struct span *type, char *out, size_t cap)
{
    const char *eq = rdn.n > 0 ? memchr(rdn.p, '=', rdn.n) : NULL;
    size_t at = eq != NULL ? (size_t)(eq - rdn.p) + 1 : 0, n = 0;

    if (at < 2 || at == rdn.n || rdn.p[at] == '#')
        return -1;
    *type = (struct span){rdn.p, at - 1};
    for (; at < rdn.n && rdn.p[at] != '+' && rdn.p[at] != ','; at++) {
        int c = rdn.p[at] == '\\' ? unescape(rdn, &at) : (unsigned char)rdn.p[at];

        if (c < 0 || n == cap)
            return -1;
        out[n++] = (char)c;
    }
    return n > 0 ? (long)n : -1;
}
