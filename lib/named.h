/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * named: whom a rule of the configuration names: an address, a domain, or domain/department with all
 * departments below it. Pure.
 */
#ifndef POSTROAD_NAMED_H
#define POSTROAD_NAMED_H

#include "addr.h"
#include "span.h"

#define NAMED_DEPARTMENT 512 /* bytes of "hr/pay" with its NUL */

/* One of account and domain is not "". All canonical, but the department: as the directory has it. */
struct named {
    char account[ADDR_MAX + 1], domain[ADDR_DOMAIN_MAX + 1], department[NAMED_DEPARTMENT];
};

/* 0, or -1: it is none of these. */
int named_parse(struct named *n, struct span text);
/* Whether that is who has this primary address, domain and department ("" each: none). */
int named_is(const struct named *n, const char *account, const char *domain,
             const char *department);

#endif
