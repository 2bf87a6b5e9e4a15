/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * syncrepl_entry: an entry in a provider's answer, read into a collect.
 */
#ifndef POSTROAD_SYNCREPL_ENTRY_H
#define POSTROAD_SYNCREPL_ENTRY_H

#include <ldap.h>

#include "collect.h"

/*
 * Read the entry's name and attributes; they stay in the message. 0; -1 it can't be read; -2 no memory.
 * *ber_r is to be freed by ber_free(*ber_r, 0) in any case, when dn is not needed any more.
 */
int syncrepl_entry_read(LDAP *ld, LDAPMessage *entry, struct collect *c, struct berval *dn,
                        BerElement **ber_r);

#endif
