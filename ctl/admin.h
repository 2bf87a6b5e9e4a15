/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * admin: what granting and listing roles share.
 */
#ifndef POSTROAD_ADMIN_H
#define POSTROAD_ADMIN_H

#include "org.h"

/* The DN of the group whose members may hold a role, into dn; returned. */
const char *admin_gate(struct org *o, char dn[ORG_DN_MAX]);

#endif
