/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * auth_results: takes apart the value of an Authentication-Results field (RFC 8601 2.2), or
 * of an ARC-Authentication-Results field (RFC 8617 4.1.1), whose instance comes first.
 *
 * Who wrote it, and whether he is to be believed, is the caller's to know. Pure.
 */
#ifndef POSTROAD_AUTH_RESULTS_H
#define POSTROAD_AUTH_RESULTS_H

#include <stddef.h>

#include "span.h"

#define AUTH_PROPERTIES 16 /* of one result; further ones are left out */

struct auth_results {
    struct span authserv_id;
    const char *p, *end; /* what was not read yet */
};

/* Spans point into the value. What stands in quotes comes without them. */
struct auth_result {
    struct span method, result; /* "dkim", "pass" */
    struct {
        struct span name, value; /* "header.d", "a.example" */
    } property[AUTH_PROPERTIES];
    unsigned n;
};

/* Begin with a field's value. 1, or 0: nobody's name stands at its beginning. */
int auth_results_begin(struct auth_results *a, const char *value, size_t n);

/* The next result: 1; 0 there is none, or none that can be read: then no later one is, either. */
int auth_results_next(struct auth_results *a, struct auth_result *r);

/* A property's value by its name, in any case: 1, or 0. */
int auth_result_get(const struct auth_result *r, const char *name, struct span *value);

/* Whether text is word, in any case. */
int auth_is(struct span text, const char *word);

/* The value of a tag in a list of them, "i=1; d=a.example" (RFC 6376 3.2): 1, or 0. */
int auth_tag(const char *value, size_t n, const char *tag, struct span *out);

#endif
