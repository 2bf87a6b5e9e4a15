/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * attrs_text: small readers of what stands in directory values: UTF-8, time, RDNs.
 * For the attrs files only. Pure: takes any bytes.
 */
#ifndef POSTROAD_ATTRS_TEXT_H
#define POSTROAD_ATTRS_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "span.h"

/* Bytes of the UTF-8 sequence s begins with (RFC 3629: shortest form, no surrogates); 0: none. */
size_t text_utf8(struct span s);
/* 1 when s is valid UTF-8 without control bytes. */
int text_clean(struct span s);
/*
 * Copy s into out (cap > 0) for people to read: bad and control bytes as '?', cut between
 * characters. Always ends with NUL; returns the length.
 */
size_t text_show(struct span s, char *out, size_t cap);
/* Lower the ASCII letters of s into out, which has room for s.n bytes. */
struct span text_lower(struct span s, char *out);
/* 1 when equal without the case of ASCII letters. */
int text_same(struct span a, struct span b);

/*
 * Generalized time (RFC 4517 3.3.13: "20261121195500Z", "202611211955.5+0800") as seconds since
 * 1970; a fraction is cut off. -1 when it is none, or before 1970.
 */
int64_t text_time(struct span s);

/*
 * The first type and value of an RDN (RFC 4514: "dc=a.example+x=y"), escapes resolved into out
 * (cap bytes). Returns the value's length, or -1 when it is none, is "#hex" or does not fit.
 */
long text_rdn(struct span rdn, struct span *type, char *out, size_t cap);

#endif
