/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * place: where in the directory something is: domains by any of their names,
 * departments by their path below the domain, sites by name. Results as in dir.h;
 * what was not found is said in dir_error().
 */
#ifndef POSTROAD_PLACE_H
#define POSTROAD_PLACE_H

#include "dir.h"

#define PLACE_DN_MAX 2048

/* The domain that has this name, canonical, among its names. CTL_NO: none has, or several. */
int place_domain(struct dir *d, const char *name, struct dir_entry **e_r);
/* Its name: the one in its RDN, else its first one. Into out (256 bytes); "" when it has none. */
void place_domain_name(const struct dir_entry *domain, char out[256]);
/*
 * The DN of a department: its path below the domain ("hr/pay"; "\/" is a "/" in a name), or its
 * DN, which must be below the domain. "" or "/": the domain itself. It is there.
 */
int place_department(struct dir *d, const char *domain_dn, const char *path, char dn[PLACE_DN_MAX]);
/* Whether there is a site of this name. */
int place_site(struct dir *d, const char *name);

#endif
