/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dir: the directory server, asked and changed as whoever calls `postroad`. The
 * server has the last word on what he may do.
 *
 * Every call returns CTL_DONE, CTL_NO (the server says no, or there is no such
 * entry) or CTL_TEMPORARY (can't tell: server away, busy, too slow), and then
 * dir_error() says in whole sentences why. With --dry-run what would change
 * something prints LDIF instead, and is done. No LDAP type is seen out here.
 */
#ifndef POSTROAD_DIR_H
#define POSTROAD_DIR_H

#include "ctl.h"
#include "span.h"

struct dir;

/* Connect and bind as the options and the configuration say. Says itself what went wrong. */
int dir_open(const struct ctl *ctl, struct dir **dir_r);
void dir_close(struct dir **d);

/* Why the last call was not done; valid until the next one. */
const char *dir_error(const struct dir *d);
/* Say it as ctl_fail does, with code; returns code. */
int dir_fail(const struct dir *d, int code);
/* Make that text our own finding about the directory; returns code. */
int dir_refuse(struct dir *d, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
const struct ctl *dir_ctl(const struct dir *d);
const char *dir_base(const struct dir *d); /* the DN all is below */
const char *dir_self(const struct dir *d); /* the DN we are bound as; "" when not known */
const char *dir_uri(const struct dir *d);
int dir_dry(const struct dir *d); /* 1 with --dry-run */

/* --- reading --- */

struct dir_attr {
    const char *name; /* as the server writes it */
    size_t n;
    const struct span *v; /* each is followed by a NUL byte */
};
struct dir_entry {
    const char *dn;
    size_t n;
    const struct dir_attr *attrs;
};
/* Without case; NULL: the entry has none (or we may not see it). */
const struct dir_attr *dir_attr(const struct dir_entry *e, const char *name);
/* Its first value, or "". */
const char *dir_value(const struct dir_entry *e, const char *name);
/* Whether one of its values is word, without case. */
int dir_has(const struct dir_entry *e, const char *name, const char *word);

enum dir_scope { DIR_BASE, DIR_ONE, DIR_SUB };
typedef int dir_entry_fn(void *ctx, const struct dir_entry *e); /* 0 to go on; e lives that long */
/* attrs: NULL-terminated, NULL for all. CTL_DONE also when nothing matched; base absent: CTL_NO. */
int dir_search(struct dir *d, const char *base, enum dir_scope scope, const char *filter,
               const char *const attrs[], dir_entry_fn *fn, void *ctx);
/* One entry, to be freed with dir_entry_free. CTL_NO: there is none, or more than one. */
int dir_find(struct dir *d, const char *base, enum dir_scope scope, const char *filter,
             const char *const attrs[], struct dir_entry **entry_r);
void dir_entry_free(struct dir_entry **e);
/* A value as part of a filter (RFC 4515), into out; -1: it does not fit. */
int dir_filter_escape(const char *value, char *out, size_t cap);

/* --- changing --- */

/* What to write: for dir_add the attributes, for dir_modify the changes. Grows by itself. */
enum dir_op { DIR_ADD, DIR_DELETE, DIR_REPLACE };
struct dir_change;
struct dir_change *dir_change_new(void);
void dir_change_free(struct dir_change **c);
/*
 * One value of attr; calls with the same op and attr one after the other are one change. value
 * NULL: all values (DIR_DELETE), or none left (DIR_REPLACE). Copied. Lack of memory shows later.
 */
void dir_change_value(struct dir_change *c, enum dir_op op, const char *attr, const char *value);
size_t dir_change_count(const struct dir_change *c);

int dir_add(struct dir *d, const char *dn, struct dir_change *c);
int dir_modify(struct dir *d, const char *dn, struct dir_change *c);
int dir_delete(struct dir *d, const char *dn);
/* rdn: "uid=x", escaped. parent NULL: stays where it is. The old RDN's values go. */
int dir_rename(struct dir *d, const char *dn, const char *rdn, const char *parent);
/* The password-modify operation (RFC 3062): the server makes the hash. */
int dir_password(struct dir *d, const char *dn, const char *password);

/* Whether this password opens the directory to dn, over a connection of its own: CTL_DONE, CTL_NO. */
int dir_try_password(struct dir *d, const char *dn, const char *password);

/* --- as somebody else: dir_other.c --- */

/* A second connection to the same server, by a simple bind; dn "": anonymous. */
int dir_open_as(struct dir *d, const char *dn, const char *password, struct dir **other_r);
/*
 * From here on act as that DN, by the control of RFC 4370, in all but binds. CTL_NO: the server does
 * not let us; then whatever is asked next is refused, too.
 */
int dir_act_as(struct dir *d, const char *dn);

/* Many adds under way at once. begin returns like dir_add, *id_r > 0 when an answer is due. */
int dir_add_begin(struct dir *d, const char *dn, struct dir_change *c, int *id_r);
/* The next answer: CTL_DONE or CTL_NO of the add *id_r; CTL_TEMPORARY with *id_r 0: the server is gone. */
int dir_add_answer(struct dir *d, int *id_r);
/* The last refusal was: there is such an entry already; the parent is not there. */
int dir_was_there(const struct dir *d);
int dir_was_missing(const struct dir *d);

/* One line of LDIF (RFC 2849) on stdout, in base64 where that is due, folded. */
void dir_ldif_line(const char *attr, const char *value, size_t n);

/* --- names: dir_dn.c --- */

/* "attr=value", escaped by RFC 4514, into out. The length, or -1: does not fit, or no value. */
long dir_rdn(const char *attr, const char *value, char *out, size_t cap);
/* rdn "," parent */
long dir_dn(const char *rdn, const char *parent, char *out, size_t cap);
/* What follows the first RDN; "" when nothing does. Points into dn. */
const char *dir_parent(const char *dn);
/* 1 equal as DNs, without case and blanks; 0 not, or no DNs. below: dn is base or below it. */
int dir_dn_same(const char *a, const char *b);
int dir_dn_below(const char *dn, const char *base);
/* The first RDN as it is written, into out. The length, or -1. */
long dir_first_rdn(const char *dn, char *out, size_t cap);
/* The names between base and dn, from the top, joined by "/": "hr/pay". The length; -1: not below. */
long dir_path(const char *dn, const char *base, char *out, size_t cap);
/* Whether text is written as a DN of two parts or more, and not as an address. */
int dir_is_dn(const char *text);
/* The value of the first RDN without escapes, into out. The length, or -1. */
long dir_rdn_value(const char *dn, char *out, size_t cap);

#endif
