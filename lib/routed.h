/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * routed: the address that stands inside another one, as Postfix reads it when the outer domain is its own
 * or is missing: "site!user", "user%site", "user%site@host", "user@site@host". Pure.
 */
#ifndef POSTROAD_ROUTED_H
#define POSTROAD_ROUTED_H

#include "addr.h"
#include "span.h"

#define ROUTED_MOST 8 /* of them in one another */

/*
 * address: in Postfix's internal form, without quotes. 1 and the inner one in out, its length in *n_r;
 * 0: there is none. It may have another inside.
 */
int routed_inner(struct span address, char out[ADDR_MAX + 1], size_t *n_r);

#endif
