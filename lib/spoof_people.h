/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spoof_people: what the directory says of a domain, as spoof_judge wants to know it: the same for the milter,
 * which judges, and policyd, which explains.
 */
#ifndef POSTROAD_SPOOF_PEOPLE_H
#define POSTROAD_SPOOF_PEOPLE_H

#include "people.h"
#include "spoof_judge.h"

/* A spoof_lookup; ctx: struct people *. */
int spoof_people_domain(void *ctx, struct span name, struct spoof_domain *out);

#endif
