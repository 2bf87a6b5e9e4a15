/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * syncrepl_conn: one connection to a provider, from its URI to a finished bind.
 * Every step ends within directory.timeout; referrals are never followed; the
 * password and the TLS keys are read once, before privileges are dropped.
 */
#ifndef POSTROAD_SYNCREPL_CONN_H
#define POSTROAD_SYNCREPL_CONN_H

#include <ldap.h>

#include "conf.h"

/*
 * The settings of directory, with another credential in the place of the mirror's, for a role that binds with one
 * of its own. uri: the first that is not empty of a list that ends with NULL. Borrows all of conf.
 */
struct syncrepl_login {
    char *bind_dn, *password_file, *sasl_mech;
    int timeout; /* seconds */
    const struct conf_list *uri[4];
};
struct conf syncrepl_conn_conf(const struct conf *conf, const struct syncrepl_login *login);

/*
 * Read secrets and certificates; section: whose password_file it is, "directory". 0, or -1 and error; *warning_r
 * (may be NULL) is set when something is unwise.
 */
int syncrepl_conn_setup(const struct conf *conf, const char *section, char *error, size_t error_n,
                        const char **warning_r);

/* Connect and bind. Returns the handle, with a socket that doesn't block, or NULL and error. */
LDAP *syncrepl_conn_open(const struct conf *conf, const char *uri, char *error, size_t error_n);
void syncrepl_conn_close(LDAP **ld);

/* Its socket; -1 when it has none. */
int syncrepl_conn_fd(LDAP *ld);
/* "text (diagnostic message of the server)" for a result code. */
void syncrepl_conn_reason(LDAP *ld, int code, char *out, size_t cap);

#endif
