/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dir_error: what the server's result codes mean to an administrator, in whole
 * sentences: what happened, whether something was changed, what to do.
 *
 * Must not call a temporary trouble a refusal, nor the other way round.
 */
#include <stdio.h>
#include <string.h>

#include "dir_private.h"

static const struct text {
    int code;
    const char *text; /* follows "could not WHAT DN: " */
} texts[] = {
    {LDAP_INSUFFICIENT_ACCESS, "the directory's access rules do not allow you that"},
    {LDAP_ALREADY_EXISTS, "there is an entry of this name already"},
    {LDAP_NO_SUCH_OBJECT, "there is no such entry, or you may not see it"},
    {LDAP_INVALID_SYNTAX, "a value has a form the directory does not take"},
    {LDAP_INVALID_DN_SYNTAX, "this is no name of an entry"},
    {LDAP_OBJECT_CLASS_VIOLATION,
     "the entry would not be complete, or hold what its classes don't allow"},
    {LDAP_UNDEFINED_TYPE, "the directory does not know an attribute: was its schema loaded there?"},
    {LDAP_CONSTRAINT_VIOLATION, "a value breaks a rule of the directory"},
    {LDAP_TYPE_OR_VALUE_EXISTS, "it has that value already"},
    {LDAP_NO_SUCH_ATTRIBUTE, "it has no such value"},
    {LDAP_NOT_ALLOWED_ON_NONLEAF, "there are entries below it: move or delete them first"},
    {LDAP_NOT_ALLOWED_ON_RDN, "the value is part of the entry's name: rename it instead"},
    {LDAP_NAMING_VIOLATION, "an entry of this kind can't have this name or place"},
    {LDAP_UNWILLING_TO_PERFORM, "the directory is not willing to: is it a read-only copy?"},
    {LDAP_REFERRAL, "this server is a read-only copy: name one that is written to with --uri"},
    {LDAP_CONFIDENTIALITY_REQUIRED,
     "the server wants TLS first: use ldapi://, ldaps:// or StartTLS"},
    {LDAP_STRONG_AUTH_REQUIRED,
     "the server wants to know who you are: use --bind-dn or --external"},
    {LDAP_INVALID_CREDENTIALS, "wrong name or password"},
    {LDAP_INAPPROPRIATE_AUTH, "this entry has no password to bind with"},
    {LDAP_AUTH_UNKNOWN, "the server does not take this kind of bind"},
    {LDAP_SIZELIMIT_EXCEEDED, "there is more than the server shows you at once: ask for less"},
    {LDAP_ADMINLIMIT_EXCEEDED, "there is more than the server looks through for you: ask for less"},
    {LDAP_TIMELIMIT_EXCEEDED, "the server took too long and gave up"},
    {LDAP_SERVER_DOWN, "the connection to the server broke"},
    {LDAP_CONNECT_ERROR, "the connection to the server broke"},
    {LDAP_TIMEOUT, "the server did not answer in time"},
    {LDAP_BUSY, "the server is busy: try again later"},
    {LDAP_UNAVAILABLE, "the server is going down or coming up: try again later"},
    {LDAP_NO_MEMORY, "no memory"},
};

/* Whether code says nothing about the question: away, busy, too slow. */
static int
is_temporary(int code)
{
    return code < 0 || code == LDAP_BUSY || code == LDAP_UNAVAILABLE ||
           code == LDAP_TIMELIMIT_EXCEEDED || code == LDAP_OTHER || code == LDAP_OPERATIONS_ERROR ||
           code == LDAP_SASL_BIND_IN_PROGRESS;
}

/* What a change that was under way when the connection broke has become, nobody knows here. */
static int
is_open(int code)
{
    return code == LDAP_SERVER_DOWN || code == LDAP_TIMEOUT || code == LDAP_CONNECT_ERROR;
}

static const char *
text_of(int code)
{
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].code == code)
            return texts[i].text;
    return NULL;
}

int
dir_result(struct dir *d, int code, const char *what, const char *dn)
{
    const char *text = text_of(code);
    char *said = NULL;
    int changes =
        strcmp(what, "search") != 0 && strcmp(what, "bind as") != 0 && strcmp(what, "act as") != 0;

    d->code = code;
    d->error[0] = '\0';
    if (code == LDAP_SUCCESS)
        return CTL_DONE;
    ldap_get_option(d->ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &said);
    snprintf(d->error, sizeof d->error, "could not %s %s: %s%s%s%s%s", what, dn,
             text ? text : ldap_err2string(code), said && *said ? " (the server says: " : "",
             said ? said : "", said && *said ? ")" : "",
             changes && is_open(code)
                 ? "\n  Whether it was done is not known: look, then do it again"
                 : "");
    ldap_memfree(said);
    return is_temporary(code) ? CTL_TEMPORARY : CTL_NO;
}

int
dir_was_there(const struct dir *d)
{
    return d->code == LDAP_ALREADY_EXISTS;
}

int
dir_was_missing(const struct dir *d)
{
    return d->code == LDAP_NO_SUCH_OBJECT;
}
