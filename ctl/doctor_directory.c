/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doctor, directory: asked as whoever calls, so only with --bind-dn, --external or
 * admin.bind_dn: whether each answers, and what slapd was not told yet of limits, indices
 * and access rules.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dir.h"
#include "doctor.h"
#include "ldap_config.h"

static void
check_settings(struct doctor *d, struct dir *dir)
{
    char why[1024] = "";
    int n = 0, code;

    d->ctl->said = why;
    d->ctl->said_n = sizeof why;
    code = ldap_config_missing(d->ctl, dir, &n);
    d->ctl->said = NULL;
    if (code != CTL_DONE)
        doctor_say(
            d, DOCTOR_SKIPPED, "slapd",
            "as root: postroad doctor -Y EXTERNAL -H ldapi:///; with slapd.conf(5) compare it "
            "with what postroad ldap-config print says",
            "%s: cn=config can't be looked at: %s", dir_uri(dir), why);
    else if (n > 0)
        doctor_say(
            d, DOCTOR_WARNING, "slapd", "postroad ldap-config diff shows what, and apply does it",
            "%s: %d entries of cn=config lack limits, indices or access rules", dir_uri(dir), n);
    else
        doctor_say(d, DOCTOR_OK, "slapd", NULL, "%s has our limits, indices and access rules",
                   dir_uri(dir));
}

/* One server, as --uri would name it. */
static void
check_server(struct doctor *d, const char *uri)
{
    struct ctl one = *d->ctl;
    char why[1024] = "";
    struct dir *dir = NULL;

    if (one.noptions == CTL_OPTIONS_MAX)
        return;
    one.options[one.noptions++] = (struct ctl_option){"uri", uri};
    one.said = why;
    one.said_n = sizeof why;
    if (dir_open(&one, &dir) != CTL_DONE) {
        doctor_say(d, DOCTOR_TROUBLE, "directory", "see whether slapd runs there, and the password",
                   "%s: %s", uri, why);
        return;
    }
    doctor_say(d, DOCTOR_OK, "directory", NULL, "%s answers", uri);
    doctor_clock(d, dir);
    check_settings(d, dir);
    doctor_effect(d, dir);
    doctor_held_server(d, dir);
    dir_close(&dir);
}

void
doctor_directory(struct doctor *d)
{
    struct conf *conf = d->ctl->conf;
    const struct conf_list *list = conf->admin.uri.n > 0 ? &conf->admin.uri : conf_providers(conf);
    const char *uri = ctl_value(d->ctl, "uri");

    if (!uri && list->n == 0) /* a file is the directory */
        return;
    if (!ctl_value(d->ctl, "bind-dn") && !ctl_value(d->ctl, "external") && !*conf->admin.bind_dn) {
        doctor_say(d, DOCTOR_SKIPPED, "directory", "postroad doctor -D ADDRESS, or --external",
                   "the directory servers are only asked when it is said as whom");
        return;
    }
    if (uri)
        check_server(d, uri);
    for (size_t i = 0; !uri && i < list->n; i++)
        check_server(d, list->v[i]);
}
