/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dn: distinguished names in the one form the mirror compares: attribute types
 * and values in lower case, no optional blanks, runs of blanks as one, the parts
 * of a multi-valued RDN sorted, and every special byte as \xx. So a ',' always
 * ends an RDN, and two spellings of one DN are the same bytes.
 */
#ifndef POSTROAD_DN_H
#define POSTROAD_DN_H

#include <stddef.h>

#include "span.h"

/*
 * Normalise dn (RFC 4514) into out, NUL-terminated. Returns the length, 0 for the
 * empty DN, -1 when it is no DN or does not fit. Serves as attrs_dn_fn.
 */
long dn_normalize(struct span dn, char *out, size_t cap);
/* How often -1 was said, in this thread, only because memory was short. */
unsigned long dn_shortages(void);

/*
 * The first RDN as it is written, and what follows its comma, blanks trimmed. Returns 1;
 * 0 when there is only one RDN or none: then parent is empty.
 */
int dn_split(struct span dn, struct span *rdn, struct span *parent);

/* Whether the normalised ndn is base or below it; everything is below the empty base. */
int dn_below(struct span ndn, struct span base);

/* The DN of what both normalised DNs are below: a tail of a, perhaps empty. */
struct span dn_common(struct span a, struct span b);

/* The same answers as dn_normalize, cheaper where many entries share parents that are not plain ASCII. */
struct dn_cache;
struct dn_cache *dn_cache_new(void); /* NULL: no memory */
void dn_cache_free(struct dn_cache **cache);
long dn_cache_normalize(struct dn_cache *cache, struct span dn, char *out, size_t cap);

#endif
