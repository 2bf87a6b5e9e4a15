/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * user_add: a colleague on Monday morning. Everything is looked at before anything
 * is written, and the entry comes into being in one operation, password and all.
 */
#include <stdio.h>
#include <string.h>

#include "addr.h"
#include "claim.h"
#include "password.h"
#include "text.h"
#include "user.h"

#define ADDRESSES_MAX 64

struct adding {
    struct user u;
    struct secret password;
    int has_password;
    char parent[PLACE_DN_MAX], dn[PLACE_DN_MAX];
};

static int
check_addresses(struct dir *d, const struct user *u)
{
    char text[ADDRESSES_MAX * 64 + ADDR_MAX];
    const char *list[ADDRESSES_MAX + 1];
    size_t n = user_addresses(u, text, sizeof text, list, ADDRESSES_MAX + 1);

    if (n > ADDRESSES_MAX)
        return dir_refuse(d, CTL_USAGE, "more than %d addresses", ADDRESSES_MAX);
    return claim_free(d, list, n, NULL);
}

/* Whatever the directory would not notice by itself. */
static int
check(struct dir *d, struct adding *a)
{
    const char *site = a->u.value[USER_SITE], *standby = a->u.value[USER_STANDBY];
    char rdn[1100], error[512];
    int code = user_place(d, &a->u, a->parent);

    if (code == CTL_DONE && user_rdn(&a->u, rdn, sizeof rdn, error, sizeof error) < 0)
        code = dir_refuse(d, CTL_USAGE, "%s", error);
    if (code == CTL_DONE && dir_dn(rdn, a->parent, a->dn, sizeof a->dn) < 0)
        code = dir_refuse(d, CTL_NO, "the name of the entry would be too long");
    if (code == CTL_DONE)
        code = check_addresses(d, &a->u);
    if (code == CTL_DONE && site && *site)
        code = place_site(d, site);
    if (code == CTL_DONE && standby && *standby)
        code = place_site(d, standby);
    return code;
}

static int
write_entry(struct dir *d, struct adding *a)
{
    const char *scheme = a->has_password ? password_scheme(d) : NULL;
    struct dir_change *c = user_entry(&a->u);
    char hash[PASSWORD_HASH_MAX];
    int code;

    if (scheme && password_hash(scheme, &a->password, hash) < 0) {
        dir_change_free(&c);
        return password_cannot(d, scheme);
    }
    if (scheme && c)
        dir_change_value(c, DIR_ADD, "userPassword", hash);
    explicit_bzero(hash, sizeof hash);
    code = dir_add(d, a->dn, c);
    dir_change_free(&c);
    if (code == CTL_NO && dir_was_there(d))
        return dir_refuse(d, CTL_NO, "there is an entry %s already: give another name with --uid",
                          a->dn);
    return code;
}

/* What is left to do once the entry is there. */
static int
finish_password(struct dir *d, struct adding *a)
{
    int code;

    if (!a->has_password || dir_dry(d))
        return CTL_DONE;
    if (password_ours(dir_ctl(d)->conf))
        return password_check(d, a->dn, &a->password);
    code = password_set(d, a->dn, &a->password);
    if (code != CTL_DONE && !dir_ctl(d)->json)
        fprintf(stderr, "postroad: %s was added, but has no password yet\n",
                a->u.value[USER_ADDRESS]);
    return code;
}

static void
report(const struct ctl *ctl, const struct adding *a)
{
    int show = ctl_value(ctl, "generate") != NULL;

    if (ctl->json) {
        json_t *j =
            json_pack("{s:b, s:s, s:s}", "ok", 1, "address", a->u.value[USER_ADDRESS], "dn", a->dn);

        if (show)
            json_object_set_new(j, "password", json_string(a->password.text));
        ctl_print_json(j);
        return;
    }
    printf("Added %s: ", a->u.value[USER_ADDRESS]);
    text_put(stdout, a->dn);
    putchar('\n');
    if (show)
        printf("Password: %s\n", a->password.text);
    if (!a->has_password)
        printf("There is no password yet: postroad user password %s\n", a->u.value[USER_ADDRESS]);
}

static int
add(const struct ctl *ctl, struct adding *a)
{
    struct dir *d;
    int code = dir_open(ctl, &d);

    if (code != CTL_DONE)
        return code;
    code = check(d, a);
    if (code == CTL_DONE)
        code = write_entry(d, a);
    if (code == CTL_DONE)
        code = finish_password(d, a);
    if (code != CTL_DONE)
        dir_fail(d, code);
    else if (!dir_dry(d))
        report(ctl, a);
    dir_close(&d);
    return code;
}

int
verb_user_add(struct ctl *ctl)
{
    struct adding a;
    char error[640];
    int code;

    if (ctl->argc != 1)
        return ctl_usage("user add takes one address: postroad user add alice@a.example --name "
                         "\"Alice Li\"");
    if (ctl_needs_preset(ctl, "people", "postroad") != CTL_DONE)
        return CTL_USAGE;
    memset(&a, 0, sizeof a);
    if (user_set(&a.u, USER_ADDRESS, ctl->argv[0], strlen(ctl->argv[0]), error, sizeof error) < 0)
        code = ctl_usage("%s", error);
    else if ((code = user_from_options(&a.u, ctl)) == CTL_DONE)
        code = password_choose(ctl, a.u.value[USER_ADDRESS], &a.password, &a.has_password);
    if (code == CTL_DONE)
        code = add(ctl, &a);
    secret_wipe(&a.password);
    user_clear(&a.u);
    return code;
}
