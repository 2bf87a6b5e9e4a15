/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * addr: the canonical form of one mail address.
 *
 * A plain ASCII address (nearly all there are) is checked, folded and copied in
 * one pass over a table of character classes; quoted, odd and UTF-8 local parts
 * and U-label domains take the slow way beside it. Promises: what addr_parse
 * wrote parses to itself; two spellings RFC 5321 calls one mailbox give one text.
 * Taken from the field rather than from the RFC: dots may stand anywhere in a
 * local part without quotes, and specials that Postfix hands over unquoted (its
 * internal form) are quoted here. Must not log, read or allocate.
 */
#include <string.h>

#include <idn2.h>
#include <unicase.h>
#include <uninorm.h>
#include <unistr.h>

#include "addr.h"

#define LABEL_MAX 63 /* RFC 1035 2.3.4 */
/* NFD makes UTF-8 at most 3 times longer (UAX 15), full case folding that at most 1.5 times. */
#define FOLD_MAX (5 * ADDR_MAX)

enum { LOCAL = 1, DOMAIN = 2, UPPER = 0x20 /* also the bit that makes it lower case */ };

static const unsigned char classes[256] = {
    ['a' ... 'z'] = LOCAL | DOMAIN,
    ['A' ... 'Z'] = LOCAL | DOMAIN | UPPER,
    ['0' ... '9'] = LOCAL | DOMAIN,
    ['-'] = LOCAL | DOMAIN,
    ['_'] = LOCAL | DOMAIN,
    ['.'] = LOCAL | DOMAIN,
    ['!'] = LOCAL,
    ['#' ... '\''] = LOCAL,
    ['*'] = LOCAL,
    ['+'] = LOCAL,
    ['/'] = LOCAL,
    ['='] = LOCAL,
    ['?'] = LOCAL,
    ['^'] = LOCAL,
    ['`'] = LOCAL,
    ['{' ... '~'] = LOCAL,
};

static int
is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

static int
is_high(char c)
{
    return (unsigned char)c >= 0x80;
}

static int
any_high(const char *s, size_t n)
{
    while (n > 0 && !is_high(s[n - 1]))
        n--;
    return n > 0;
}

static char
ascii_lower(char c)
{
    return (char)((unsigned char)c | (classes[(unsigned char)c] & UPPER));
}

/* ---- domain: these write the canonical name and its NUL, at most cap bytes; length or -1 ---- */

static int
domain_ascii(const char *s, size_t n, char *out, size_t cap)
{
    size_t start = 0, i;

    if (n > 0 && s[n - 1] == '.')
        n--;
    if (n > ADDR_DOMAIN_MAX || n >= cap)
        return -1;
    for (i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i], k = classes[c];

        if (!(k & DOMAIN))
            return -1;
        if (c == '.') {
            if (i == start || i - start > LABEL_MAX)
                return -1;
            start = i + 1;
        }
        out[i] = (char)(c | (k & UPPER));
    }
    if (i == start || i - start > LABEL_MAX)
        return -1;
    out[n] = '\0';
    return (int)n;
}

/* A name with U-labels. What the mapping of UTS 46 makes of it must be a name in ASCII. */
static int
domain_utf8(const char *s, size_t n, char *out, size_t cap)
{
    char name[ADDR_MAX + 1];
    uint8_t *ascii = NULL;
    int len = -1;

    if (n > ADDR_MAX || memchr(s, '\0', n))
        return -1;
    memcpy(name, s, n);
    name[n] = '\0';
    if (idn2_lookup_u8((uint8_t *)name, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) == IDN2_OK)
        len = domain_ascii((char *)ascii, strlen((char *)ascii), out, cap);
    idn2_free(ascii);
    return len;
}

static int
domain_name(const char *s, size_t n, char *out, size_t cap)
{
    int len = domain_ascii(s, n, out, cap);

    return len < 0 && any_high(s, n) ? domain_utf8(s, n, out, cap) : len;
}

/* "[192.0.2.1]", "[IPv6:2001:db8::1]": RFC 5321 4.1.3, the address itself is not looked at. */
static int
domain_literal(const char *s, size_t n, char *out, size_t cap)
{
    if (n < 3 || n > ADDR_DOMAIN_MAX || n >= cap || s[n - 1] != ']')
        return -1;
    for (size_t i = 0; i < n; i++) {
        int inside = i > 0 && i < n - 1;

        if (is_control(s[i]) || is_high(s[i]) || (inside && strchr(" @[]\\", s[i])))
            return -1;
        out[i] = ascii_lower(s[i]);
    }
    out[n] = '\0';
    return (int)n;
}

int
addr_domain_canon(const char *s, size_t n, char *out)
{
    return domain_name(s, n, out, ADDR_DOMAIN_MAX + 1);
}

/* ---- local part, the slow way: quotes, specials, UTF-8 ---- */

/*
 * The bytes meant by the quoted or bare local part that s begins with, up to its '@', into out
 * (room for n). Returns how many, maybe 0, -1 malformed; *used is the offset of the '@'.
 */
static int
local_unquote(const char *s, size_t n, char *out, size_t *used)
{
    int quoted = n > 0 && s[0] == '"';
    size_t i = (size_t)quoted, len = 0;

    for (; i < n && s[i] != (quoted ? '"' : '@'); i++) {
        if (quoted && s[i] == '\\' && ++i == n)
            return -1;
        if (is_control(s[i]) || (!quoted && s[i] == '"'))
            return -1;
        out[len++] = s[i];
    }
    i += (size_t)quoted;
    if (i >= n || s[i] != '@')
        return -1;
    *used = i;
    return (int)len;
}

static int
has_c1_control(const uint8_t *s, size_t n)
{
    for (size_t i = 0; i + 1 < n; i++)
        if (s[i] == 0xc2 && s[i + 1] < 0xa0)
            return 1;
    return 0;
}

/*
 * NFC of the full case folding of NFD: what Unicode D145 compares by, composed again. In place
 * over s, which has room for FOLD_MAX. Returns the new length, -1 when it is not UTF-8.
 */
static int
local_fold_utf8(char *s, size_t n)
{
    uint8_t nfd[FOLD_MAX];
    size_t nfd_len = sizeof nfd, len = FOLD_MAX;

    if (u8_check((uint8_t *)s, n) || has_c1_control((uint8_t *)s, n))
        return -1;
    /* Both results always fit, so the library need not allocate for them. */
    if (u8_normalize(UNINORM_NFD, (uint8_t *)s, n, nfd, &nfd_len) != nfd)
        return -1;
    if (u8_casefold(nfd, nfd_len, NULL, UNINORM_NFC, (uint8_t *)s, &len) != (uint8_t *)s)
        return -1;
    return (int)len;
}

static int
local_fold(char *s, size_t n)
{
    if (any_high(s, n))
        return local_fold_utf8(s, n);
    for (size_t i = 0; i < n; i++)
        s[i] = ascii_lower(s[i]);
    return (int)n;
}

static int
local_needs_quotes(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!is_high(s[i]) && !(classes[(unsigned char)s[i]] & LOCAL))
            return 1;
    return 0;
}

/* In quotes and with the fewest escapes into out, at most cap bytes; the length or -1. */
static int
local_quote(const char *s, size_t n, char *out, size_t cap)
{
    size_t len = n + 2;

    for (size_t i = 0; i < n; i++)
        len += s[i] == '"' || s[i] == '\\';
    if (len > cap)
        return -1;
    len = 0;
    out[len++] = '"';
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '"' || s[i] == '\\')
            out[len++] = '\\';
        out[len++] = s[i];
    }
    out[len++] = '"';
    return (int)len;
}

static int
local_write(const char *s, size_t n, char *out, size_t cap)
{
    if (local_needs_quotes(s, n))
        return local_quote(s, n, out, cap);
    if (n > cap)
        return -1;
    memcpy(out, s, n);
    return (int)n;
}

/* The canonical local part into a->text. 1 and *used, the offset of the '@' in s; or 0, -1. */
static int
local_slow(struct addr *a, const char *s, size_t n, size_t *used)
{
    char raw[FOLD_MAX];
    int len;

    if (!memchr(s, '@', n))
        return 0;
    len = local_unquote(s, n, raw, used);
    if (len > 0)
        len = local_fold(raw, (size_t)len);
    if (len > 0)
        len = local_write(raw, (size_t)len, a->text, ADDR_MAX);
    if (len <= 0)
        return -1;
    a->at = (uint16_t)len;
    return 1;
}

/* The leading plain bytes of s in lower case into out; returns how many. */
static size_t
local_plain(const char *s, size_t n, char *out)
{
    size_t i;

    for (i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i], k = classes[c];

        if (!(k & LOCAL))
            break;
        out[i] = (char)(c | (k & UPPER));
    }
    return i;
}

/* ---- the whole ---- */

static size_t
base_length(const struct addr *a, const char *delims)
{
    size_t base = a->at;

    if (a->text[0] == '"')
        return base;
    for (; *delims && base > 1; delims++) {
        const char *p = memchr(a->text + 1, *delims, base - 1);

        if (p)
            base = (size_t)(p - a->text);
    }
    return base;
}

int
addr_parse(struct addr *a, const char *s, size_t n, const char *delims)
{
    size_t used;
    char *domain;
    int len;

    if (n > ADDR_MAX)
        return memchr(s, '@', n) ? -1 : 0;
    used = local_plain(s, n, a->text);
    if (used == n)
        return 0;
    a->at = (uint16_t)used;
    if (s[used] != '@' || used == 0) {
        int found = local_slow(a, s, n, &used);

        if (found <= 0)
            return found;
    }
    used++;
    domain = a->text + a->at + 1;
    domain[-1] = '@';
    if (used < n && s[used] == '[')
        len = domain_literal(s + used, n - used, domain, ADDR_MAX - a->at);
    else
        len = domain_name(s + used, n - used, domain, ADDR_MAX - a->at);
    if (len < 0)
        return -1;
    a->len = (uint16_t)(a->at + 1 + len);
    a->base = (uint16_t)base_length(a, delims);
    return 1;
}

int
addr_rewrite(const struct addr *a, int keep_ext, const char *domain, char *out)
{
    size_t local = keep_ext ? a->at : a->base;
    const char *d = domain ? domain : addr_domain(a);
    size_t n = domain ? strlen(domain) : (size_t)a->len - a->at - 1;

    if (local + 1 + n > ADDR_MAX)
        return -1;
    memcpy(out, a->text, local);
    out[local] = '@';
    memcpy(out + local + 1, d, n);
    out[local + 1 + n] = '\0';
    return (int)(local + 1 + n);
}
