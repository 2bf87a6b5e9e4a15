/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * privileges: how a program that was started as root becomes an ordinary user, for good.
 */
#ifndef POSTROAD_PRIVILEGES_H
#define POSTROAD_PRIVILEGES_H

#include <stddef.h>

/*
 * No core files, no new privileges, and, when we are root, user and group and no other group; what
 * was asked for is verified. group NULL: the user's own. user "root" is the administrator's own wish. 0, or
 * -1 and error.
 */
int privileges_drop(const char *user, const char *group, char *error, size_t error_n);

#endif
