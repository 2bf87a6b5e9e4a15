/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ldap_tls: the settings directory.tls_* and directory.starttls for whoever
 * connects to a directory server: the daemon's roles and the administrator's
 * command. One way to check a server's certificate for all.
 */
#ifndef POSTROAD_LDAP_TLS_H
#define POSTROAD_LDAP_TLS_H

#include "conf.h"

/*
 * Read the certificates into the library's default context, once. own_cert: with
 * directory.tls_cert_file, which is the daemon's identity, nobody else's. 0, or -1 and error.
 */
int ldap_tls_setup(const struct conf *conf, int own_cert, char *error, size_t error_n);
/* 1 when StartTLS is demanded on uri: as configured, for ldap:// only. */
int ldap_tls_starttls(const struct conf *conf, const char *uri);
/* 1 when a connection to one of them uses TLS, so that ldap_tls_setup is due. */
int ldap_tls_used(const struct conf *conf, const struct conf_list *uris);

#endif
