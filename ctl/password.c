/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * password: see password.h. Which hashes a server can check it does not tell
 * anybody; so the new password is tried once, and where it opens nothing, the
 * server is asked to make the hash.
 *
 * Must not print a password, but a generated one, once, on stdout.
 */
#include "password.h"

#include <stdio.h>
#include <string.h>

/* Twice, until both are the same; three times at most. */
static int
ask_twice(const char *whose, struct secret *s, char *error, size_t error_n)
{
    struct secret again;
    char prompt[512];

    for (int i = 0; i < 3; i++) {
        snprintf(prompt, sizeof prompt, "New password of %s", whose);
        if (secret_prompt(s, prompt, error, error_n) < 0)
            return -1;
        if (secret_prompt(&again, "The same again", error, error_n) == 0) {
            int same = secret_same(s, &again);

            secret_wipe(&again);
            if (same)
                return 0;
        }
        fputs("postroad: the two are not the same\n", stderr);
        secret_wipe(s);
    }
    snprintf(error, error_n, "no password was chosen");
    return -1;
}

int
password_choose(const struct ctl *ctl, const char *whose, struct secret *s, int *given_r)
{
    const char *file = ctl_value(ctl, "new-password-file");
    int prompt = ctl_value(ctl, "prompt") != NULL, generate = ctl_value(ctl, "generate") != NULL;
    char error[512] = "";
    int rc = 0;

    memset(s, 0, sizeof *s);
    *given_r = file || prompt || generate;
    if ((file != NULL) + prompt + generate > 1)
        return ctl_usage("only one of --new-password-file, --prompt and --generate");
    if (file)
        rc = secret_read(s, file, error, sizeof error);
    else if (prompt)
        rc = ask_twice(whose, s, error, sizeof error);
    else if (generate)
        rc = secret_generate(s, error, sizeof error);
    return rc == 0 ? CTL_DONE : ctl_fail(ctl, CTL_USAGE, "%s", error);
}

/* Our hash in place of all that is there. */
static int
set_hash(struct dir *d, const char *dn, const char *scheme, const struct secret *s)
{
    char hash[PASSWORD_HASH_MAX];
    struct dir_change *c = dir_change_new();
    int code;

    if (password_hash(scheme, s, hash) < 0) {
        dir_change_free(&c);
        return password_cannot(d, scheme);
    }
    if (c)
        dir_change_value(c, DIR_REPLACE, "userPassword", hash);
    explicit_bzero(hash, sizeof hash);
    code = dir_modify(d, dn, c);
    dir_change_free(&c);
    return code;
}

/* Let the server make the hash; where it won't, or that opens nothing either, one that each server knows is put back. */
static int
try_server(struct dir *d, const char *dn, const struct secret *s)
{
    int code = dir_password(d, dn, s->text);

    if (code == CTL_DONE && (code = dir_try_password(d, dn, s->text)) != CTL_NO)
        return code;
    return set_hash(d, dn, "crypt", s) == CTL_DONE ? dir_try_password(d, dn, s->text) : CTL_NO;
}

int
password_check(struct dir *d, const char *dn, const struct secret *s)
{
    int code = dir_dry(d) ? CTL_DONE : dir_try_password(d, dn, s->text);

    if (code == CTL_NO && strcmp(dir_ctl(d)->conf->admin.password_scheme, "auto") == 0)
        code = try_server(d, dn, s);
    if (code == CTL_NO)
        fprintf(stderr,
                "postroad: warning: the password is stored, but the directory does not open with "
                "it:\n  is %s suspended, or does the server not know this kind of hash "
                "(admin.password_scheme)?\n",
                dn);
    return CTL_DONE;
}

int
password_set(struct dir *d, const char *dn, const struct secret *s)
{
    const char *scheme = password_scheme(d);
    int code = scheme ? set_hash(d, dn, scheme, s) : dir_password(d, dn, s->text);

    return code == CTL_DONE ? password_check(d, dn, s) : code;
}
