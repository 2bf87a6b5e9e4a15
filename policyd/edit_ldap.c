/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * edit_ldap: one change in the directory, as an administrator and not as ourselves.
 *
 * We bind with our own credential and send the change with the Proxied Authorization
 * control (RFC 4370), critical, in his name: so the server's access rules decide on it
 * as if he had sent it. Promises: never sends a change without that control, or in
 * nobody's name; what the server did not answer is "unsure", and is not sent again. A
 * refusal because of our credential is our trouble, not his: "unsure", too. Must not
 * put the password into any text.
 */
#include "edit.h"

#include <inttypes.h>
#include <ldap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attrs.h"
#include "board.h"
#include "syncrepl_conn.h"

int
edit_configured(const struct conf *conf)
{
    return *conf->edit.bind_dn || *conf->edit.sasl_mech;
}

static struct conf
as_edit(const struct conf *conf)
{
    const struct syncrepl_login login = {
        .bind_dn = conf->edit.bind_dn,
        .password_file = conf->edit.password_file,
        .sasl_mech = conf->edit.sasl_mech,
        .timeout = conf->edit.timeout,
        .uri = {&conf->edit.uri, &conf->admin.uri, &conf->directory.uri}};

    return syncrepl_conn_conf(conf, &login);
}

int
edit_ldap_setup(const struct conf *conf, char *error, size_t n)
{
    const struct conf c = as_edit(conf);

    return syncrepl_conn_setup(&c, "edit", error, n, NULL);
}

/* --- what is sent --- */

/* The attribute of accounts that holds the quota. It lives as long as conf, or for ever. */
static const char *
quota_attribute(const struct conf *conf)
{
    struct conf_class map[CLASS_N];

    memcpy(map, conf->directory.map, sizeof map);
    if (attrs_preset(conf->directory.preset, map) < 0 || map[CLASS_ACCOUNT].quota.n == 0)
        return NULL;
    return map[CLASS_ACCOUNT].quota.v[0];
}

/* In the attribute's unit, rounded up: nobody gets less than he was given. postroadQuota is in bytes. */
static void
quota_value(const struct conf *conf, const char *attribute, uint64_t bytes, char out[24])
{
    uint64_t unit =
        strcasecmp(attribute, "postroadQuota") == 0 ? 1 : (uint64_t)conf->directory.quota_unit;

    snprintf(out, 24, "%" PRIu64, bytes / unit + (bytes % unit != 0));
}

/* Its message id, or an LDAP error below 0. */
static int
send_change(LDAP *ld, const struct edit_request *q, const char *attribute, const char *value)
{
    char authzid[EDIT_DN + 8];
    char *values[] = {(char *)value, NULL};
    LDAPMod mod = {
        .mod_op = LDAP_MOD_REPLACE, .mod_type = (char *)attribute, .mod_vals.modv_strvals = values};
    LDAPMod *mods[] = {&mod, NULL};
    LDAPControl proxied = {.ldctl_oid = (char *)LDAP_CONTROL_PROXY_AUTHZ, .ldctl_iscritical = 1};
    LDAPControl *controls[] = {&proxied, NULL};
    int id = 0, rc;

    snprintf(authzid, sizeof authzid, "dn:%s", q->actor);
    proxied.ldctl_value = (struct berval){strlen(authzid), authzid};
    rc = ldap_modify_ext(ld, q->target, mods, controls, NULL, &id);
    return rc == LDAP_SUCCESS ? id : rc > 0 ? -rc : rc;
}

/* --- what comes back --- */

/* The result code, and what the server says to it; below 0: there is no answer. */
static int
read_result(LDAP *ld, int id, int timeout, char *said, size_t n)
{
    struct timeval limit = {timeout, 0};
    LDAPMessage *answer = NULL;
    char *diagnostic = NULL;
    int code = LDAP_SERVER_DOWN, rc = ldap_result(ld, id, LDAP_MSG_ALL, &limit, &answer);

    if (rc <= 0) {
        snprintf(said, n, "%s", rc == 0 ? "no answer in time" : "the connection was lost");
        return rc == 0 ? LDAP_TIMEOUT : LDAP_SERVER_DOWN;
    }
    rc = ldap_parse_result(ld, answer, &code, NULL, &diagnostic, NULL, NULL, 1);
    if (rc != LDAP_SUCCESS)
        code = LDAP_DECODING_ERROR;
    snprintf(said, n, "%s%s%s%s", ldap_err2string(code), diagnostic && *diagnostic ? " (" : "",
             diagnostic && *diagnostic ? diagnostic : "", diagnostic && *diagnostic ? ")" : "");
    ldap_memfree(diagnostic);
    return code;
}

/* What a result code means for the administrator who asked. */
static enum edit_verdict
verdict_of(int code)
{
    switch (code) {
    case LDAP_SUCCESS:
        return EDIT_DONE;
    case LDAP_INSUFFICIENT_ACCESS:
    case LDAP_NO_SUCH_OBJECT:
    case LDAP_CONSTRAINT_VIOLATION:
    case LDAP_INVALID_SYNTAX:
    case LDAP_OBJECT_CLASS_VIOLATION:
    case LDAP_UNDEFINED_TYPE:
        return EDIT_NO;
    default:
        return EDIT_UNSURE;
    }
}

static void
explain(int code, const char *uri, const char *said, char text_r[EDIT_TEXT], char log_r[EDIT_TEXT])
{
    if (code == LDAP_SUCCESS)
        return;
    if (code == LDAP_INSUFFICIENT_ACCESS || code == LDAP_NO_SUCH_OBJECT) {
        snprintf(text_r, EDIT_TEXT, "The directory does not let you change this quota");
        return;
    }
    if (code == LDAP_PROXIED_AUTHORIZATION_DENIED) {
        snprintf(text_r, EDIT_TEXT, "The directory does not let this server act for you");
        snprintf(log_r, EDIT_TEXT, "%s: %s: see edit in postroad.conf(5)", uri, said);
        return;
    }
    snprintf(text_r, EDIT_TEXT,
             verdict_of(code) == EDIT_NO ? "The directory refuses this value"
                                         : "The directory did not say that it was changed");
    snprintf(log_r, EDIT_TEXT, "%s: %s", uri, said);
}

/* Over a connection that is bound. */
static enum edit_verdict
change(const struct conf *c, LDAP *ld, const char *uri, const struct edit_request *q,
       char text_r[EDIT_TEXT], char log_r[EDIT_TEXT])
{
    const char *attribute = quota_attribute(c);
    char value[24], said[256] = "no attribute for quotas is configured";
    int id, code = LDAP_OTHER;

    if ((int64_t)board_now_ms() >= q->until_ms) {
        snprintf(said, sizeof said, "no time is left");
    } else if (attribute) {
        quota_value(c, attribute, q->bytes, value);
        id = send_change(ld, q, attribute, value);
        if (id < 0)
            snprintf(said, sizeof said, "can't be sent: %s", ldap_err2string(-id));
        else
            code = read_result(ld, id, c->directory.timeout, said, sizeof said);
    }
    explain(code, uri, said, text_r, log_r);
    return verdict_of(code);
}

enum edit_verdict
edit_ldap_quota(const struct conf *conf, const struct edit_request *q, char text_r[EDIT_TEXT],
                char log_r[EDIT_TEXT])
{
    const struct conf c = as_edit(conf);
    char error[256];
    enum edit_verdict verdict;
    LDAP *ld;

    *text_r = *log_r = '\0';
    if (!*q->actor || !*q->target) { /* an empty name would be anybody's */
        snprintf(text_r, EDIT_TEXT, "no name");
        return EDIT_UNSURE;
    }
    for (size_t i = 0; i < c.directory.uri.n; i++) {
        const char *uri = c.directory.uri.v[i];

        ld = syncrepl_conn_open(&c, uri, error, sizeof error);
        if (!ld) {
            snprintf(log_r, EDIT_TEXT, "%s: %s", uri, error);
            continue;
        }
        *log_r = '\0';
        verdict = change(&c, ld, uri, q, text_r, log_r);
        syncrepl_conn_close(&ld);
        return verdict;
    }
    snprintf(text_r, EDIT_TEXT, "The directory can't be changed at the moment");
    return EDIT_UNSURE;
}
