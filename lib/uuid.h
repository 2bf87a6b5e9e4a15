/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uuid: the 16 bytes by which the mirror keeps entries (RFC 4122). Entries of an
 * LDIF file often have none; theirs is made from the DN, so that it is the same
 * at every load and at every site. Pure.
 */
#ifndef POSTROAD_UUID_H
#define POSTROAD_UUID_H

#include "account.h"
#include "span.h"

#define UUID_TEXT_LEN 36

extern const unsigned char uuid_x500[UUID_LEN]; /* RFC 4122 appendix C: the name is a DN */

/* The name-based UUID, version 5 (SHA-1), of name in the name space ns. */
void uuid_v5(const unsigned char ns[UUID_LEN], struct span name, unsigned char out[UUID_LEN]);
/* From "6ba7b814-9dad-11d1-80b4-00c04fd430c8", either case: 0, else -1. */
int uuid_parse(struct span text, unsigned char out[UUID_LEN]);
/* The same text, lower case, NUL-terminated. */
void uuid_text(const unsigned char uuid[UUID_LEN], char out[UUID_TEXT_LEN + 1]);

#endif
