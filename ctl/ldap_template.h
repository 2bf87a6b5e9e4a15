/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ldap_template: access.in, the one source of what slapd is told: its parts, with
 * names filled in.
 */
#ifndef POSTROAD_LDAP_TEMPLATE_H
#define POSTROAD_LDAP_TEMPLATE_H

#include <stddef.h>

#define LDAP_PEERS_MAX 15

/* What is filled in; all DNs normalised (lower case, no blanks around , and =). */
struct ldap_names {
    const char *base, *domains, *gate, *services, *sites;
    const char *server_id, *tls; /* "" when replication isn't wanted */
    struct {
        char rid[4];        /* "002" */
        const char *uri;    /* ldap://ldap.shandong.example */
        char host_re[1024]; /* its host as a pattern */
    } peers[LDAP_PEERS_MAX];
    size_t npeers;
};

struct ldap_line {
    char part[16];
    char *text; /* a directive, or a comment with its '#', lines divided by '\n'; owned */
    int comment;
};

struct ldap_template {
    struct ldap_line *lines;
    size_t n;
};

/* Read file and fill in. 0, or -1 and error_r says file, line and what is wrong. */
int ldap_template_read(const char *file, const struct ldap_names *names, struct ldap_template *t,
                       char *error_r, size_t error_n);
/* Whether it has a part of that name. */
int ldap_template_has(const struct ldap_template *t, const char *part);
void ldap_template_free(struct ldap_template *t);

#endif
