/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dir: a bound connection to the first server that answers, and the operations
 * that change something. See dir.h; the password is wiped as soon as the bind is
 * over, however it ended.
 *
 * A server is passed over only when it can't be reached: one that refuses us has
 * answered. Must not change anything with --dry-run.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "dir_private.h"

/* --- open --- */

int
dir_await(struct dir *d, int id, LDAPMessage **answer_r)
{
    struct timeval limit = {d->timeout, 0};
    LDAPMessage *answer = NULL;
    int code = LDAP_TIMEOUT, rc = ldap_result(d->ld, id, LDAP_MSG_ALL, &limit, &answer);

    if (rc < 0) {
        ldap_get_option(d->ld, LDAP_OPT_RESULT_CODE, &code);
        return code ? code : LDAP_SERVER_DOWN;
    }
    if (rc > 0 &&
        ldap_parse_result(d->ld, answer, &code, NULL, NULL, NULL, NULL, 0) != LDAP_SUCCESS)
        code = LDAP_DECODING_ERROR;
    if (rc == 0)
        ldap_abandon_ext(d->ld, id, NULL, NULL);
    if (answer_r)
        *answer_r = answer;
    else
        ldap_msgfree(answer);
    return code;
}

static int
bind_as(struct dir *d, struct dir_who *who)
{
    struct berval secret = {who->password.n, who->password.text}, nothing = {0, (char *)""};
    int id, rc;

    rc = ldap_sasl_bind(d->ld, who->dn, who->external ? "EXTERNAL" : LDAP_SASL_SIMPLE,
                        who->external ? &nothing : &secret, NULL, NULL, &id);
    rc = rc == LDAP_SUCCESS ? dir_await(d, id, NULL) : rc;
    return dir_result(d, rc, "bind as", who->external ? "whom the connection names" : who->dn);
}

/* Who the server takes us for: the DN of "dn:…". Without an answer it stays as it was given. */
static void
learn_self(struct dir *d)
{
    struct berval *id = NULL;

    if (ldap_whoami_s(d->ld, &id, NULL, NULL) == LDAP_SUCCESS && id && id->bv_len > 3 &&
        id->bv_len < sizeof d->self && strncmp(id->bv_val, "dn:", 3) == 0) {
        memcpy(d->self, id->bv_val + 3, id->bv_len - 3);
        d->self[id->bv_len - 3] = '\0';
    }
    ber_bvfree(id);
}

const char *
dir_base_of(const struct conf *conf)
{
    return *conf->admin.base ? conf->admin.base : conf->directory.base;
}

/* The servers to try: --uri, or those configured. */
static const struct conf_list *
uris(const struct ctl *ctl, struct conf_list *given)
{
    const char *uri = ctl_value(ctl, "uri");

    if (uri) {
        given->n = 1;
        given->v[0] = (char *)uri;
        return given;
    }
    return ctl->conf->admin.uri.n > 0 ? &ctl->conf->admin.uri : &ctl->conf->directory.uri;
}

/* Connect to the first that can be reached. */
static int
connect_any(struct dir *d, const struct conf_list *list)
{
    char error[512] = "", all[1600] = "";
    size_t n = 0;

    for (size_t i = 0; i < list->n && !d->ld; i++) {
        d->uri = list->v[i];
        d->ld = dir_connect(d->ctl, d->uri, error, sizeof error);
        if (!d->ld && n < sizeof all)
            n += (size_t)snprintf(all + n, sizeof all - n, "\n  %s", error);
    }
    if (d->ld)
        return CTL_DONE;
    return ctl_fail(d->ctl, CTL_TEMPORARY,
                    "the directory server can't be reached; nothing was changed%s", all);
}

static int
open_steps(struct dir *d, const struct conf_list *list)
{
    struct dir_who who;
    int code = connect_any(d, list);

    if (code == CTL_DONE)
        code = dir_who(d->ctl, d->uri, d->base, &who);
    if (code != CTL_DONE)
        return code;
    snprintf(d->self, sizeof d->self, "%s", who.dn);
    code = bind_as(d, &who);
    secret_wipe(&who.password);
    if (code != CTL_DONE)
        return dir_fail(d, code);
    learn_self(d);
    return CTL_DONE;
}

int
dir_open(const struct ctl *ctl, struct dir **dir_r)
{
    struct conf_list given;
    const struct conf_list *list = uris(ctl, &given);
    struct dir *d;
    int code;

    if (list->n == 0)
        return ctl_usage("which directory server? Set admin.uri, or give --uri (the daemon reads a "
                         "file, see directory.ldif)");
    if (!*dir_base_of(ctl->conf))
        return ctl_usage("below which entry? Set admin.base");
    if (!(d = calloc(1, sizeof *d)))
        return ctl_fail(ctl, CTL_TEMPORARY, "no memory");
    d->ctl = ctl;
    d->base = dir_base_of(ctl->conf);
    d->timeout = ctl->conf->directory.timeout;
    d->dry = ctl_value(ctl, "dry-run") != NULL;
    code = open_steps(d, list);
    if (code != CTL_DONE)
        dir_close(&d);
    *dir_r = d;
    return code;
}

void
dir_close(struct dir **d)
{
    if (*d && (*d)->ld)
        ldap_unbind_ext((*d)->ld, NULL, NULL);
    free(*d);
    *d = NULL;
}

/* --- what it is --- */

const char *
dir_error(const struct dir *d)
{
    return d->error;
}

int
dir_fail(const struct dir *d, int code)
{
    return ctl_fail(d->ctl, code, "%s", d->error);
}

int
dir_refuse(struct dir *d, int code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(d->error, sizeof d->error, fmt, ap);
    va_end(ap);
    d->code = LDAP_OTHER;
    return code;
}

const struct ctl *
dir_ctl(const struct dir *d)
{
    return d->ctl;
}

const char *
dir_base(const struct dir *d)
{
    return d->base;
}

const char *
dir_self(const struct dir *d)
{
    return d->self;
}

const char *
dir_uri(const struct dir *d)
{
    return d->uri;
}

int
dir_dry(const struct dir *d)
{
    return d->dry;
}

/* --- changing --- */

int
dir_add_begin(struct dir *d, const char *dn, struct dir_change *c, int *id_r)
{
    LDAPMod **mods = dir_change_mods(c, 1);
    int rc;

    *id_r = 0;
    if (!mods)
        return dir_result(d, LDAP_NO_MEMORY, "add", dn);
    if (d->dry)
        dir_ldif_add(dn, c);
    rc = d->dry ? LDAP_SUCCESS : ldap_add_ext(d->ld, dn, mods, NULL, NULL, id_r);
    free(mods);
    return dir_result(d, rc, "add", dn);
}

int
dir_add_answer(struct dir *d, int *id_r)
{
    struct timeval limit = {d->timeout, 0};
    LDAPMessage *answer = NULL;
    int code = LDAP_TIMEOUT, rc = ldap_result(d->ld, LDAP_RES_ANY, LDAP_MSG_ALL, &limit, &answer);

    *id_r = 0;
    if (rc > 0) {
        *id_r = ldap_msgid(answer);
        if (ldap_parse_result(d->ld, answer, &code, NULL, NULL, NULL, NULL, 1) != LDAP_SUCCESS)
            code = LDAP_DECODING_ERROR;
    } else if (rc < 0) {
        ldap_get_option(d->ld, LDAP_OPT_RESULT_CODE, &code);
        code = code ? code : LDAP_SERVER_DOWN;
    }
    if (code == LDAP_SERVER_DOWN || code == LDAP_UNAVAILABLE)
        *id_r = 0; /* also a notice of disconnection, which answers nothing */
    return dir_result(d, code, "add", "the entry");
}

int
dir_add(struct dir *d, const char *dn, struct dir_change *c)
{
    int id, code = dir_add_begin(d, dn, c, &id);

    if (code == CTL_DONE && id > 0)
        code = dir_result(d, dir_await(d, id, NULL), "add", dn);
    return dir_rule_add(d, code, dn, c);
}

int
dir_modify(struct dir *d, const char *dn, struct dir_change *c)
{
    LDAPMod **mods = dir_change_mods(c, 0);
    int rc = LDAP_NO_MEMORY, id;

    if (mods && d->dry) {
        dir_ldif_modify(dn, c);
        rc = LDAP_SUCCESS;
    } else if (mods) {
        rc = ldap_modify_ext(d->ld, dn, mods, NULL, NULL, &id);
        rc = rc == LDAP_SUCCESS ? dir_await(d, id, NULL) : rc;
    }
    free(mods);
    return dir_rule_modify(d, dir_result(d, rc, "change", dn), dn, c);
}

int
dir_delete(struct dir *d, const char *dn)
{
    int id, rc;

    if (d->dry) {
        dir_ldif_delete(dn);
        return dir_result(d, LDAP_SUCCESS, "delete", dn);
    }
    rc = ldap_delete_ext(d->ld, dn, NULL, NULL, &id);
    rc = dir_result(d, rc == LDAP_SUCCESS ? dir_await(d, id, NULL) : rc, "delete", dn);
    return dir_rule(d, rc, "manage:delete", dn, "");
}

int
dir_rename(struct dir *d, const char *dn, const char *rdn, const char *parent)
{
    const char *what = parent ? "move" : "rename";
    int id, rc;

    if (d->dry) {
        dir_ldif_rename(dn, rdn, parent);
        return dir_result(d, LDAP_SUCCESS, what, dn);
    }
    rc = ldap_rename(d->ld, dn, rdn, parent, 1, NULL, NULL, &id);
    rc = dir_result(d, rc == LDAP_SUCCESS ? dir_await(d, id, NULL) : rc, what, dn);
    return dir_rule(d, rc, "manage:move", dn, parent ? parent : dir_parent(dn));
}

int
dir_password(struct dir *d, const char *dn, const char *password)
{
    struct berval user = {strlen(dn), (char *)dn}, new = {strlen(password), (char *)password};
    int id, rc;

    if (d->dry) {
        dir_ldif_password(dn);
        return dir_result(d, LDAP_SUCCESS, "set the password of", dn);
    }
    rc = ldap_passwd(d->ld, &user, NULL, &new, NULL, NULL, &id);
    rc = dir_result(d, rc == LDAP_SUCCESS ? dir_await(d, id, NULL) : rc, "set the password of", dn);
    return dir_rule(d, rc, "password", dn, "");
}
