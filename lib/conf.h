/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * conf: /etc/postroad/postroad.conf, read with libconfig against one table of
 * settings. The table (conf_rows) is the only place where a key, its type,
 * default, range and meaning stand; the manual is tested against it.
 *
 * Unknown keys, wrong types and values out of range are errors that name file,
 * line and key, and the nearest known key. Never logs: errors go to the caller.
 */
#ifndef POSTROAD_CONF_H
#define POSTROAD_CONF_H

#include <stddef.h>
#include <stdint.h>

#define CONF_LIST_MAX     16
#define CONF_PATH_DEFAULT "postroad.conf" /* below the sysconfdir of the build, see config.h */

struct conf_list {
    size_t n;
    char *v[CONF_LIST_MAX];
};

/* directory.map.CLASS: how one class of entries is found and read; see attrs.h. */
struct conf_class {
    char *filter;
    struct conf_list address, alias, forward, home_site, home_host, standby, state, deny, quota,
        member, member_dn, sender, domain, catch_all, name;
    struct conf_list active; /* values of `state` that mean active; empty: Postroad's own words */
};

enum conf_class_id { CLASS_ACCOUNT, CLASS_LIST, CLASS_DOMAIN, CLASS_DEPARTMENT, CLASS_N };

struct conf {
    char *site, *state_dir, *local_transport, *wait_transport, *recipient_delimiter;
    char *user, *group, *socket_group;
    struct conf_list inside_networks; /* see cidr.h */
    int unknown_wait;                 /* seconds */
    int sandbox;                      /* bool */
    struct {
        char *ldif, *base, *bind_dn, *password_file, *sasl_mech, *starttls, *tls_ca_file,
            *tls_cert_file, *tls_key_file, *tls_require_cert, *preset;
        struct conf_list uri, providers; /* providers empty: those of uri, see conf_providers */
        int timeout, heartbeat, retry_min, retry_max; /* seconds */
        int sweep_guard, sweep_floor;                 /* per cent; entries */
        int verify_unknown;                           /* bool */
        int quota_unit;                               /* bytes in one unit of the quota attribute */
        struct conf_class map[CLASS_N];
    } directory;
    struct {
        char *map, *policy, *access, *control, *hook, *http, *milter;
    } sockets;
    struct {
        int workers, max_connections, max_parked, idle_timeout, write_timeout; /* seconds */
    } answer;
    struct {
        char *socket_group, *share, *owner_on_doubt, *record_logins, *http_key_file;
        int require_reason; /* bool */
        int max_connections;
    } access;
    struct {
        char *dir; /* "": no cold tables */
    } cold;
    struct {
        char *dir, *group, *fields; /* dir "": no files for Dovecot */
        struct conf_list hosts;     /* "site=host" or "site=host/ip" */
    } homes;
    struct {
        struct conf_list targets;                    /* "name=URL"; none: no role hook */
        struct conf_list accounts, secrets, headers; /* "name=pattern", "name=file" */
        char *ca_file, *socket_group;
        int subject;                                    /* bool */
        int timeout, concurrency, retry_min, retry_max; /* seconds; events */
        int max_events, max_size, max_age;              /* number; MiB; seconds */
    } hook;
    struct {
        struct conf_list peers; /* "site=address" */
        int interval;           /* seconds; 0: policyd does not compare by itself */
    } compare;
    struct {
        struct conf_list uri; /* empty: directory.uri */
        char *base, *bind_dn; /* base "": directory.base; bind_dn: a DN or an address */
        char *password_scheme;
    } admin;
    struct {
        struct conf_list uri; /* empty: admin.uri, or else directory.uri */
        char *bind_dn, *password_file, *sasl_mech;
        int timeout; /* seconds */
    } edit;
    struct {
        struct conf_list uri; /* empty: directory.uri */
        char *bind_dn, *password_file, *sasl_mech, *submit;
        int timeout, keep; /* seconds */
        int notify;        /* bool */
        int notices;       /* in an hour, singly */
    } held;
    struct {
        char *admins, *domains; /* DNs; "": see rights_places */
        int max_age;            /* seconds; 0: whatever its age */
    } rights;
    struct {
        char *contact; /* a sentence for those who are refused; "" */
    } sending;
    struct {
        struct conf_list first_command, copy_command, close_command; /* words; n 0: none */
        struct conf_list list_from_command, list_to_command;
        int settle, timeout, list_timeout; /* seconds */
    } move_site;
    struct {
        int trace;                 /* bool */
        struct conf_list journal;  /* "who=address" */
        struct conf_list moderate; /* see hold_rule.h */
        char *moderate_expire;     /* "5d" */
        char *user;
    } milter;
    struct {
        int manage;                               /* bool */
        int interval, timeout;                    /* seconds */
        char *postqueue, *postsuper, *config_dir; /* config_dir "": Postfix's default */
    } queue;
    struct {
        char *action, *display_name, *authserv_id;
        int subdomains;                                             /* bool */
        int authserv_results;                                       /* fields */
        struct conf_list trusted_forwarders, gateways, arc_sealers; /* see cidr.h; domains */
    } spoof;
    struct {
        char *dir, *on_error; /* dir "": accounting below state_dir */
        int max_size;         /* MiB */
    } accounting;
    struct {
        int size; /* MiB of address space the store may grow to */
    } mirror;
    struct {
        char *to, *level, *facility;
        int lookups; /* bool: one line per lookup */
    } log;
};

enum conf_type { CONF_STRING, CONF_WORD, CONF_INT, CONF_BOOL, CONF_LIST, CONF_SECRET };

struct conf_row {
    const char *key; /* "directory.uri" */
    enum conf_type type;
    size_t offset;      /* into struct conf */
    const char *preset; /* default as written in the file; "" for empty, NULL: must be given */
    long min, max;      /* CONF_INT: the value; strings: length; lists: how many */
    const char *words;  /* CONF_WORD: "stderr syslog" */
    const char *help;   /* one sentence */
};

extern const struct conf_row conf_rows[];
extern const size_t conf_rows_n;

/*
 * Read path into *conf_r (conf_free it). Returns 0, or an error text in error
 * ("FILE:LINE: key: what is wrong") with *conf_r untouched, and -1: it is wrong, or -2: it
 * could not be read now, for lack of memory, say. Besides the rows it
 * checks what spans them: exactly one of directory.ldif and directory.uri; two
 * sockets at one address; relative paths; a base when there is a uri. site becomes
 * lower case. @include "FILE" is taken relative to path's folder.
 */
int conf_load(const char *path, struct conf **conf_r, char *error, size_t error_n);
void conf_free(struct conf **conf);

/* The servers that are asked what they know before an address counts as unknown; n 0: none. */
static inline const struct conf_list *
conf_providers(const struct conf *conf)
{
    return conf->directory.providers.n > 0 ? &conf->directory.providers : &conf->directory.uri;
}

/* Write all settings to fd, and take them from its beginning; 0, or -1: nothing was taken. */
int conf_pass(const struct conf *conf, int fd);
int conf_take(int fd, struct conf **conf_r);
/* Whether all settings are the same. */
int conf_same(const struct conf *a, const struct conf *b);

/*
 * Hand each setting to fn as it would be written in the file: all, or only those
 * that differ from the default. What CONF_SECRET rows hold is shown as "***".
 * 0, or -1: not all were handed over, for lack of memory.
 */
int conf_each(const struct conf *conf, int all,
              void (*fn)(void *ctx, const struct conf_row *row, const char *value), void *ctx);

#endif
