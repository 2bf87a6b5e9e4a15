/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ldap_bounds: see ldap_bounds.h. An option that this libldap does not know is left as it is: none of these
 * fails otherwise.
 */
#include "ldap_bounds.h"

#include <ldap.h>
#include <sys/time.h>

void
ldap_bounds_set(struct ldap *ld, int timeout)
{
    const struct timeval limit = {timeout, 0};
    unsigned user_timeout = (unsigned)timeout * 1000;
    int version = LDAP_VERSION3;

    ldap_set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &version);
    ldap_set_option(ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
    ldap_set_option(ld, LDAP_OPT_NETWORK_TIMEOUT, &limit);
    ldap_set_option(ld, LDAP_OPT_TIMEOUT, &limit);
    ldap_set_option(ld, LDAP_OPT_X_SASL_NOCANON, LDAP_OPT_ON);
    ldap_set_option(ld, LDAP_OPT_TCP_USER_TIMEOUT, &user_timeout);
}
