/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dir_connect: from a URI to a connection with TLS as configured, not yet bound.
 *
 * Promises: ends within directory.timeout for each step, also on a server that
 * accepts and then says nothing: libldap bounds the connect and each answer, but
 * not a TLS handshake (with a network timeout set and GnuTLS it spins for ever),
 * so an alarm shuts the socket down. Never follows a referral.
 */
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <signal.h>
#include <unistd.h>

#include "dir_private.h"
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

static void
set_options(LDAP *ld, int timeout)
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

static int
open_steps(LDAP *ld, const struct conf *conf, const char *uri, char *error, size_t error_n)
{
    char *diagnostic = NULL;
    const char *step = "connect";
    int rc = ldap_connect(ld);

    if (rc == LDAP_SUCCESS && ldap_tls_starttls(conf, uri)) {
        step = "StartTLS";
        rc = ldap_start_tls_s(ld, NULL, NULL);
    }
    if (rc == LDAP_SUCCESS)
        return 0;
    ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &diagnostic);
    snprintf(error, error_n, "%s: %s: %s%s%s%s", uri, step, ldap_err2string(rc),
             diagnostic && *diagnostic ? " (" : "", diagnostic ? diagnostic : "",
             diagnostic && *diagnostic ? ")" : "");
    ldap_memfree(diagnostic);
    return -1;
}

/* Certificates are read once, for the first connection that needs them. */
static int
tls_ready(const struct conf *conf, const char *uri, char *error, size_t error_n)
{
    static int done;

    if (done || (strncasecmp(uri, "ldaps://", 8) != 0 && !ldap_tls_starttls(conf, uri)))
        return 0;
    done = ldap_tls_setup(conf, 0, error, error_n) == 0;
    return done ? 0 : -1;
}

LDAP *
dir_connect(const struct conf *conf, const char *uri, char *error, size_t error_n)
{
    unsigned timeout = (unsigned)conf->directory.timeout;
    struct ldap_conncb callback = {on_connected, on_disconnected, &timeout};
    struct sigaction act = {.sa_handler = on_alarm}, before;
    LDAP *ld = NULL;
    int rc;

    if (tls_ready(conf, uri, error, error_n) < 0)
        return NULL;
    if ((rc = ldap_initialize(&ld, uri)) != LDAP_SUCCESS) {
        snprintf(error, error_n, "%s: %s", uri, ldap_err2string(rc));
        return NULL;
    }
    set_options(ld, conf->directory.timeout);
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
