/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dn: normalised distinguished names, see dn.h.
 *
 * Most DNs are plain ASCII without escapes: those are copied in one pass. The
 * rest goes through libldap's parser, which knows RFC 4514, and is written anew
 * from the parsed values. Upper case outside ASCII is left as it is: directories
 * hand out the spelling of the entry's own name, and Chinese has no case.
 * What is not valid UTF-8 is no DN. Never logs.
 */
#include "dn.h"

#include <ldap.h>
#include <stdint.h>
#include <stdlib.h>

#include "fnv.h"

/* --- plain ASCII --- */

static int
is_plain(unsigned char c)
{
    return c > ' ' && c < 0x7f && c != '"' && c != '+' && c != ',' && c != ';' && c != '<' &&
           c != '=' && c != '>' && c != '\\';
}

static char
lower(unsigned char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

static int
is_type_byte(unsigned char c)
{
    c = (unsigned char)lower(c);
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
}

/* "type=" from s[i] on; the place after it, 0 when this is not plain. */
static size_t
plain_type(struct span s, size_t i, char *out)
{
    size_t start = i;

    for (; i < s.n && is_type_byte((unsigned char)s.p[i]); i++)
        out[i] = lower((unsigned char)s.p[i]);
    if (i == start || i >= s.n || s.p[i] != '=')
        return 0;
    out[i] = '=';
    return i + 1;
}

/* A value up to its comma or the end; single blanks inside. 0 when it is empty or not plain. */
static size_t
plain_value(struct span s, size_t i, char *out)
{
    size_t start = i;

    if (i < s.n && s.p[i] == '#')
        return 0;
    for (; i < s.n && s.p[i] != ','; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c == ' ') {
            if (i == start || i + 1 >= s.n || !is_plain((unsigned char)s.p[i + 1]))
                return 0;
        } else if (!is_plain(c)) {
            return 0;
        }
        out[i] = lower(c);
    }
    return i == start ? 0 : i;
}

/* Normalising keeps the length of a plain DN. Returns it, or -1: not plain. */
static long
plain_copy(struct span s, char *out, size_t cap)
{
    size_t i = 0;

    if (s.n >= cap)
        return -1;
    while (i < s.n) {
        if ((i = plain_type(s, i, out)) == 0 || (i = plain_value(s, i, out)) == 0)
            return -1;
        if (i == s.n)
            break;
        out[i++] = ',';
        if (i == s.n)
            return -1;
    }
    out[i] = '\0';
    return (long)i;
}

/* --- the rest, through libldap --- */

struct writer {
    char *out;
    size_t n, cap;
    int full;
};

static void
put(struct writer *w, char c)
{
    if (w->n + 1 >= w->cap)
        w->full = 1;
    else
        w->out[w->n++] = c;
}

static void
put_escaped(struct writer *w, unsigned char c)
{
    static const char digits[] = "0123456789abcdef";

    put(w, '\\');
    put(w, digits[c >> 4]);
    put(w, digits[c & 15]);
}

static void
put_byte(struct writer *w, unsigned char c, int first)
{
    if (c >= 0x80 || c == ' ' || (is_plain(c) && !(first && c == '#')))
        put(w, lower(c));
    else
        put_escaped(w, c);
}

/* Blanks at the ends go, runs of them become one: caseIgnoreMatch of RFC 4518 2.6.1. */
static void
put_text(struct writer *w, const struct berval *v)
{
    ber_len_t i;
    int blank = 0, first = 1;

    for (i = 0; i < v->bv_len; i++) {
        unsigned char c = (unsigned char)v->bv_val[i];

        if (c == ' ') {
            blank = !first;
            continue;
        }
        if (blank)
            put(w, ' ');
        put_byte(w, c, first);
        blank = first = 0;
    }
}

static void
put_ava(struct writer *w, const LDAPAVA *ava)
{
    ber_len_t i;

    for (i = 0; i < ava->la_attr.bv_len; i++)
        put(w, lower((unsigned char)ava->la_attr.bv_val[i]));
    put(w, '=');
    if (!(ava->la_flags & LDAP_AVA_BINARY)) {
        put_text(w, &ava->la_value);
        return;
    }
    put(w, '#');
    for (i = 0; i < ava->la_value.bv_len; i++) {
        unsigned char c = (unsigned char)ava->la_value.bv_val[i];

        put(w, "0123456789abcdef"[c >> 4]);
        put(w, "0123456789abcdef"[c & 15]);
    }
}

static int
ava_order(const void *a, const void *b)
{
    const LDAPAVA *x = *(LDAPAVA *const *)a, *y = *(LDAPAVA *const *)b;
    int d = strcasecmp(x->la_attr.bv_val, y->la_attr.bv_val);

    return d ? d : ber_bvcmp(&x->la_value, &y->la_value);
}

static void
put_rdn(struct writer *w, LDAPRDN rdn)
{
    size_t n = 0, i;

    while (rdn[n])
        n++;
    qsort(rdn, n, sizeof *rdn, ava_order);
    for (i = 0; i < n; i++) {
        if (i)
            put(w, '+');
        put_ava(w, rdn[i]);
    }
}

/* Length of the UTF-8 sequence at p, 0 when it is none (RFC 3629). */
static size_t
utf8_length(const unsigned char *p, size_t n)
{
    size_t len = p[0] < 0x80   ? 1
                 : p[0] < 0xc2 ? 0
                 : p[0] < 0xe0 ? 2
                 : p[0] < 0xf0 ? 3
                 : p[0] < 0xf5 ? 4
                               : 0;
    size_t i;

    if (len == 0 || len > n)
        return 0;
    for (i = 1; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return len;
}

static int
is_utf8(const char *s, size_t n)
{
    size_t i = 0, len;

    for (; i < n; i += len)
        if ((len = utf8_length((const unsigned char *)s + i, n - i)) == 0)
            return 0;
    return 1;
}

static _Thread_local unsigned long shortages;

unsigned long
dn_shortages(void)
{
    return shortages;
}

static long
parsed_copy(struct span s, char *out, size_t cap)
{
    struct berval in = {s.n, (char *)s.p};
    struct writer w = {out, 0, cap, 0};
    LDAPDN dn = NULL;
    size_t i;
    int rc;

    if (cap == 0 || memchr(s.p, '\0', s.n))
        return -1;
    rc = ldap_bv2dn(&in, &dn, LDAP_DN_FORMAT_LDAPV3);
    shortages += rc == LDAP_NO_MEMORY;
    if (rc)
        return -1;
    for (i = 0; dn && dn[i]; i++) {
        if (i)
            put(&w, ',');
        put_rdn(&w, dn[i]);
    }
    ldap_dnfree(dn);
    out[w.n] = '\0';
    return w.full || !is_utf8(out, w.n) ? -1 : (long)w.n;
}

long
dn_normalize(struct span dn, char *out, size_t cap)
{
    long n;

    if (dn.n == 0) {
        if (cap)
            out[0] = '\0';
        return cap ? 0 : -1;
    }
    n = plain_copy(dn, out, cap);
    return n >= 0 ? n : parsed_copy(dn, out, cap);
}

/* --- taking apart --- */

int
dn_split(struct span dn, struct span *rdn, struct span *parent)
{
    size_t i = 0;

    while (i < dn.n && dn.p[i] != ',')
        i += dn.p[i] == '\\' && i + 1 < dn.n ? 2 : 1;
    *rdn = (struct span){dn.p, i};
    *parent = (struct span){NULL, 0};
    if (i >= dn.n)
        return 0;
    for (i++; i < dn.n && dn.p[i] == ' ';)
        i++;
    *parent = (struct span){dn.p + i, dn.n - i};
    return 1;
}

int
dn_below(struct span ndn, struct span base)
{
    if (base.n == 0)
        return 1;
    if (ndn.n < base.n || memcmp(ndn.p + ndn.n - base.n, base.p, base.n) != 0)
        return 0;
    return ndn.n == base.n || ndn.p[ndn.n - base.n - 1] == ',';
}

struct span
dn_common(struct span a, struct span b)
{
    struct span rdn, up;

    while (a.n && !dn_below(b, a)) {
        dn_split(a, &rdn, &up);
        a = up;
    }
    return a;
}

/* --- parents seen before --- */

#define CACHE_SLOTS 256
#define CACHE_TEXT  512

struct dn_cache {
    struct slot {
        uint16_t raw_n, norm_n; /* raw_n 0: empty */
        char raw[CACHE_TEXT], norm[CACHE_TEXT];
    } slot[CACHE_SLOTS];
};

struct dn_cache *
dn_cache_new(void)
{
    return calloc(1, sizeof(struct dn_cache));
}

void
dn_cache_free(struct dn_cache **cache)
{
    free(*cache);
    *cache = NULL;
}

static struct slot *
cache_slot(struct dn_cache *cache, struct span s)
{
    uint32_t h = fnv32(FNV32, s.p, s.n);

    return &cache->slot[(h ^ h >> 16) % CACHE_SLOTS];
}

/* The parent's normalised form, from the cache or into it; NULL: not for the cache. */
static const struct slot *
cache_parent(struct dn_cache *cache, struct span parent)
{
    struct slot *slot = cache_slot(cache, parent);
    long n;

    if (slot->raw_n && span_same(parent, (struct span){slot->raw, slot->raw_n}))
        return slot;
    if (parent.n == 0 || parent.n > CACHE_TEXT)
        return NULL;
    slot->raw_n = 0;
    if ((n = parsed_copy(parent, slot->norm, CACHE_TEXT)) < 0)
        return NULL;
    memcpy(slot->raw, parent.p, parent.n);
    slot->raw_n = (uint16_t)parent.n;
    slot->norm_n = (uint16_t)n;
    return slot;
}

long
dn_cache_normalize(struct dn_cache *cache, struct span dn, char *out, size_t cap)
{
    struct span rdn, parent;
    const struct slot *slot;
    long n;

    if (dn.n == 0 || (n = plain_copy(dn, out, cap)) >= 0)
        return dn.n ? n : dn_normalize(dn, out, cap);
    if (!dn_split(dn, &rdn, &parent) || !(slot = cache_parent(cache, parent)))
        return parsed_copy(dn, out, cap);
    n = dn_normalize(rdn, out, cap);
    if (n <= 0 || (size_t)n + 1 + slot->norm_n >= cap)
        return -1;
    out[n] = ',';
    memcpy(out + n + 1, slot->norm, slot->norm_n);
    out[n + 1 + slot->norm_n] = '\0';
    return n + 1 + slot->norm_n;
}
