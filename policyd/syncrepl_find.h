/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * syncrepl_find: a search for addresses (search.h) as a provider is asked it, and its
 * answer as the mirror would hold it.
 */
#ifndef POSTROAD_SYNCREPL_FIND_H
#define POSTROAD_SYNCREPL_FIND_H

#include <ldap.h>

#include "search.h"

struct syncrepl_find; /* one for each thread */

struct syncrepl_find *syncrepl_find_new(const struct conf *conf); /* NULL: no memory */
void syncrepl_find_free(struct syncrepl_find **f);

/* Ask for s, or for as much of it as one search can. 0 and *id_r, or an LDAP result code. */
int syncrepl_find_ask(struct syncrepl_find *f, LDAP *ld, const char *base, struct search *s,
                      int *id_r);
/* Read the whole answer into s. 0, or an LDAP result code: s is of no use. */
int syncrepl_find_read(struct syncrepl_find *f, LDAP *ld, LDAPMessage *answer, struct search *s);

#endif
