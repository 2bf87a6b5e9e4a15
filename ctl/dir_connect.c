/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dir_connect: from a URI to a connection with TLS as configured, not yet bound.
 *
 * Promises: ends within directory.timeout for each step, also on a server that
 * accepts and then says nothing: libldap bounds the connect and each answer, but
 * not a TLS handshake (with a network timeout set and GnuTLS it spins for ever),
 * so an alarm shuts the socket down. Never follows a referral.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <signal.h>
#include <unistd.h>

#include "dir_private.h"
#include "ldap_bounds.h"
#include "ldap_tls.h"

static volatile sig_atomic_t watched = -1;

static void
on_alarm(int number)
{
    (void)number;
    if (watched >= 0)
        shutdown(watched, SHUT_RDWR);
}

/* The socket is connected: from here on the alarm watches instead of the library. */
static int
on_connected(LDAP *ld, Sockbuf *sb, LDAPURLDesc *url, struct sockaddr *address,
             struct ldap_conncb *context)
{
    int fd = -1;

    (void)url;
    (void)address;
    ber_sockbuf_ctrl(sb, LBER_SB_OPT_GET_FD, &fd);
    watched = fd;
    alarm(*(const unsigned *)context->lc_arg + 1);
    ldap_set_option(ld, LDAP_OPT_NETWORK_TIMEOUT, NULL);
    return 0;
}

static void
on_disconnected(LDAP *ld, Sockbuf *sb, struct ldap_conncb *context)
{
    (void)ld;
    (void)sb;
    (void)context;
}

/* What is wrong with a certificate the TLS library tells in words of its own, or not at all. */
static void
explain_tls(const struct conf *conf, const char *uri, char *error, size_t error_n)
{
    LDAPURLDesc *url = NULL;
    size_t n = strlen(error);

    if (ldap_url_parse(uri, &url) != LDAP_URL_SUCCESS)
        return;
    snprintf(error + n, error_n - n,
             "\n    It must show a certificate for %s that is valid now, by an authority in %s",
             url->lud_host && *url->lud_host ? url->lud_host : "this host",
             *conf->directory.tls_ca_file ? conf->directory.tls_ca_file
                                          : "the system's list (set directory.tls_ca_file)");
    ldap_free_urldesc(url);
}

static int
open_steps(LDAP *ld, const struct conf *conf, const char *uri, char *error, size_t error_n)
{
    char *diagnostic = NULL;
    const char *step = "connect";
    int rc = ldap_connect(ld), tls = strncasecmp(uri, "ldaps://", 8) == 0 && watched >= 0;

    if (rc == LDAP_SUCCESS && ldap_tls_starttls(conf, uri)) {
        step = "StartTLS";
        tls = 1;
        rc = ldap_start_tls_s(ld, NULL, NULL);
    }
    if (rc == LDAP_SUCCESS)
        return 0;
    ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &diagnostic);
    snprintf(error, error_n, "%s: %s: %s%s%s%s", uri, step, ldap_err2string(rc),
             diagnostic && *diagnostic ? " (" : "", diagnostic ? diagnostic : "",
             diagnostic && *diagnostic ? ")" : "");
    if (tls && (rc == LDAP_CONNECT_ERROR || rc == LDAP_SERVER_DOWN))
        explain_tls(conf, uri, error, error_n);
    ldap_memfree(diagnostic);
    return -1;
}

/* The caller's own certificate: never the daemon's, which is for reading only. 0, or -1 and error. */
static int
own_certificate(const struct ctl *ctl, char *error, size_t error_n)
{
    const char *cert = ctl_value(ctl, "tls-cert"), *key = ctl_value(ctl, "tls-key");
    const char *files[] = {cert, key ? key : cert};
    const int options[] = {LDAP_OPT_X_TLS_CERTFILE, LDAP_OPT_X_TLS_KEYFILE};

    for (int i = 0; cert && i < 2; i++)
        if (access(files[i], R_OK) < 0 ||
            ldap_set_option(NULL, options[i], files[i]) != LDAP_OPT_SUCCESS) {
            snprintf(error, error_n, "%s: %s", files[i], strerror(errno));
            return -1;
        }
    return 0;
}

/* Certificates are read once, for the first connection that needs them. */
static int
tls_ready(const struct ctl *ctl, const char *uri, char *error, size_t error_n)
{
    static int done;

    if (done || (strncasecmp(uri, "ldaps://", 8) != 0 && !ldap_tls_starttls(ctl->conf, uri)))
        return 0;
    done = own_certificate(ctl, error, error_n) == 0 &&
           ldap_tls_setup(ctl->conf, 0, error, error_n) == 0;
    return done ? 0 : -1;
}

LDAP *
dir_connect(const struct ctl *ctl, const char *uri, char *error, size_t error_n)
{
    const struct conf *conf = ctl->conf;
    unsigned timeout = (unsigned)conf->directory.timeout;
    struct ldap_conncb callback = {on_connected, on_disconnected, &timeout};
    struct sigaction act = {.sa_handler = on_alarm}, before;
    LDAP *ld = NULL;
    int rc;

    if (tls_ready(ctl, uri, error, error_n) < 0)
        return NULL;
    if ((rc = ldap_initialize(&ld, uri)) != LDAP_SUCCESS) {
        snprintf(error, error_n, "%s: %s", uri, ldap_err2string(rc));
        return NULL;
    }
    ldap_bounds_set(ld, conf->directory.timeout);
    ldap_set_option(ld, LDAP_OPT_CONNECT_CB, &callback);
    sigaction(SIGALRM, &act, &before);
    rc = open_steps(ld, conf, uri, error, error_n);
    alarm(0);
    watched = -1;
    sigaction(SIGALRM, &before, NULL);
    ldap_get_option(ld, LDAP_OPT_CONNECT_CB, &callback); /* takes it off again */
    if (rc < 0) {
        ldap_unbind_ext(ld, NULL, NULL);
        return NULL;
    }
    return ld;
}
