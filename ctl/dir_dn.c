/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dir_dn: names of entries: written with the escapes RFC 4514 asks for, taken
 * apart and compared by the LDAP library, never by looking for commas.
 *
 * Must not be used to tell a domain: that is found by its name.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dir_private.h"

/* Whether c at place i of n must be escaped in a value. */
static int
is_special(unsigned char c, size_t i, size_t n)
{
    if (c == ' ')
        return i == 0 || i + 1 == n;
    if (c == '#')
        return i == 0;
    return strchr("\"+,;<>\\=", c) || c < 0x20 || c == 0x7f;
}

long
dir_rdn(const char *attr, const char *value, char *out, size_t cap)
{
    static const char hex[] = "0123456789abcdef";
    size_t n = strlen(attr), len = strlen(value);

    if (len == 0 || n + 2 >= cap)
        return -1;
    memcpy(out, attr, n);
    out[n++] = '=';
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)value[i];

        if (n + 4 >= cap)
            return -1;
        if (is_special(c, i, len)) {
            out[n++] = '\\';
            out[n++] = hex[c >> 4];
            out[n++] = hex[c & 15];
        } else {
            out[n++] = (char)c;
        }
    }
    out[n] = '\0';
    return (long)n;
}

long
dir_dn(const char *rdn, const char *parent, char *out, size_t cap)
{
    int n = snprintf(out, cap, "%s,%s", rdn, parent);

    return n > 0 && (size_t)n < cap ? n : -1;
}

const char *
dir_parent(const char *dn)
{
    int quoted = 0;

    for (const char *p = dn; *p; p++) {
        if (*p == '\\' && p[1])
            p++;
        else if (*p == '"')
            quoted = !quoted;
        else if ((*p == ',' || *p == ';') && !quoted)
            return p + 1 + strspn(p + 1, " ");
    }
    return "";
}

static int
same_ava(const LDAPAVA *a, const LDAPAVA *b)
{
    return a->la_attr.bv_len == b->la_attr.bv_len && a->la_value.bv_len == b->la_value.bv_len &&
           strncasecmp(a->la_attr.bv_val, b->la_attr.bv_val, a->la_attr.bv_len) == 0 &&
           strncasecmp(a->la_value.bv_val, b->la_value.bv_val, a->la_value.bv_len) == 0;
}

static int
same_rdn(LDAPRDN a, LDAPRDN b)
{
    size_t i = 0;

    for (; a[i] && b[i]; i++)
        if (!same_ava(a[i], b[i]))
            return 0;
    return !a[i] && !b[i];
}

/* Whether the last parts of a are b; exactly: all of them. */
static int
ends_with(const char *a, const char *b, int exactly)
{
    LDAPDN x = NULL, y = NULL;
    size_t nx = 0, ny = 0;
    int same = ldap_str2dn(a, &x, LDAP_DN_FORMAT_LDAPV3) == LDAP_SUCCESS &&
               ldap_str2dn(b, &y, LDAP_DN_FORMAT_LDAPV3) == LDAP_SUCCESS;

    while (same && x && x[nx])
        nx++;
    while (same && y && y[ny])
        ny++;
    same = same && (exactly ? nx == ny : nx >= ny);
    for (size_t i = 1; same && i <= ny; i++)
        same = same_rdn(x[nx - i], y[ny - i]);
    ldap_dnfree(x);
    ldap_dnfree(y);
    return same;
}

int
dir_dn_same(const char *a, const char *b)
{
    return ends_with(a, b, 1);
}

int
dir_dn_below(const char *dn, const char *base)
{
    return ends_with(dn, base, 0);
}

long
dir_rdn_value(const char *dn, char *out, size_t cap)
{
    LDAPDN parts = NULL;
    long n = -1;

    if (ldap_str2dn(dn, &parts, LDAP_DN_FORMAT_LDAPV3) == LDAP_SUCCESS && parts && parts[0]) {
        const struct berval *v = &parts[0][0]->la_value;

        if (v->bv_len < cap && !memchr(v->bv_val, '\0', v->bv_len)) {
            memcpy(out, v->bv_val, v->bv_len);
            out[v->bv_len] = '\0';
            n = (long)v->bv_len;
        }
    }
    ldap_dnfree(parts);
    return n;
}

long
dir_first_rdn(const char *dn, char *out, size_t cap)
{
    const char *rest = dir_parent(dn), *end = *rest ? rest : dn + strlen(dn);
    size_t n;

    while (*rest && end > dn && end[-1] == ' ')
        end--;
    n = (size_t)(end - dn) - (*rest ? 1 : 0);
    if (n == 0 || n >= cap)
        return -1;
    memcpy(out, dn, n);
    out[n] = '\0';
    return (long)n;
}

/* Put the value in front of what is in out, with a "/" between. -1: it does not fit. */
static int
put_in_front(const struct berval *v, char *out, size_t *n, size_t cap)
{
    size_t more = v->bv_len + (*n > 0 ? 1 : 0);

    if (*n + more >= cap)
        return -1;
    memmove(out + more, out, *n + 1);
    memcpy(out, v->bv_val, v->bv_len);
    if (*n > 0)
        out[v->bv_len] = '/';
    *n += more;
    return 0;
}

long
dir_path(const char *dn, const char *base, char *out, size_t cap)
{
    LDAPDN parts = NULL, below = NULL;
    size_t nparts = 0, nbelow = 0, n = 0;
    int fits = dir_dn_below(dn, base) &&
               ldap_str2dn(dn, &parts, LDAP_DN_FORMAT_LDAPV3) == LDAP_SUCCESS &&
               ldap_str2dn(base, &below, LDAP_DN_FORMAT_LDAPV3) == LDAP_SUCCESS;

    out[0] = '\0';
    while (fits && parts && parts[nparts])
        nparts++;
    while (fits && below && below[nbelow])
        nbelow++;
    for (size_t i = 0; fits && i < nparts - nbelow; i++)
        fits = put_in_front(&parts[i][0]->la_value, out, &n, cap) == 0;
    ldap_dnfree(parts);
    ldap_dnfree(below);
    return fits ? (long)n : -1;
}

int
dir_is_dn(const char *text)
{
    LDAPDN parts = NULL;
    int is = ldap_str2dn(text, &parts, LDAP_DN_FORMAT_LDAPV3) == LDAP_SUCCESS && parts &&
             parts[0] && parts[1];

    ldap_dnfree(parts);
    return is;
}
