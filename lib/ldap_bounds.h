/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ldap_bounds: what holds for every connection to a directory server, the daemon's and the
 * administrator's: by whom it may keep us waiting, and for how long.
 */
#ifndef POSTROAD_LDAP_BOUNDS_H
#define POSTROAD_LDAP_BOUNDS_H

struct ldap;

/*
 * For a handle that is not connected yet: LDAPv3, no referral is followed, no name looked up backwards; connecting
 * and each answer end within timeout seconds, and so does what is sent to who takes nothing. Not a TLS handshake.
 */
void ldap_bounds_set(struct ldap *ld, int timeout);

#endif
