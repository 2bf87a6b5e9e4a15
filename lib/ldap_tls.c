/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ldap_tls: see ldap_tls.h. The TLS context is the library's default one: it is
 * made once, and every connection of the process uses it. Never logs; no text
 * holds more of a key than the name of its file.
 */
#include "ldap_tls.h"

#include <errno.h>
#include <ldap.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static int
require_cert(const char *word)
{
    static const struct {
        const char *word;
        int value;
    } words[] = {{"never", LDAP_OPT_X_TLS_NEVER},
                 {"hard", LDAP_OPT_X_TLS_HARD},
                 {"demand", LDAP_OPT_X_TLS_DEMAND},
                 {"allow", LDAP_OPT_X_TLS_ALLOW},
                 {"try", LDAP_OPT_X_TLS_TRY}};
    size_t i;

    for (i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(word, words[i].word) == 0)
            return words[i].value;
    return LDAP_OPT_X_TLS_DEMAND;
}

/* A file for the TLS library, if one is configured. 0, or -1 and error. */
static int
tls_file(int option, const char *key, const char *path, char *error, size_t error_n)
{
    if (!path[0])
        return 0;
    if (access(path, R_OK) == 0 && ldap_set_option(NULL, option, path) == LDAP_OPT_SUCCESS)
        return 0;
    snprintf(error, error_n, "%s: %s: %s", key, path, strerror(errno));
    return -1;
}

int
ldap_tls_setup(const struct conf *conf, int own_cert, char *error, size_t error_n)
{
    int require = require_cert(conf->directory.tls_require_cert);
    int minimum = LDAP_OPT_X_TLS_PROTOCOL_TLS1_2, client = 0;

    if (tls_file(LDAP_OPT_X_TLS_CACERTFILE, "directory.tls_ca_file", conf->directory.tls_ca_file,
                 error, error_n) < 0)
        return -1;
    if (own_cert && (tls_file(LDAP_OPT_X_TLS_CERTFILE, "directory.tls_cert_file",
                              conf->directory.tls_cert_file, error, error_n) < 0 ||
                     tls_file(LDAP_OPT_X_TLS_KEYFILE, "directory.tls_key_file",
                              conf->directory.tls_key_file, error, error_n) < 0))
        return -1;
    ldap_set_option(NULL, LDAP_OPT_X_TLS_REQUIRE_CERT, &require);
    ldap_set_option(NULL, LDAP_OPT_X_TLS_PROTOCOL_MIN, &minimum);
    if (ldap_set_option(NULL, LDAP_OPT_X_TLS_NEWCTX, &client) == LDAP_OPT_SUCCESS)
        return 0;
    snprintf(error, error_n, "directory.tls_*: a certificate or key can't be used");
    return -1;
}

/* --- what the URI says --- */

static int
is_loopback(const char *host)
{
    return !host || !host[0] || strcasecmp(host, "localhost") == 0 ||
           strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

int
ldap_tls_starttls(const struct conf *conf, const char *uri)
{
    LDAPURLDesc *url;
    int wants;

    if (strncasecmp(uri, "ldap://", 7) != 0 || strcmp(conf->directory.starttls, "no") == 0)
        return 0;
    if (strcmp(conf->directory.starttls, "yes") == 0)
        return 1;
    if (ldap_url_parse(uri, &url) != LDAP_URL_SUCCESS)
        return 1;
    wants = !is_loopback(url->lud_host);
    ldap_free_urldesc(url);
    return wants;
}

int
ldap_tls_used(const struct conf *conf, const struct conf_list *uris)
{
    for (size_t i = 0; i < uris->n; i++)
        if (strncasecmp(uris->v[i], "ldaps://", 8) == 0 || ldap_tls_starttls(conf, uris->v[i]))
            return 1;
    return 0;
}
