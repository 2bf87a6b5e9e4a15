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
/* A userPassword value; scheme "crypt" or "ssha512". 0, or -1: no random numbers, or not known here. */
int password_hash(const char *scheme, const struct secret *s, char out[PASSWORD_HASH_MAX]);
/* Whether the configuration lets us hash it; then scheme for password_hash, else NULL. */
const char *password_scheme(const struct conf *conf);
/*
 * Set it, and see whether the directory opens with it. CTL_DONE also when it does not: then the
 * warning says so.
 */
int password_set(struct dir *d, const char *dn, const struct secret *s);
/* See whether the directory opens with what was just stored, mend it if not, warn if it can't be. */
int password_check(struct dir *d, const char *dn, const struct secret *s);

#endif
