/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * site_verbs: what the verbs for sites and servers share. (site.h is lib's: the
 * sites as route decisions see them.)
 */
#ifndef POSTROAD_SITE_VERBS_H
#define POSTROAD_SITE_VERBS_H

#include "org.h"

/*
 * A value of `description` that begins so is ours: what is wanted, since when, by whom and why. It
 * goes when something else is wanted; all other descriptions are the administrators'.
 */
#define SITE_NOTE "postroad: "

extern const struct org_kind site_kind; /* for org_one and org_modify */

/* What is wanted of a site or server; "up" where nothing is said. */
const char *site_wanted(const struct dir_entry *e);
/* Its note, with SITE_NOTE before it; "" for none. */
const char *site_note(const struct dir_entry *e);
/* One line for the system's log: who has done what with which site, and why. */
void site_log(const struct org *o, const char *dn, const char *what);

/* site_check.c: values in canonical form, refused when another site has them already (org_check). */
int site_check_hop(struct org *o, const char *value, char *out, size_t cap);
int site_check_host(struct org *o, const char *value, char *out, size_t cap);
int site_check_print(struct org *o, const char *value, char *out, size_t cap);
/* For those to be taken away: canonical only. */
int site_check_old_print(struct org *o, const char *value, char *out, size_t cap);
/* Refuse to delete a site or server that entries name as theirs. */
int site_check_unused(struct org *o, const struct dir_entry *e);

#endif
