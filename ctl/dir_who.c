/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dir_who: as whom to bind, and with which password: --bind-dn or admin.bind_dn,
 * a DN or a mail address, with --password-file or a question at the terminal; or
 * --external. Over ldapi:// with nothing said, whoever the socket says we are.
 *
 * An address is looked up in the mirror through the daemon, and where that can't
 * be asked, in the directory without a name. Must not guess: an address of two
 * people is nobody's.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/time.h>

#include "addr.h"
#include "dir_private.h"

/* The DN of the address's owner, from the daemon. 1, 0: not asked or not found. */
static int
dn_from_mirror(const struct ctl *ctl, const char *address, char dn[DIR_DN_MAX])
{
    json_t *reply;
    const char *found;
    int got = 0;

    if (daemon_ask_quietly(ctl, json_pack("{s:s, s:s}", "verb", "explain", "address", address),
                           &reply) < 0)
        return 0;
    found = json_string_value(json_object_get(json_object_get(reply, "owner"), "dn"));
    if (found && strlen(found) < DIR_DN_MAX) {
        strcpy(dn, found);
        got = 1;
    }
    json_decref(reply);
    return got;
}

/* The one entry a search found. 1, 0. */
static int
only_dn(LDAP *ld, LDAPMessage *answer, char dn[DIR_DN_MAX])
{
    LDAPMessage *entry = ldap_first_entry(ld, answer);
    char *found = entry && !ldap_next_entry(ld, entry) ? ldap_get_dn(ld, entry) : NULL;
    int got = found && strlen(found) < DIR_DN_MAX;

    if (got)
        strcpy(dn, found);
    ldap_memfree(found);
    return got;
}

static int
dn_from_search(const struct ctl *ctl, const char *uri, const char *base, const char *address,
               char dn[DIR_DN_MAX])
{
    char error[512], value[4 * ADDR_MAX], filter[8 * ADDR_MAX + 64];
    struct timeval limit = {ctl->conf->directory.timeout, 0};
    char *attrs[] = {(char *)"1.1", NULL};
    LDAPMessage *answer = NULL;
    LDAP *ld;
    int got = 0;

    if (dir_filter_escape(address, value, sizeof value) < 0 ||
        !(ld = dir_connect(ctl, uri, error, sizeof error)))
        return 0;
    snprintf(filter, sizeof filter,
             "(&(objectClass=postroadAccount)(|(mail=%s)(postroadAlias=%s)))", value, value);
    if (ldap_search_ext_s(ld, base, LDAP_SCOPE_SUBTREE, filter, attrs, 1, NULL, NULL, &limit, 2,
                          &answer) == LDAP_SUCCESS)
        got = only_dn(ld, answer, dn);
    ldap_msgfree(answer);
    ldap_unbind_ext(ld, NULL, NULL);
    return got;
}

static int
dn_of_address(const struct ctl *ctl, const char *uri, const char *base, const char *name,
              char dn[DIR_DN_MAX])
{
    struct addr a;

    if (addr_parse(&a, name, strlen(name), "") != 1)
        return ctl_usage("--bind-dn: \"%s\" is neither a DN nor a mail address", name);
    if (dn_from_mirror(ctl, a.text, dn) || dn_from_search(ctl, uri, base, a.text, dn))
        return CTL_DONE;
    return ctl_fail(ctl, CTL_NO,
                    "who is %s? Nobody with this address was found; give your DN: "
                    "--bind-dn uid=…",
                    a.text);
}

/* "a@b" is an address; "uid=a@b,o=c" is a DN. */
static int
is_address(const char *name)
{
    return strchr(name, '@') && !strchr(name, '=');
}

static int
is_dn(const char *name)
{
    LDAPDN parts = NULL;
    int is = ldap_str2dn(name, &parts, LDAP_DN_FORMAT_LDAPV3) == LDAP_SUCCESS;

    ldap_dnfree(parts);
    return is;
}

static int
get_password(const struct ctl *ctl, struct dir_who *who)
{
    const char *file = ctl_value(ctl, "password-file");
    char error[512], prompt[DIR_DN_MAX + 64];
    int rc;

    if (file) {
        rc = secret_read(&who->password, file, error, sizeof error);
    } else {
        snprintf(prompt, sizeof prompt, "Password of %s", who->dn);
        rc = secret_prompt(&who->password, prompt, error, sizeof error);
    }
    if (rc == 0)
        return CTL_DONE;
    return ctl_fail(ctl, CTL_USAGE, "%s%s", error,
                    file ? "" : ": use --password-file or --external");
}

int
dir_who(const struct ctl *ctl, const char *uri, const char *base, struct dir_who *who)
{
    const char *name = ctl_value(ctl, "bind-dn");
    int external = ctl_value(ctl, "external") != NULL, code;

    memset(who, 0, sizeof *who);
    if (external && (name || ctl_value(ctl, "password-file")))
        return ctl_usage("--external can't go together with --bind-dn or --password-file");
    if (!name && *ctl->conf->admin.bind_dn)
        name = ctl->conf->admin.bind_dn;
    who->external = external || (!name && strncasecmp(uri, "ldapi://", 8) == 0);
    if (who->external)
        return CTL_DONE;
    if (!name || !*name)
        return ctl_usage("as whom? Give --bind-dn with your address or DN, or --external");
    if (is_address(name)) {
        if ((code = dn_of_address(ctl, uri, base, name, who->dn)) != CTL_DONE)
            return code;
    } else if (!is_dn(name) || strlen(name) >= sizeof who->dn) {
        return ctl_usage("--bind-dn: \"%s\" is neither a DN nor a mail address", name);
    } else {
        strcpy(who->dn, name);
    }
    return get_password(ctl, who);
}
