/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mime_names: see mime_names.h.
 *
 * Programs disagree about values that are not quite right, and some senders know how. So each "name" and
 * "filename" anywhere in the value counts, whatever quotes and comments stand around it, and each way to read
 * what is behind it is told. Promises: what one of them would take for the name is among what is told, or
 * there is a doubt.
 */
#include "mime_names.h"

#include <strings.h>

#define SEGMENTS  64
#define KEYS_MOST 64 /* in one value */

static const char too_long[] = "a name is too long";
static const char unknown[] = "a name is in a charset that is not known, or not of the one it says";

/* One numbered part of name*0=, name*1*=. */
struct segment {
    unsigned number;
    int extended;
    struct span value;
};

struct names {
    const struct mime_sink *sink;
    struct segment segment[SEGMENTS];
    unsigned n;
};

static void
tell(struct names *x, struct span name, int best)
{
    char decoded[MIME_NAME_MAX];
    int doubt = 0;
    long n;

    if (name.n == 0)
        return;
    n = mime_text(decoded, sizeof decoded, name, x->sink->charset, &doubt);
    if (n >= 0)
        x->sink->name(x->sink->ctx, (struct span){decoded, (size_t)n}, best);
    /* Raw bytes hide no type: no charset in use writes other characters with those of ASCII's dot. */
    if (n < 0 || (doubt & MIME_DOUBT_CHARSET))
        x->sink->doubt(x->sink->ctx, n < 0 ? too_long : unknown);
}

static void
tell_in_charset(struct names *x, struct span charset, struct span bytes)
{
    char utf8[MIME_NAME_MAX];
    long n = x->sink->charset(charset, bytes, utf8, sizeof utf8);

    if (n >= 0)
        x->sink->name(x->sink->ctx, (struct span){utf8, (size_t)n}, 1);
    else
        x->sink->doubt(x->sink->ctx, unknown);
    tell(x, bytes, 0);
}

/* charset'language'text, with percent signs; what has not that shape is all text. */
static void
tell_extended(struct names *x, struct span value)
{
    const char *q1 = value.n ? memchr(value.p, '\'', value.n) : NULL;
    const char *q2 = q1 ? memchr(q1 + 1, '\'', value.n - (size_t)(q1 + 1 - value.p)) : NULL;
    struct span charset = {value.p, q2 ? (size_t)(q1 - value.p) : 0};
    struct span text = {q2 ? q2 + 1 : value.p, 0};
    char bytes[MIME_NAME_MAX];

    text.n = value.n - (size_t)(text.p - value.p);
    if (text.n > sizeof bytes) {
        x->sink->doubt(x->sink->ctx, too_long);
        return;
    }
    text.n = mime_percent(bytes, text);
    text.p = bytes;
    if (q2)
        tell_in_charset(x, charset, text);
    else
        tell(x, text, 0);
}

/* --- what is behind "=" --- */

/* A quoted string's inside, escapes resolved, into out; its length. s begins behind the quote. */
static size_t
unquote(char *out, struct span s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n && s.p[i] != '"'; i++) {
        if (s.p[i] == '\\' && i + 1 < s.n)
            i++;
        if (s.p[i] != '\r' && s.p[i] != '\n')
            out[n++] = s.p[i];
    }
    return n;
}

/* With its quotes. */
static size_t
quoted_length(struct span s)
{
    size_t n = 1;

    while (n < s.n && s.p[n] != '"')
        n += s.p[n] == '\\' && n + 1 < s.n ? 2 : 1;
    return n < s.n ? n + 1 : s.n;
}

/* Up to the next semicolon that is in no quotes, without quotes and line ends. */
static size_t
up_to_semicolon(char *out, struct span s)
{
    size_t n = 0;
    int quoted = 0;

    for (size_t i = 0; i < s.n && (quoted || s.p[i] != ';'); i++) {
        if (s.p[i] == '"')
            quoted = !quoted;
        else if (s.p[i] != '\r' && s.p[i] != '\n')
            out[n++] = s.p[i];
    }
    while (n > 0 && (out[n - 1] == ' ' || out[n - 1] == '\t'))
        n--;
    return n;
}

static size_t
token(struct span s)
{
    size_t n = 0;

    while (n < s.n && s.p[n] && !strchr(" \t\r\n;\"(),", s.p[n]))
        n++;
    return n;
}

/* All ways to read a value that is not in parts. */
static void
tell_value(struct names *x, struct span s, int extended)
{
    char text[MIME_NAME_MAX];
    struct span plain = {s.p, token(s)}, one = {text, 0};
    int quoted = s.n > 0 && *s.p == '"';

    if (s.n > sizeof text) {
        /* A long header; its end belongs to something else, or the name is too long. */
        one.n = quoted ? 0 : plain.n;
        s.n = sizeof text;
        if (one.n >= s.n || (quoted && !memchr(s.p + 1, '"', s.n - 1)))
            x->sink->doubt(x->sink->ctx, too_long);
    }
    if (quoted) {
        one.n = unquote(text, (struct span){s.p + 1, s.n - 1});
        extended ? tell_extended(x, one) : tell(x, one, 1);
    }
    one.n = up_to_semicolon(text, s);
    extended ? tell_extended(x, one) : tell(x, one, !quoted);
    if (!quoted && plain.n < s.n)
        extended ? tell_extended(x, plain) : tell(x, plain, 0);
}

/* --- names in numbered parts --- */

/* Whether nothing stands behind n bytes of s up to the semicolon, but for blanks. */
static int
ends_behind(struct span s, size_t n)
{
    while (n < s.n && s.p[n] && strchr(" \t\r\n", s.p[n]))
        n++;
    return n >= s.n || s.p[n] == ';';
}

/*
 * Programs stop at a part that is missing, is there twice, or is numbered "01"; some join parts as they
 * come; and they differ about where one ends that has blanks in it.
 */
static void
add_segment(struct names *x, unsigned number, int extended, struct span s)
{
    size_t n = s.n > 0 && *s.p == '"' ? quoted_length(s) : token(s);

    if (x->n == SEGMENTS) {
        x->sink->doubt(x->sink->ctx, "a name is in too many parts");
        return;
    }
    if (number != x->n)
        x->sink->doubt(x->sink->ctx, "the parts of a name are not in order");
    if (!ends_behind(s, n))
        x->sink->doubt(x->sink->ctx, "a part of a name has something behind it");
    s.n = n;
    x->segment[x->n++] = (struct segment){number, extended, s};
}

static const struct segment *
next_segment(const struct names *x, long after)
{
    const struct segment *best = NULL;

    for (unsigned i = 0; i < x->n; i++)
        if ((long)x->segment[i].number > after && (!best || x->segment[i].number < best->number))
            best = &x->segment[i];
    return best;
}

/* One part's text into out, without the charset in front, which goes into *charset. */
static size_t
segment_text(const struct segment *g, char *out, struct span *charset)
{
    int quoted = g->value.n > 0 && *g->value.p == '"';
    size_t n = quoted ? unquote(out, (struct span){g->value.p + 1, g->value.n - 1})
                      : up_to_semicolon(out, g->value);
    const char *q1 = n ? memchr(out, '\'', n) : NULL;
    const char *q2 = q1 ? memchr(q1 + 1, '\'', n - (size_t)(q1 + 1 - out)) : NULL;

    if (g->extended && q2 && !charset->p) {
        *charset = (struct span){g->value.p + quoted, (size_t)(q1 - out)};
        n -= (size_t)(q2 + 1 - out);
        memmove(out, q2 + 1, n);
    }
    return n;
}

/* All parts in order, percent signs of each resolved by itself (each 1) or as they are; -1: too long. */
static long
join(struct names *x, int each, char out[MIME_NAME_MAX], struct span *charset)
{
    char one[MIME_NAME_MAX];
    const struct segment *g;
    size_t n = 0;

    *charset = (struct span){NULL, 0};
    for (long after = -1; (g = next_segment(x, after)); after = (long)g->number) {
        size_t more;

        if (g->value.n > sizeof one)
            return -1;
        more = segment_text(g, one, charset);
        if (each && g->extended)
            more = mime_percent(one, (struct span){one, more});
        if (n + more > MIME_NAME_MAX)
            return -1;
        memcpy(out + n, one, more);
        n += more;
    }
    return (long)n;
}

static void
tell_segments(struct names *x)
{
    char joined[MIME_NAME_MAX];
    struct span charset;

    for (int each = 1; each >= 0; each--) {
        long n = join(x, each, joined, &charset);
        struct span name = {joined, n > 0 ? (size_t)n : 0};

        if (!each) /* a percent sign and its digits in two parts */
            name.n = mime_percent(joined, name);
        if (n < 0)
            x->sink->doubt(x->sink->ctx, too_long);
        else if (charset.p)
            tell_in_charset(x, charset, name);
        else
            tell(x, name, each);
    }
}

/* --- the header --- */

static size_t
skip_blanks(struct span s, size_t at)
{
    const char *close = s.p;

    while (close && at < s.n && s.p[at] && strchr(" \t\r\n(", s.p[at])) {
        close = s.p[at] == '(' ? memchr(s.p + at, ')', s.n - at) : s.p + at;
        at = close ? (size_t)(close + 1 - s.p) : at;
    }
    return at;
}

/* The value behind key, which ends before at: told, or kept when it is in parts. */
static void
take_key(struct names *x, struct span s, size_t at)
{
    unsigned number = 0;
    int numbered = 0, extended = 0;

    at = skip_blanks(s, at);
    if (at < s.n && s.p[at] == '*') {
        for (at++; at < s.n && s.p[at] >= '0' && s.p[at] <= '9' && number < 100000; at++) {
            if (numbered && number == 0)
                x->sink->doubt(x->sink->ctx, "a part of a name is numbered with a 0 in front");
            number = 10 * number + (unsigned)(s.p[at] - '0');
            numbered = 1;
        }
        extended = !numbered;
        if (numbered && at < s.n && s.p[at] == '*')
            extended = 1, at++;
        at = skip_blanks(s, at);
    }
    if (at >= s.n || s.p[at] != '=')
        return;
    at = skip_blanks(s, at + 1);
    s = (struct span){s.p + at, s.n - at};
    if (numbered)
        add_segment(x, number, extended, s);
    else
        tell_value(x, s, extended);
}

static int
is_key_at(struct span s, size_t at, const char *key)
{
    size_t n = strlen(key);

    return at + n < s.n && strncasecmp(s.p + at, key, n) == 0 &&
           (at == 0 || !s.p[at - 1] || strchr(" \t\r\n;\"(),'", s.p[at - 1]));
}

void
mime_names(const struct mime_sink *sink, struct span value)
{
    static const char *const keys[] = {"filename", "name"};
    struct names x = {.sink = sink};

    for (size_t k = 0; k < 2; k++) {
        unsigned found = 0;

        x.n = 0;
        for (size_t at = 0; at < value.n && found <= KEYS_MOST; at++)
            if (is_key_at(value, at, keys[k]) && ++found <= KEYS_MOST)
                take_key(&x, value, at + strlen(keys[k]));
        if (found > KEYS_MOST)
            sink->doubt(sink->ctx, "a header holds too many names");
        if (x.n > 0)
            tell_segments(&x);
    }
}
