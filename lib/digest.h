/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * digest: a sum over entries that does not depend on their order, to compare two
 * mirrors. Each entry gives SHA-256 (FIPS 180-4) over its UUID and routed
 * attributes in sorted order; sums add the four 64-bit lanes modulo 2^64, so an
 * entry can be taken out again. Pure.
 */
#ifndef POSTROAD_DIGEST_H
#define POSTROAD_DIGEST_H

#include <stdint.h>

#include "account.h"

#define DIGEST_LEN 32

struct digest {
    uint64_t lane[4];
    uint64_t count; /* entries in the sum */
};

/*
 * Add (sign +1) or take out (sign -1) one entry. What counts: kind, state, and
 * all items, in whatever order. What does not: created, the parent's local
 * number, the order in which the provider sent the values.
 */
void digest_update(struct digest *d, const unsigned char uuid[UUID_LEN], const struct record *r,
                   int sign);
/*
 * The domain in whose sum the entry is: that of its primary address, a domain's own; "" for others.
 * 0: it is in none.
 */
int digest_domain(const struct record *r, struct span *domain_r);
/* Lower-case hex of the lanes (big-endian), 65 bytes with the NUL. */
void digest_hex(const struct digest *d, char out[2 * DIGEST_LEN + 1]);
/* SHA-256 of bytes, in lower-case hex. */
void digest_bytes(struct span s, char out[2 * DIGEST_LEN + 1]);

#endif
