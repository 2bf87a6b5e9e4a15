/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dir_private: what the dir files share, with the LDAP library's types in it.
 */
#ifndef POSTROAD_DIR_PRIVATE_H
#define POSTROAD_DIR_PRIVATE_H

#include <ldap.h>

#include "dir.h"
#include "secret.h"

#define DIR_DN_MAX 2048

struct dir {
    const struct ctl *ctl;
    LDAP *ld;
    const char *base, *uri;
    char self[DIR_DN_MAX];
    int timeout; /* seconds */
    int dry;
    int code; /* of the last operation */
    char error[2048];
};

struct dir_change {
    size_t n, cap;
    struct dir_mod {
        int op;
        char *attr;
        size_t n, cap;
        struct berval *v; /* bv_val ends with NUL */
    } * mods;
    int failed; /* memory was out */
};

/* dir_who.c: as whom to bind. */
struct dir_who {
    int external;
    char dn[DIR_DN_MAX]; /* "" with external */
    struct secret password;
};
int dir_who(const struct ctl *ctl, const char *uri, const char *base, struct dir_who *who);

/* dir_connect.c: a connection to uri, with TLS as configured, not bound; NULL and error. */
LDAP *dir_connect(const struct ctl *ctl, const char *uri, char *error, size_t error_n);
/* The base the search for people starts from; "" when none is known. */
const char *dir_base_of(const struct conf *conf);

/* dir.c: the answer to operation id: its result code. The whole message in *answer_r unless NULL. */
int dir_await(struct dir *d, int id, LDAPMessage **answer_r);

/* dir_error.c: put code, what was done and to whom, into d->error; the exit code for it. */
int dir_result(struct dir *d, int code, const char *what, const char *dn);

/* dir_rule.c: after a refusal, add to d->error which rule it comes from, if the daemon can tell. Return code. */
int dir_rule(struct dir *d, int code, const char *action, const char *dn, const char *value);
int dir_rule_add(struct dir *d, int code, const char *dn, const struct dir_change *c);
int dir_rule_modify(struct dir *d, int code, const char *dn, const struct dir_change *c);

/* dir_change.c: as the library wants it, NULL-terminated; free() it. */
LDAPMod **dir_change_mods(const struct dir_change *c, int add);

/* dir_ldif.c: what --dry-run prints. */
void dir_ldif_add(const char *dn, const struct dir_change *c);
void dir_ldif_modify(const char *dn, const struct dir_change *c);
void dir_ldif_delete(const char *dn);
void dir_ldif_rename(const char *dn, const char *rdn, const char *parent);
void dir_ldif_password(const char *dn);

#endif
