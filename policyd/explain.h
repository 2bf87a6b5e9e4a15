/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explain: what explain.c finds out about one address and explain_steps.c puts
 * into words. Only for these two.
 */
#ifndef POSTROAD_EXPLAIN_H
#define POSTROAD_EXPLAIN_H

#include "control.h"

#define EXPLAIN_NAME_MAX 256

/* A setting and who says so: "account", "list", "department", "domain", "site", "default"; "" nobody. */
struct origin {
    char value[EXPLAIN_NAME_MAX];
    const char *from;
    json_t *dn; /* of the entry that says so; NULL */
};

struct explain {
    struct control *c;
    struct moment now;
    struct map_trace t;                /* of the mailbox lookup    */
    char primary[ADDR_DOMAIN_MAX + 1]; /* the domain's primary name, "" when it is not ours */
    struct origin home, standby, state, forward; /* forward: only where it is withheld */
};

/* The rules up to the one that decides, each with what it looked at. */
json_t *explain_steps(const struct explain *x);

#endif
