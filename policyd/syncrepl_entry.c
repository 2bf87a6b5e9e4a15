/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * syncrepl_entry: see syncrepl_entry.h. One way for entries that are followed and those
 * that were looked for, so that both give the same record.
 */
#include "syncrepl_entry.h"

/* All values of one attribute. 0, or -2. */
static int
add_values(struct collect *c, const struct berval *name, const struct berval *values)
{
    for (size_t i = 0; values && values[i].bv_val; i++)
        if (collect_add(c, (struct span){name->bv_val, name->bv_len},
                        (struct span){values[i].bv_val, values[i].bv_len}) < 0)
            return -2;
    return 0;
}

int
syncrepl_entry_read(LDAP *ld, LDAPMessage *entry, struct collect *c, struct berval *dn,
                    BerElement **ber_r)
{
    struct berval name, *values;
    int rc, added = 0;

    *ber_r = NULL;
    collect_reset(c);
    if (ldap_get_dn_ber(ld, entry, ber_r, dn) != LDAP_SUCCESS)
        return -1;
    while ((rc = ldap_get_attribute_ber(ld, entry, *ber_r, &name, &values)) == LDAP_SUCCESS &&
           name.bv_val) {
        added = add_values(c, &name, values);
        ber_memfree(values);
        if (added < 0)
            return added;
    }
    return rc == LDAP_SUCCESS ? 0 : -1;
}
