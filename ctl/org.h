/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * org: what the verbs for domains, departments, lists, administrators and sites share:
 * finding what somebody named, reading the options they have in common, asking
 * before something is destroyed. Functions that return an exit code have said what
 * is wrong when it is not CTL_DONE.
 */
#ifndef POSTROAD_ORG_H
#define POSTROAD_ORG_H

#include "dir.h"

#define ORG_DN_MAX 2048

struct org {
    struct ctl *ctl;
    struct dir *d;
};

/*
 * Open the directory for a verb that takes from least to most arguments; args says which, for the
 * refusal. CTL_DONE: org_close is due.
 */
int org_open(struct org *o, struct ctl *ctl, int least, int most, const char *args);
/* Close; say "done" words as text, or {"ok":true,"dn":…} with --json, when code is CTL_DONE. */
int org_close(struct org *o, int code);
int org_done(const struct org *o, const char *dn, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/*
 * Add an entry. class: of the entry above it, which is made first where it is missing; NULL: then
 * nothing is added.
 */
int org_add(struct org *o, const char *dn, struct dir_change *c, const char *class);
/* What dir_error says, with code; returns code. */
int org_fail(const struct org *o, int code);

/*
 * --- org_find.c: entries by the names people use; free them with dir_entry_free ---
 * A DN is taken wherever a name is. attrs as in dir_search.
 */
int org_domain(struct org *o, const char *name, const char *const attrs[], struct dir_entry **e_r);
/* "a.example/sales/east", or "a.example/east" where only one below the domain is called so. */
int org_department(struct org *o, const char *path, const char *const attrs[],
                   struct dir_entry **e_r);
/* A domain or a department: without a slash a domain. */
int org_container(struct org *o, const char *path, const char *const attrs[],
                  struct dir_entry **e_r);
int org_account(struct org *o, const char *address, const char *const attrs[],
                struct dir_entry **e_r);
int org_list(struct org *o, const char *address, const char *const attrs[], struct dir_entry **e_r);
int org_site(struct org *o, const char *name, const char *const attrs[], struct dir_entry **e_r);
/* "hebei/mx1" */
int org_server(struct org *o, const char *name, const char *const attrs[], struct dir_entry **e_r);
/* "a.example/sales/east" of a DN, into out; the DN itself when it is below no domain. */
const char *org_path(const char *dn, char *out, size_t cap);
/* How many entries match; *first_r (ORG_DN_MAX, or NULL): one of them. */
int org_count(struct org *o, const char *base, enum dir_scope scope, const char *filter,
              size_t *n_r, char *first_r);
/* Refuse when some entry has the address already, as primary or further one. */
int org_address_free(struct org *o, const char *address);
/* Refuse when some domain has the name already. */
int org_domain_free(struct org *o, const char *name);

/* --- org_values.c: what is written --- */

/* Canonical form; for an attribute that holds ASCII only, others are refused. */
int org_canon_address(struct org *o, const char *text, int ascii, char *out);
int org_canon_domain(struct org *o, const char *text, char *out);
/*
 * Take the options domains and departments share (--site --standby --quota --state
 * --deny --allow --limit --description) into c; e: the entry as it is, NULL for a new one. An
 * empty value takes the setting away.
 */
int org_settings(struct org *o, const struct dir_entry *e, struct dir_change *c);
/* Those a list has of them: --state --description. */
int org_list_settings(struct org *o, struct dir_change *c);
/* The same for one option and attribute; check may be NULL. Several values when many. */
typedef int org_check(struct org *o, const char *value, char *out, size_t cap);
int org_option(struct org *o, struct dir_change *c, enum dir_op op, const char *option,
               const char *attr, org_check *check);
int org_check_address(struct org *o, const char *value, char *out, size_t cap);
int org_check_domain(struct org *o, const char *value, char *out, size_t cap);
int org_check_site(struct org *o, const char *value, char *out, size_t cap);

/* --- org_inherit.c: what holds by what stands above --- */

/* The nearest value of attr at dn or above it, and where; "" for none. */
int org_inherited(struct org *o, const char *dn, const char *attr, char *value, size_t cap,
                  char from[ORG_DN_MAX]);
/* Accounts below dn whose home site is what dn says or inherits. */
int org_home_followers(struct org *o, const char *dn, size_t *n_r);
/* Ask, when a container's home site becomes another one (NULL: taken away) for accounts below. */
int org_confirm_home(struct org *o, const char *dn);

/*
 * --- org_delete.c, org_references.c ---
 * Delete an entry that has nothing below it, after asking; follows: what comes of it, a sentence.
 */
int org_delete(struct org *o, const char *dn, const char *what, const char *name,
               const char *follows);
/*
 * What names dn, or anything below it, as member, owner or scope names `to` from now on (NULL:
 * nothing). What the caller may not change is told on stderr.
 */
int org_references(struct org *o, const char *dn, const char *to);
/* What `old`, dn or an entry below it, is called when dn is called `to`: into out, which is returned. */
const char *org_renamed(const char *old, const char *dn, const char *to, char out[ORG_DN_MAX]);

/* --- org_show.c --- */

/* CTL_DONE to go on: with --yes or --dry-run, or when the answer on the terminal is yes. */
int org_confirm(const struct org *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* {"dn":…, attr: [values]…} with the names people know; attrs in pairs, shown then attribute. */
struct org_field {
    const char *label, *attr;
    int many;
};
/* A label as a name in JSON: "home_site". */
const char *org_key(const char *label, char out[64]);
json_t *org_json(const struct dir_entry *e, const struct org_field *fields, size_t n);
void org_print(const struct dir_entry *e, const struct org_field *fields, size_t n);

/* --- org_kind.c: what verbs for one kind of entry have in common --- */

typedef int org_find(struct org *o, const char *name, const char *const attrs[],
                     struct dir_entry **e_r);
typedef int org_use(struct org *o, const struct dir_entry *e);
typedef int org_fill(struct org *o, const struct dir_entry *e, struct dir_change *c);
struct text_table;
struct org_kind {
    const char *what, *args; /* "domain"; what a verb for one takes, for the refusal */
    org_find *find;
    const char *(*name)(const struct dir_entry *e, char *out, size_t cap); /* as people call it */
    const struct org_field *fields;
    size_t nfields;
    /* Of a listing: how entries are found, their name in JSON, the heading, and the row of one. */
    const char *filter, *key, *const *heading, *right;
    void (*row)(struct text_table *t, const struct dir_entry *e, json_t *j);
};
/* A verb that does one thing with the entry its argument names. */
int org_one(struct ctl *ctl, const struct org_kind *kind, org_use *use);
/* Show it by its fields; more (or NULL) adds to j, or where that is NULL prints. */
typedef int org_more(struct org *o, const struct dir_entry *e, json_t *j);
int org_show(struct ctl *ctl, const struct org_kind *kind, org_more *more);
/* The number of accounts below: an org_more. */
int org_show_people(struct org *o, const struct dir_entry *e, json_t *j);
/* All there are, or with an argument those below the domain or department it names. */
int org_list_all(struct ctl *ctl, const struct org_kind *kind, int may_have_top);
/* What fill collects is written; collecting nothing is refused. */
int org_modify(struct ctl *ctl, const struct org_kind *kind, org_fill *fill);

int verb_domain_add(struct ctl *ctl);
int verb_domain_show(struct ctl *ctl);
int verb_domain_list(struct ctl *ctl);
int verb_domain_modify(struct ctl *ctl);
int verb_domain_rename(struct ctl *ctl);
int verb_domain_delete(struct ctl *ctl);
int verb_department_add(struct ctl *ctl);
int verb_department_show(struct ctl *ctl);
int verb_department_list(struct ctl *ctl);
int verb_department_modify(struct ctl *ctl);
int verb_department_rename(struct ctl *ctl);
int verb_department_move(struct ctl *ctl);
int verb_department_delete(struct ctl *ctl);
int verb_list_add(struct ctl *ctl);
int verb_list_show(struct ctl *ctl);
int verb_list_list(struct ctl *ctl);
int verb_list_modify(struct ctl *ctl);
int verb_list_delete(struct ctl *ctl);
int verb_list_member(struct ctl *ctl);
int verb_admin_grant(struct ctl *ctl);
int verb_admin_revoke(struct ctl *ctl);
int verb_admin_list(struct ctl *ctl);
int verb_site_list(struct ctl *ctl);
int verb_site_show(struct ctl *ctl);
int verb_site_failover(struct ctl *ctl);
int verb_site_restore(struct ctl *ctl);
int verb_site_drain(struct ctl *ctl);
int verb_site_down(struct ctl *ctl);
int verb_site_up(struct ctl *ctl);
int verb_site_add(struct ctl *ctl);
int verb_site_modify(struct ctl *ctl);
int verb_site_delete(struct ctl *ctl);

#endif
