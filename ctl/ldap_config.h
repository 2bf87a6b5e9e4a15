/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ldap_config: what the verbs `postroad ldap-config …` share.
 */
#ifndef POSTROAD_LDAP_CONFIG_H
#define POSTROAD_LDAP_CONFIG_H

#include "dir.h"
#include "ldap_olc.h"

struct ldap_request {
    const struct ctl *ctl;
    char parts[256]; /* blanks around each */
    struct ldap_names names;
    char base[1024], domains[1024], gate[1024], services[1024], sites[1024];
    struct ldap_template t;
    struct olc_list values;
};

/* One entry of cn=config to be added or changed, with what undoes it. */
struct ldap_change {
    char *dn, *undo_dn;
    int adds;
    struct dir_change *change;
    char *ldif, *undo; /* undo: "" when nothing has to be undone, or it can't be */
    struct ldap_change *next;
};

/* ldap_diff.c: what has to change at the server for values to be in effect; in order. */
int ldap_diff(struct dir *d, const struct ldap_request *r, struct ldap_change **first_r);
void ldap_change_free(struct ldap_change **first);
/* ldap_schema.c: whether the server's schema knows all names of r; CTL_NO after saying which is missing. */
int ldap_schema_check(struct dir *d, const struct ldap_request *r);
/* ldap_config.c: how many entries of cn=config have to change. Results as in dir.h, and said. */
int ldap_config_missing(struct ctl *ctl, struct dir *d, int *n_r);

#endif
