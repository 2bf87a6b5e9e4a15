/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf_check: what a configuration must hold beyond the type and range of each
 * setting: paths that do not depend on where a program was started, sockets that
 * can be opened, one source for the directory, a bind that can work, and filters
 * that can be evaluated.
 * Looks at the settings only, never at the system they speak of.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#include "addr.h"
#include "cidr.h"
#include "conf_private.h"
#include "filter.h"

static const char *
conf_string(const struct conf_load *l, const char *key)
{
    return *(char *const *)((const char *)l->conf + conf_row_find(key)->offset);
}

static int
check_site(struct conf_load *l)
{
    for (char *p = l->conf->site; *p; p++) {
        if ((unsigned char)*p < 0x80 && !isalnum((unsigned char)*p) && !strchr("-_.", *p))
            return conf_fail_key(l, "site", "'%c' can't be part of a site's name", *p);
        *p = *p >= 'A' && *p <= 'Z' ? (char)(*p | 0x20) : *p;
    }
    return 0;
}

static int
check_delimiter(struct conf_load *l)
{
    for (const char *p = l->conf->recipient_delimiter; *p; p++)
        if (!strchr("!#$%&'*+-./=?^_`{|}~", *p))
            return conf_fail_key(l, "recipient_delimiter", "'%c' can't begin an extension", *p);
    return 0;
}

/* "transport:nexthop", as in transport(5); the name is one of master.cf. */
static int
check_transports(struct conf_load *l)
{
    static const char *const keys[] = {"local_transport", "wait_transport"};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *value = conf_string(l, keys[i]), *p = value;

        while (isalnum((unsigned char)*p) || *p == '-' || *p == '_')
            p++;
        if (p == value || *p != ':')
            return conf_fail_key(l, keys[i], "must begin with the name of a transport and \":\"");
    }
    return 0;
}

static int
check_paths(struct conf_load *l)
{
    static const char *const keys[] = {"state_dir",
                                       "accounting.dir",
                                       "cold.dir",
                                       "homes.dir",
                                       "hook.ca_file",
                                       "directory.ldif",
                                       "directory.password_file",
                                       "directory.tls_ca_file",
                                       "directory.tls_cert_file",
                                       "directory.tls_key_file",
                                       "edit.password_file",
                                       "queue.postqueue",
                                       "queue.postsuper",
                                       "queue.config_dir",
                                       "held.password_file",
                                       "access.http_key_file"};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *value = conf_string(l, keys[i]);

        if (*value && *value != '/')
            return conf_fail_key(l, keys[i], "must be an absolute path, beginning with \"/\"");
    }
    return 0;
}

static int
check_unix_socket(struct conf_load *l, const char *key)
{
    const char *value = conf_string(l, key);
    size_t room = sizeof((struct sockaddr_un *)0)->sun_path;

    if (!*value)
        return 0;
    if (strncmp(value, "unix:", 5) != 0)
        return conf_fail_key(l, key, "must be \"unix:/path\"");
    if (value[5] != '/')
        return conf_fail_key(l, key, "must be an absolute path after \"unix:\"");
    if (value[strlen(value) - 1] == '/')
        return conf_fail_key(l, key, "must name a socket, not a folder");
    if (strlen(value + 5) >= room)
        return conf_fail_key(l, key, "the path is longer than %zu bytes", room - 1);
    return 0;
}

static int
is_loopback(const char *host)
{
    struct in_addr v4;

    if (strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0)
        return 1;
    return inet_pton(AF_INET, host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127;
}

/* "SITE=unix:/path" or "SITE=inet:address:port": whoever is asked must be on this host, or behind a tunnel. */
static int
check_peers(struct conf_load *l)
{
    const struct conf_list *peers = &l->conf->compare.peers;

    for (size_t i = 0; i < peers->n; i++) {
        const char *v = peers->v[i], *at = strchr(v, '='), *colon;
        char host[64] = "";

        if (!at || at == v)
            return conf_fail_key(l, "compare.peers", "\"%s\" is not SITE=ADDRESS", v);
        if (strncmp(++at, "unix:/", 6) == 0)
            continue;
        colon = strrchr(at, ':');
        if (strncmp(at, "inet:", 5) == 0 && colon > at + 5 && colon - at - 5 < 64)
            memcpy(host, at + 5, (size_t)(colon - at - 5));
        if (!is_loopback(host))
            return conf_fail_key(l, "compare.peers",
                                 "\"%s\" is neither unix:/path nor inet:127.0.0.1:port", at);
    }
    return 0;
}

static int
check_http(struct conf_load *l)
{
    const char *value = l->conf->sockets.http, *colon = strrchr(value, ':');
    char host[128], *end;
    long port;

    if (!*value)
        return 0;
    if (!colon || !isdigit((unsigned char)colon[1]))
        return conf_fail_key(l, "sockets.http", "must be \"address:port\"");
    port = strtol(colon + 1, &end, 10);
    if (*end || port < 1 || port > 65535)
        return conf_fail_key(l, "sockets.http", "\"%s\" is no port", colon + 1);
    memcpy(host, value, (size_t)(colon - value)); /* a row's length limit keeps it inside */
    host[colon - value] = '\0';
    if (!is_loopback(host))
        return conf_fail_key(l, "sockets.http",
                             "\"%s\" is no loopback address (127.0.0.1 or [::1])", host);
    return 0;
}

/* Whether two addresses are one; repeated slashes don't make a difference. */
static int
same_socket(const char *a, const char *b)
{
    while (*a && *a == *b) {
        if (*a == '/') {
            a += strspn(a, "/");
            b += strspn(b, "/");
        } else {
            a++, b++;
        }
    }
    return *a == *b;
}

static int
check_sockets(struct conf_load *l)
{
    static const char *const keys[] = {"sockets.map",     "sockets.policy", "sockets.access",
                                       "sockets.control", "sockets.milter", "sockets.hook"};
    const size_t n = sizeof keys / sizeof *keys;

    for (size_t i = 0; i < n; i++) {
        const char *value = conf_string(l, keys[i]);

        if (check_unix_socket(l, keys[i]) < 0)
            return -1;
        for (size_t j = 0; *value && j < i; j++)
            if (same_socket(value, conf_string(l, keys[j])))
                return conf_fail_key(l, keys[i], "is the same socket as %s", keys[j]);
    }
    return check_peers(l) < 0 ? -1 : check_http(l);
}

static int
check_uris(struct conf_load *l, const char *key, const struct conf_list *uri)
{
    for (size_t i = 0; i < uri->n; i++) {
        const char *v = uri->v[i];

        if (strncasecmp(v, "ldap://", 7) != 0 && strncasecmp(v, "ldaps://", 8) != 0 &&
            strncasecmp(v, "ldapi://", 8) != 0)
            return conf_fail_key(l, key, "\"%s\" does not begin with ldap://, ldaps:// or ldapi://",
                                 v);
    }
    return 0;
}

static int
check_source(struct conf_load *l)
{
    const struct conf_list *uri = &l->conf->directory.uri;
    const struct conf_list *providers = &l->conf->directory.providers;
    int ldif = *l->conf->directory.ldif != '\0';

    if (ldif && uri->n > 0)
        return conf_fail_key(l, "directory.ldif",
                             "can't be given together with directory.uri: choose one");
    if (!ldif && uri->n == 0)
        return conf_fail(l, (struct conf_place){NULL, 0}, "directory",
                         "neither uri nor ldif is given: where is the directory?");
    if (ldif && providers->n > 0)
        return conf_fail_key(l, "directory.providers",
                             "can't be given together with directory.ldif: the file is the truth");
    if (check_uris(l, "admin.uri", &l->conf->admin.uri) < 0 ||
        check_uris(l, "edit.uri", &l->conf->edit.uri) < 0 ||
        check_uris(l, "held.uri", &l->conf->held.uri) < 0 ||
        check_uris(l, "directory.uri", uri) < 0 ||
        check_uris(l, "directory.providers", providers) < 0)
        return -1;
    if (uri->n > 0 && !*l->conf->directory.base)
        return conf_fail_key(l, "directory.uri", "needs directory.base");
    return 0;
}

static int
check_bind(struct conf_load *l)
{
    int dn = *l->conf->directory.bind_dn != '\0';
    int password = *l->conf->directory.password_file != '\0';
    int cert = *l->conf->directory.tls_cert_file != '\0';
    int key = *l->conf->directory.tls_key_file != '\0';

    if (*l->conf->directory.sasl_mech && dn)
        return conf_fail_key(l, "directory.sasl_mech",
                             "can't be given together with directory.bind_dn: choose one");
    if (dn && !password)
        return conf_fail_key(l, "directory.bind_dn", "needs directory.password_file");
    if (password && !dn)
        return conf_fail_key(l, "directory.password_file", "needs directory.bind_dn");
    if (cert != key)
        return conf_fail_key(l, cert ? "directory.tls_cert_file" : "directory.tls_key_file",
                             "needs %s",
                             cert ? "directory.tls_key_file" : "directory.tls_cert_file");
    if (l->conf->directory.retry_min > l->conf->directory.retry_max)
        return conf_fail_key(l, "directory.retry_min", "is more than directory.retry_max (%d)",
                             l->conf->directory.retry_max);
    return 0;
}

static int
check_edit(struct conf_load *l)
{
    int dn = *l->conf->edit.bind_dn != '\0', password = *l->conf->edit.password_file != '\0';

    if (*l->conf->edit.sasl_mech && dn)
        return conf_fail_key(l, "edit.sasl_mech",
                             "can't be given together with edit.bind_dn: choose one");
    if (dn != password)
        return conf_fail_key(l, dn ? "edit.bind_dn" : "edit.password_file", "needs %s",
                             dn ? "edit.password_file" : "edit.bind_dn");
    if ((dn || *l->conf->edit.sasl_mech) && l->conf->edit.uri.n == 0 && l->conf->admin.uri.n == 0 &&
        l->conf->directory.uri.n == 0)
        return conf_fail_key(l, dn ? "edit.bind_dn" : "edit.sasl_mech", "needs edit.uri");
    return 0;
}

static int
check_held(struct conf_load *l)
{
    int dn = *l->conf->held.bind_dn != '\0', password = *l->conf->held.password_file != '\0';
    const char *key = dn ? "held.bind_dn" : "held.sasl_mech", *submit = l->conf->held.submit;

    if (*submit && (strncmp(submit, "smtp://", 7) != 0 || !submit[7] || strpbrk(submit, " \t")))
        return conf_fail_key(l, "held.submit", "must be smtp://host:port");
    if (*l->conf->held.sasl_mech && dn)
        return conf_fail_key(l, "held.sasl_mech",
                             "can't be given together with held.bind_dn: choose one");
    if (dn != password)
        return conf_fail_key(l, dn ? "held.bind_dn" : "held.password_file", "needs %s",
                             dn ? "held.password_file" : "held.bind_dn");
    if (!dn && !*l->conf->held.sasl_mech)
        return 0;
    if (l->conf->held.uri.n == 0 && l->conf->directory.uri.n == 0)
        return conf_fail_key(l, key, "needs held.uri");
    return *l->conf->directory.base ? 0 : conf_fail_key(l, key, "needs directory.base");
}

/* What is no DN at all; the programs that have an LDAP library look closer. */
static int
check_rights(struct conf_load *l)
{
    static const char *const keys[] = {"rights.admins", "rights.domains"};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *dn = conf_string(l, keys[i]), *eq = strchr(dn, '=');

        if (*dn && (!eq || eq == dn))
            return conf_fail_key(l, keys[i], "\"%.80s\" is no distinguished name", dn);
    }
    return 0;
}

/* A filter that can't be evaluated would match no entry, and everybody would be unknown. */
static int
check_filters(struct conf_load *l)
{
    static const char *const keys[CLASS_N] = {[CLASS_ACCOUNT] = "directory.map.account.filter",
                                              [CLASS_LIST] = "directory.map.list.filter",
                                              [CLASS_DOMAIN] = "directory.map.domain.filter",
                                              [CLASS_DEPARTMENT] =
                                                  "directory.map.department.filter"};

    for (size_t i = 0; i < CLASS_N; i++) {
        const char *filter = conf_string(l, keys[i]);
        size_t at = 0;

        if (*filter && filter_check(filter, &at) < 0)
            return conf_fail_key(l, keys[i], "is no filter we can evaluate, from \"%.40s\" on",
                                 filter + at);
    }
    return 0;
}

/* "site=host" or "site=host/ip". They become fields of a line, where blanks and colons part. */
static int
check_homes(struct conf_load *l)
{
    const struct conf_list *hosts = &l->conf->homes.hosts;

    for (size_t i = 0; i < hosts->n; i++) {
        const char *v = hosts->v[i], *eq = strchr(v, '='), *slash = eq ? strchr(eq, '/') : NULL;

        if (!eq || eq == v || eq[1] == '\0' || eq[1] == '/' || (slash && slash[1] == '\0') ||
            strpbrk(v, " \t\r\n:"))
            return conf_fail_key(l, "homes.hosts",
                                 "\"%.80s\" is not SITE=HOST or SITE=HOST/ADDRESS", v);
    }
    if (strpbrk(l->conf->homes.fields, "\r\n:"))
        return conf_fail_key(l, "homes.fields", "can't hold colons or line ends");
    return 0;
}

static int
check_network(struct conf_load *l, const char *key, const struct conf_list *list)
{
    struct cidr network;
    const char *why;

    for (size_t i = 0; i < list->n; i++)
        if (cidr_parse(span_of(list->v[i]), &network, &why) < 0)
            return conf_fail_key(l, key, "\"%.80s\" %s", list->v[i], why);
    return 0;
}

static int
check_networks(struct conf_load *l)
{
    const struct conf *conf = l->conf;

    if (check_network(l, "inside_networks", &conf->inside_networks) < 0 ||
        check_network(l, "spoof.trusted_forwarders", &conf->spoof.trusted_forwarders) < 0)
        return -1;
    return check_network(l, "spoof.gateways", &conf->spoof.gateways);
}

/* A name that could be nobody's would never be believed. */
static int
check_spoof(struct conf_load *l)
{
    const struct conf_list *sealers = &l->conf->spoof.arc_sealers;
    const char *id = l->conf->spoof.authserv_id;
    char name[ADDR_DOMAIN_MAX + 1];

    if (strpbrk(id, " \t\r\n;=()\""))
        return conf_fail_key(l, "spoof.authserv_id", "can't hold blanks, quotes or any of ;=()");
    if (sealers->n > 0 && !*id)
        return conf_fail_key(l, "spoof.arc_sealers", "needs spoof.authserv_id");
    for (size_t i = 0; i < sealers->n; i++)
        if (addr_domain_canon(sealers->v[i], strlen(sealers->v[i]), name) <= 0)
            return conf_fail_key(l, "spoof.arc_sealers", "\"%.80s\" is no domain", sealers->v[i]);
    return 0;
}

int
conf_check(struct conf_load *l)
{
    static int (*const checks[])(struct conf_load *) = {
        check_site,      check_delimiter, check_transports, check_paths,
        check_sockets,   check_source,    check_bind,       check_edit,
        check_held,      check_filters,   check_rights,     check_homes,
        conf_check_hook, conf_check_hold, check_networks,   check_spoof,
    };

    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        if (checks[i](l) < 0)
            return -1;
    return 0;
}
