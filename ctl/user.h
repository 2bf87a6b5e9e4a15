/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * user: what is said of a person, by options or by a line of a CSV file, checked and
 * made into what the directory holds; and the way to somebody's entry.
 */
#ifndef POSTROAD_USER_H
#define POSTROAD_USER_H

#include "dir.h"
#include "place.h"

/* In the order of an export's columns. Names of options and columns are in user_field_name. */
enum user_field {
    USER_ADDRESS,
    USER_NAME,
    USER_GIVEN,
    USER_SURNAME,
    USER_DEPARTMENT,
    USER_ALIAS,
    USER_SITE,
    USER_STANDBY,
    USER_QUOTA,
    USER_STATE,
    USER_DENY,
    USER_FORWARD,
    USER_DELEGATE,
    USER_TITLE,
    USER_PHONE,
    USER_MOBILE,
    USER_UID,
    USER_FIELDS
};

struct user {
    char *value
        [USER_FIELDS]; /* NULL: not said; "": said to be none. Of several: each with \n after it */
};

const char *user_field_name(enum user_field f);
const char *user_field_attr(enum user_field f); /* NULL: it is no attribute (department) */
int user_field_many(enum user_field f);
/* -1: no such field. */
int user_field_find(const char *name, size_t n);

/*
 * Say what f is, or one more of it, as it was written: checked and made canonical. 0, or -1 and error.
 */
int user_set(struct user *u, enum user_field f, const char *text, size_t n, char *error,
             size_t error_n);
void user_clear(struct user *u);
/* The values of a field of several, one after the other: *at NULL to begin. Into out. 1, or 0 no more. */
int user_next(const struct user *u, enum user_field f, const char **at, char *out, size_t cap);
/* All fields that options say; those of several may come several times. 0 or CTL_USAGE. */
int user_from_options(struct user *u, const struct ctl *ctl);

/* Everything the entry of a new one holds, but the password. NULL: no memory. */
struct dir_change *user_entry(const struct user *u);
/* Its RDN, "uid=…". -1 and error when there is no fit one. */
int user_rdn(const struct user *u, char *out, size_t cap, char *error, size_t error_n);

/* The primary address and all further ones, canonical; pointers into text, at most max. How many. */
size_t user_addresses(const struct user *u, char *text, size_t cap, const char **list, size_t max);

/* Find somebody by address (any of his) or DN; e: with all attributes of fields. As dir_find. */
int user_find(struct dir *d, const char *who, struct dir_entry **e_r);
/* The attributes that are asked for. */
extern const char *const user_attrs[];

/* The domain of the primary address and the DN the entry is to be below. */
int user_place(struct dir *d, const struct user *u, char parent[PLACE_DN_MAX]);

int verb_user_add(struct ctl *ctl);
int verb_user_show(struct ctl *ctl);
int verb_user_modify(struct ctl *ctl);
int verb_user_delete(struct ctl *ctl);
int verb_user_move(struct ctl *ctl);
int verb_user_password(struct ctl *ctl);
int verb_user_suspend(struct ctl *ctl);
int verb_user_resume(struct ctl *ctl);
int verb_user_list(struct ctl *ctl);
int verb_user_import(struct ctl *ctl);
int verb_user_export(struct ctl *ctl);

#endif
