/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ldap_edit: the change of one entry of cn=config, put together attribute by
 * attribute: for the server, as LDIF to read, and as LDIF that undoes it.
 */
#ifndef POSTROAD_LDAP_EDIT_H
#define POSTROAD_LDAP_EDIT_H

#include "ldap_config.h"

struct edit {
    struct ldap_change *change;
    FILE *ldif, *undo;
    size_t ldif_n, undo_n;
    int parts;
};

/* A change of dn, or an add, that undo_dn undoes. 0, or -1 without memory; then edit_end, too. */
int edit_begin(struct edit *e, const char *dn, const char *undo_dn, int adds);
/* "add: attr", "delete: attr", "replace: attr"; its values follow. */
void edit_open(struct edit *e, const char *op, const char *attr);
void edit_value(struct edit *e, enum dir_op op, const char *attr, const char *value);
void edit_delete_all(struct edit *e, const struct dir_attr *was);
/* What list has for the place and is not in effect at the entry. */
void edit_settings(struct edit *e, const struct dir_entry *at, const struct olc_list *list,
                   enum olc_where where, const char *overlay);
/* The finished change, NULL when nothing has to be done. 0, or -1 without memory. */
int edit_end(struct edit *e, struct ldap_change **change_r);

#endif
