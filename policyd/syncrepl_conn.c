/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * syncrepl_conn: see syncrepl_conn.h. Never logs; must not put the password into
 * any text. The TLS context is the library's default one, made by setup: a later
 * connection, without privileges, can't read the key any more.
 *
 * libldap bounds the connect and each answer, but not a TLS handshake: with a
 * network timeout set and GnuTLS it spins for ever on a server that says nothing.
 * So that timeout ends with the connect, and a guard shuts the socket down when the
 * steps after it take too long, see syncrepl_guard.h. Several threads may open at once.
 */
#include "syncrepl_conn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "ldap_bounds.h"
#include "ldap_tls.h"
#include "syncrepl_guard.h"

#define PASSWORD_MAX 1024

static char password[PASSWORD_MAX + 1];
static size_t password_n;

/* --- secrets --- */

static int
read_password(const char *section, const char *path, char *error, size_t error_n,
              const char **warning_r)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    ssize_t n;

    if (fd < 0 || fstat(fd, &st) < 0 || (n = read(fd, password, PASSWORD_MAX)) < 0) {
        snprintf(error, error_n, "%s.password_file: %s: %s", section, path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    close(fd);
    password[n] = '\0';
    password_n = strcspn(password, "\r\n");
    password[password_n] = '\0';
    if (password_n == 0) {
        snprintf(error, error_n, "%s.password_file: %s: its first line is empty", section, path);
        return -1;
    }
    if (warning_r && st.st_mode & (S_IROTH | S_IWOTH))
        *warning_r = "directory.password_file can be read by everybody";
    return 0;
}

static int
uses_tls(const struct conf *conf)
{
    return ldap_tls_used(conf, &conf->directory.uri) || ldap_tls_used(conf, conf_providers(conf));
}

struct conf
syncrepl_conn_conf(const struct conf *conf, const struct syncrepl_login *login)
{
    const struct conf_list *const *uri = login->uri;
    struct conf c = *conf;

    while ((*uri)->n == 0 && uri[1])
        uri++;
    c.directory.bind_dn = login->bind_dn;
    c.directory.password_file = login->password_file;
    c.directory.sasl_mech = login->sasl_mech;
    c.directory.timeout = login->timeout;
    c.directory.uri = c.directory.providers = **uri;
    return c;
}

int
syncrepl_conn_setup(const struct conf *conf, const char *section, char *error, size_t error_n,
                    const char **warning_r)
{
    int version;

    if (warning_r)
        *warning_r = NULL;
    /* The library's own beginning, before there is a second thread. */
    ldap_get_option(NULL, LDAP_OPT_PROTOCOL_VERSION, &version);
    if (conf->directory.bind_dn[0] &&
        read_password(section, conf->directory.password_file, error, error_n, warning_r) < 0)
        return -1;
    return uses_tls(conf) ? ldap_tls_setup(conf, 1, error, error_n) : 0;
}

/* --- opening --- */

void
syncrepl_conn_reason(LDAP *ld, int code, char *out, size_t cap)
{
    char *diagnostic = NULL;

    ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &diagnostic);
    if (diagnostic && diagnostic[0])
        snprintf(out, cap, "%s (%s)", ldap_err2string(code), diagnostic);
    else
        snprintf(out, cap, "%s", ldap_err2string(code));
    ldap_memfree(diagnostic);
}

/* One attempt to open a connection. */
struct opening {
    int timeout, guard;
};

/* The socket is connected: from here on the guard watches. */
static int
on_connected(LDAP *ld, Sockbuf *sb, LDAPURLDesc *url, struct sockaddr *address,
             struct ldap_conncb *context)
{
    struct opening *o = context->lc_arg;
    int fd = -1;

    (void)url;
    (void)address;
    ber_sockbuf_ctrl(sb, LBER_SB_OPT_GET_FD, &fd);
    syncrepl_guard_end(o->guard);
    o->guard = syncrepl_guard_begin(fd, (o->timeout + 1) * 1000);
    ldap_set_option(ld, LDAP_OPT_NETWORK_TIMEOUT, NULL);
    return o->guard < 0 ? -1 : 0;
}

static void
on_disconnected(LDAP *ld, Sockbuf *sb, struct ldap_conncb *context)
{
    (void)ld;
    (void)sb;
    (void)context;
}

/* A line that died is noticed while nothing is said on it, too. */
static void
set_options(LDAP *ld, const struct conf *conf)
{
    int idle = 60, probes = 3, interval = 10;

    ldap_bounds_set(ld, conf->directory.timeout);
    ldap_set_option(ld, LDAP_OPT_X_KEEPALIVE_IDLE, &idle);
    ldap_set_option(ld, LDAP_OPT_X_KEEPALIVE_PROBES, &probes);
    ldap_set_option(ld, LDAP_OPT_X_KEEPALIVE_INTERVAL, &interval);
}

/* Wait for the answer to the bind; its result code. */
static int
bind_result(LDAP *ld, int id, int timeout)
{
    struct timeval limit = {timeout, 0};
    LDAPMessage *answer = NULL;
    int code = LDAP_TIMEOUT, rc = ldap_result(ld, id, LDAP_MSG_ALL, &limit, &answer);

    if (rc < 0) {
        ldap_get_option(ld, LDAP_OPT_RESULT_CODE, &code);
        return code ? code : LDAP_SERVER_DOWN;
    }
    if (rc > 0 && ldap_parse_result(ld, answer, &code, NULL, NULL, NULL, NULL, 0) != LDAP_SUCCESS)
        code = LDAP_DECODING_ERROR;
    ldap_msgfree(answer);
    return code;
}

static int
bind_as_configured(LDAP *ld, const struct conf *conf)
{
    int external = conf->directory.sasl_mech[0] != '\0';
    struct berval secret = {password_n, password}, nothing = {0, (char *)""};
    int simple = conf->directory.bind_dn[0] && !external;
    int id, rc;

    rc = ldap_sasl_bind(ld, simple ? conf->directory.bind_dn : "",
                        external ? conf->directory.sasl_mech : LDAP_SASL_SIMPLE,
                        simple ? &secret : &nothing, NULL, NULL, &id);
    return rc == LDAP_SUCCESS ? bind_result(ld, id, conf->directory.timeout) : rc;
}

static int
fail(LDAP *ld, const char *step, int code, char *error, size_t error_n)
{
    int n = snprintf(error, error_n, "%s: ", step);

    if (n > 0 && (size_t)n < error_n)
        syncrepl_conn_reason(ld, code, error + n, error_n - (size_t)n);
    return -1;
}

static int
open_steps(LDAP *ld, const struct conf *conf, const char *uri, char *error, size_t error_n)
{
    int rc, fd;

    if ((rc = ldap_connect(ld)) != LDAP_SUCCESS)
        return fail(ld, "connect", rc, error, error_n);
    if (ldap_tls_starttls(conf, uri) && (rc = ldap_start_tls_s(ld, NULL, NULL)) != LDAP_SUCCESS)
        return fail(ld, "starttls", rc, error, error_n);
    if ((rc = bind_as_configured(ld, conf)) != LDAP_SUCCESS)
        return fail(ld, "bind", rc, error, error_n);
    fd = syncrepl_conn_fd(ld);
    if (fd < 0 || fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
        return fail(ld, "connect", LDAP_CONNECT_ERROR, error, error_n);
    return 0;
}

LDAP *
syncrepl_conn_open(const struct conf *conf, const char *uri, char *error, size_t error_n)
{
    struct opening o = {conf->directory.timeout, -1};
    struct ldap_conncb callback = {on_connected, on_disconnected, &o};
    LDAP *ld = NULL;
    int rc = ldap_initialize(&ld, uri);

    if (rc != LDAP_SUCCESS) {
        snprintf(error, error_n, "not usable: %s", ldap_err2string(rc));
        return NULL;
    }
    set_options(ld, conf);
    ldap_set_option(ld, LDAP_OPT_CONNECT_CB, &callback);
    rc = open_steps(ld, conf, uri, error, error_n);
    syncrepl_guard_end(o.guard);
    ldap_get_option(ld, LDAP_OPT_CONNECT_CB, &callback); /* takes it off again */
    if (rc < 0)
        syncrepl_conn_close(&ld);
    return ld;
}

void
syncrepl_conn_close(LDAP **ld)
{
    if (*ld)
        ldap_unbind_ext(*ld, NULL, NULL);
    *ld = NULL;
}

int
syncrepl_conn_fd(LDAP *ld)
{
    int fd = -1;

    return ldap_get_option(ld, LDAP_OPT_DESC, &fd) == LDAP_OPT_SUCCESS ? fd : -1;
}
