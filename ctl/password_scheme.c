/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * password_scheme: by which scheme a new password is hashed. A hash that no server
 * can check locks its owner out, so "auto" takes {ARGON2} only where it is seen: the
 * module stands in the one server's cn=config, which the caller may read. In doubt,
 * and where other servers, whose modules nobody told us, check passwords too, it is
 * {CRYPT}, which they all know.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "password.h"

/* "{2}/usr/lib/ldap/argon2.la" or "pw-argon2": slapd's own module, or the older one of its friends. */
static int
is_module(const char *value)
{
    const char *name = *value == '{' && strchr(value, '}') ? strchr(value, '}') + 1 : value;
    size_t n;

    name = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
    name += strncmp(name, "pw-", 3) == 0 ? 3 : 0;
    n = strcspn(name, ". \t");
    return n == 6 && strncmp(name, "argon2", 6) == 0;
}

static int
see(void *ctx, const struct dir_entry *e)
{
    const struct dir_attr *module = dir_attr(e, "olcModuleLoad");

    for (size_t i = 0; module && i < module->n; i++)
        *(int *)ctx |= is_module(module->v[i].p);
    *(int *)ctx |= dir_has(e, "olcPasswordHash", "{ARGON2}");
    return *(int *)ctx;
}

/* 1 it has the module, 0 it has not, -1 nobody lets us see. */
static int
server_has_argon2(struct dir *d)
{
    static const char *const attrs[] = {"olcModuleLoad", "olcPasswordHash", NULL};
    int has = 0;

    if (dir_search(d, "cn=config", DIR_SUB,
                   "(|(objectClass=olcModuleList)(objectClass=olcFrontendConfig))", attrs, see,
                   &has) != CTL_DONE)
        return -1;
    return has;
}

/* Who answers to "ldapi:///" here and "ldap://ldap1" there may be two. */
static int
only_one_server(struct dir *d)
{
    const struct conf *conf = dir_ctl(d)->conf;
    const struct conf_list *lists[] = {&conf->admin.uri, &conf->directory.uri,
                                       &conf->directory.providers};

    for (size_t k = 0; k < sizeof lists / sizeof *lists; k++)
        for (size_t i = 0; i < lists[k]->n; i++)
            if (strcasecmp(lists[k]->v[i], dir_uri(d)) != 0)
                return 0;
    return 1;
}

int
password_ours(const struct conf *conf)
{
    return strcmp(conf->admin.password_scheme, "server") != 0;
}

const char *
password_scheme(struct dir *d)
{
    const char *scheme = dir_ctl(d)->conf->admin.password_scheme;

    if (!password_ours(dir_ctl(d)->conf))
        return NULL;
    if (strcmp(scheme, "auto") != 0)
        return scheme;
    if (password_knows("argon2") && only_one_server(d) && server_has_argon2(d) > 0)
        return "argon2";
    return "crypt";
}

int
password_cannot(struct dir *d, const char *scheme)
{
    if (!password_knows(scheme))
        return dir_refuse(d, CTL_USAGE,
                          "this postroad was built without libargon2 and can't make a hash by "
                          "\"argon2\": set admin.password_scheme to \"auto\" or \"server\"");
    return dir_refuse(d, CTL_TEMPORARY, "the password can't be hashed by %s here", scheme);
}
