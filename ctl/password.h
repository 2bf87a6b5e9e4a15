/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * password: somebody's new password: where it comes from, how it is hashed, and how
 * it gets into his entry. In clear only in struct secret.
 */
#ifndef POSTROAD_PASSWORD_H
#define POSTROAD_PASSWORD_H

#include "dir.h"
#include "secret.h"

#define PASSWORD_HASH_MAX 512

/*
 * By --new-password-file, --prompt (twice, at the terminal) or --generate. *given_r: 0 when none of
 * them was said; then s is empty.
 */
int password_choose(const struct ctl *ctl, const char *whose, struct secret *s, int *given_r);
/* A userPassword value. 0, or -1: no random numbers, no memory, or a scheme not known here. */
int password_hash(const char *scheme, const struct secret *s, char out[PASSWORD_HASH_MAX]);
int password_knows(const char *scheme); /* 0: built without what it takes */
/* Whether we hash it, and not the server. */
int password_ours(const struct conf *conf);
/*
 * Then by which scheme: the configured one; for "auto" argon2 where the server is seen to check that
 * and no other server has to, else crypt. NULL: the server does it.
 */
const char *password_scheme(struct dir *d);
/* The error of a password_hash() that failed. */
int password_cannot(struct dir *d, const char *scheme);
/*
 * Set it, and see whether the directory opens with it. CTL_DONE also when it does not: then the
 * warning says so.
 */
int password_set(struct dir *d, const char *dn, const struct secret *s);
/* See whether the directory opens with what was just stored, mend it if not, warn if it can't be. */
int password_check(struct dir *d, const char *dn, const struct secret *s);

#endif
