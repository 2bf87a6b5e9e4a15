/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * addr: one mail address in its canonical form, the only form the mirror's index
 * holds and every map compares.
 *
 * Canonical: local part case-folded (RFC 5321 2.4 leaves case to the receiver:
 * us), UTF-8 in NFC (RFC 6532 3.1), quoted only when RFC 5321 4.1.2 demands it
 * and then with the fewest escapes; domain in lower case A-labels without a
 * trailing dot (RFC 5890 2.3.2.1), so both spellings of one domain are equal.
 * Pure: no I/O, no allocation of its own (libidn2 allocates inside for
 * non-ASCII domains only).
 */
#ifndef POSTROAD_ADDR_H
#define POSTROAD_ADDR_H

#include <stddef.h>
#include <stdint.h>

#define ADDR_MAX        320 /* bytes: 64 + 1 + 255, RFC 3696 errata 1690 */
#define ADDR_DOMAIN_MAX 253 /* bytes, RFC 1035 2.3.4 without the root dot */

struct addr {
    char text[ADDR_MAX + 1]; /* canonical "local@domain", NUL-terminated */
    uint16_t len;            /* strlen(text) */
    uint16_t at;             /* offset of the '@' before the domain */
    uint16_t base; /* bytes of local part before the extension's delimiter; at: no extension */
};

/*
 * Parse n bytes of s. delims: the characters that may start an extension, as in
 * Postfix recipient_delimiter; the leftmost one that is not the first character
 * counts; a quoted local part has no extension; "" for none.
 * Dots may stand anywhere in it, and specials other than '@' and '"' may come bare, as
 * Postfix hands them over in its internal form: "a b@x" and "\"a b\"@x" are one address.
 * Returns 1 parsed; 0 no '@' in it, so no address; -1 malformed or longer than
 * ADDR_MAX, as written or canonical (control bytes, NUL, invalid UTF-8, empty local part or domain, a
 * second '@' outside quotes, an unclosed quote, a domain that IDNA2008 refuses).
 * An address literal ("user@[192.0.2.1]") is parsed; its domain keeps the brackets.
 * *a holds nothing of use unless 1 was returned.
 */
int addr_parse(struct addr *a, const char *s, size_t n, const char *delims);

/* The domain of a, NUL-terminated, valid as long as a. */
static inline const char *
addr_domain(const struct addr *a)
{
    return a->text + a->at + 1;
}

/*
 * Write "base@domain": without the extension when keep_ext is 0, and with
 * domain in place of a's own unless domain is NULL. domain must be canonical.
 * out has room for ADDR_MAX + 1. Returns the length, or -1 when too long.
 */
int addr_rewrite(const struct addr *a, int keep_ext, const char *domain, char *out);

/*
 * Canonical form of a domain name alone, into out (ADDR_DOMAIN_MAX + 1 bytes).
 * Returns its length, or -1 when it is no domain name.
 */
int addr_domain_canon(const char *s, size_t n, char *out);

#endif
