/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dir_other: one more connection to a server, as somebody else than the caller, to
 * see what that one is let do. Must not be used to change anything: what the caller
 * wants is done as the caller, or not at all.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dir_private.h"

int
dir_open_as(struct dir *d, const char *dn, const char *password, struct dir **other_r)
{
    struct berval secret = {strlen(password), (char *)password};
    struct dir *o = calloc(1, sizeof *o);
    int id, rc;

    *other_r = NULL;
    if (!o)
        return dir_refuse(d, CTL_TEMPORARY, "no memory");
    *o = (struct dir){.ctl = d->ctl, .base = d->base, .timeout = d->timeout, .uri = d->uri};
    o->ld = dir_connect(d->ctl, d->uri, d->error, sizeof d->error);
    if (!o->ld) {
        dir_close(&o);
        return CTL_TEMPORARY;
    }
    rc = ldap_sasl_bind(o->ld, dn, LDAP_SASL_SIMPLE, &secret, NULL, NULL, &id);
    rc = dir_result(o, rc == LDAP_SUCCESS ? dir_await(o, id, NULL) : rc, "bind as", dn);
    memcpy(d->error, o->error, sizeof d->error);
    if (rc == CTL_DONE)
        *other_r = o;
    else
        dir_close(&o);
    return rc;
}

int
dir_try_password(struct dir *d, const char *dn, const char *password)
{
    struct dir *other;
    int code = dir_open_as(d, dn, password, &other);

    dir_close(&other);
    return code;
}

int
dir_act_as(struct dir *d, const char *dn)
{
    char authzid[DIR_DN_MAX + 8];
    LDAPControl proxied = {.ldctl_oid = (char *)LDAP_CONTROL_PROXY_AUTHZ, .ldctl_iscritical = 1};
    LDAPControl *controls[] = {&proxied, NULL};
    int id, rc;

    snprintf(authzid, sizeof authzid, "dn:%s", dn);
    proxied.ldctl_value = (struct berval){strlen(authzid), authzid};
    rc = ldap_set_option(d->ld, LDAP_OPT_SERVER_CONTROLS, controls); /* copies them */
    if (rc == LDAP_SUCCESS)
        rc = ldap_whoami(d->ld, NULL, NULL, &id);
    if (rc == LDAP_SUCCESS)
        rc = dir_await(d, id, NULL);
    return dir_result(d, rc, "act as", dn);
}
