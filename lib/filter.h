/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * filter: LDAP search filters (RFC 4515) evaluated over one entry, so that
 * policyd can tell classes of entries apart that came by one search. Supports
 * and, or, not, equality, presence, substrings; values compare without case,
 * as the mail schemas' attributes do. (&) is true and (|) is false (RFC 4526).
 * There is no schema here: objectClass matches the classes that stand in the
 * entry, not those they are derived from. Pure: works on the filter's text.
 */
#ifndef POSTROAD_FILTER_H
#define POSTROAD_FILTER_H

#include <stddef.h>

#include "span.h"

#define FILTER_DEPTH_MAX 16

/* An entry as it came from LDIF or LDAP: attribute descriptions and their values. */
struct entry_attr {
    struct span name;
    const struct span *values;
    size_t n;
};

struct entry_view {
    const struct entry_attr *attrs;
    size_t n;
};

/* The attribute of that name (without case; options after ';' ignored), NULL when absent. */
const struct entry_attr *entry_attr(const struct entry_view *e, struct span name);

/* 0 when the text is a filter we can evaluate, else -1 and *at_r is the offset of the trouble. */
int filter_check(const char *filter, size_t *at_r);

/* 1 matches, 0 does not. What filter_check refuses matches nothing. */
int filter_match(const char *filter, const struct entry_view *e);

/*
 * Walk the attribute names in a filter that passed filter_check: start with *at = 0; returns 1 and
 * a name, which points into filter, 0 at the end.
 */
int filter_next_name(const char *filter, size_t *at, struct span *name);

#endif
