/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * from_header: the domains of all addresses that a mail program might show as the sender,
 * out of the values of From (or Sender) fields, RFC 5322 3.6.2, and of what is no such thing.
 *
 * Two kinds: those in the place of an address, and those in text beside one, such as
 * a display name. Programs differ about what is malformed, so doubt makes it an address:
 * all that any of them might take for one is found. Pure and bounded.
 */
#ifndef POSTROAD_FROM_HEADER_H
#define POSTROAD_FROM_HEADER_H

#include <stddef.h>

#include "addr.h"

#define FROM_DOMAINS 32    /* different ones in all fields of a message */
#define FROM_BYTES   16384 /* of all its fields that are looked at */

enum from_place {
    FROM_TEXT,   /* in a display name, quotes or a comment, beside an address that says otherwise */
    FROM_ADDRESS /* where an address stands, or the only one that could be meant */
};

struct from_domain {
    char name[ADDR_DOMAIN_MAX + 1]; /* canonical, see addr.h */
    enum from_place place;
};

struct from_header {
    struct from_domain domain[FROM_DOMAINS];
    unsigned n, fields;
    size_t bytes;
    int more; /* there is more of it than is looked at */
};

void from_header_begin(struct from_header *f);

/* One field's value, folded or not, any bytes. Each is added to what the message's others showed. */
void from_header_add(struct from_header *f, const char *value, size_t n);

#endif
