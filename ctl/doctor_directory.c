/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doctor, directory: asked as whoever calls, so only with --bind-dn, --external or
 * admin.bind_dn. Each server's clock against ours, because the last writer wins by
 * the clock; and what slapd was not told yet of limits, indices and access rules.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "attrs_text.h"
#include "dir.h"
#include "doctor.h"
#include "ldap_config.h"

#define SKEW_WARNING_S 2
#define SKEW_TROUBLE_S 30

/* "20261122093000.123456Z#…" as seconds; -1. */
static int64_t
stamp(const char *text)
{
    return text_time((struct span){text, strcspn(text, "#")});
}

static void
say_skew(struct doctor *d, const char *uri, int64_t ahead)
{
    enum doctor_mark mark = ahead > SKEW_TROUBLE_S || ahead < -SKEW_TROUBLE_S   ? DOCTOR_TROUBLE
                            : ahead > SKEW_WARNING_S || ahead < -SKEW_WARNING_S ? DOCTOR_WARNING
                                                                                : DOCTOR_OK;

    doctor_say(d, mark, "clock", mark == DOCTOR_OK ? NULL : "let chrony or ntpd set both clocks",
               "the clock of %s is %lld s %s of ours", uri, (long long)(ahead < 0 ? -ahead : ahead),
               ahead < 0 ? "behind" : "ahead");
}

/* Its own clock, where the monitor shows it; else the newest change, which can't lie in the future. */
static void
check_clock(struct doctor *d, struct dir *dir)
{
    static const char *const monitor[] = {"monitorTimestamp", NULL}, *const csns[] = {"contextCSN",
                                                                                      NULL};
    struct dir_entry *e = NULL;
    const struct dir_attr *a;
    int64_t newest = -1;

    if (dir_find(dir, "cn=Current,cn=Time,cn=Monitor", DIR_BASE, "(objectClass=*)", monitor, &e) ==
            CTL_DONE &&
        stamp(dir_value(e, "monitorTimestamp")) > 0) {
        say_skew(d, dir_uri(dir), stamp(dir_value(e, "monitorTimestamp")) - time(NULL));
        dir_entry_free(&e);
        return;
    }
    dir_entry_free(&e);
    if (dir_find(dir, dir_base(dir), DIR_BASE, "(objectClass=*)", csns, &e) == CTL_DONE) {
        a = dir_attr(e, "contextCSN");
        for (size_t i = 0; a && i < a->n; i++)
            newest = stamp(a->v[i].p) > newest ? stamp(a->v[i].p) : newest;
        dir_entry_free(&e);
    }
    if (newest > time(NULL) + SKEW_WARNING_S)
        say_skew(d, dir_uri(dir), newest - time(NULL));
    else if (newest >= 0)
        doctor_say(d, DOCTOR_OK, "clock", NULL, "no change at %s lies in the future", dir_uri(dir));
    else
        doctor_say(d, DOCTOR_SKIPPED, "clock", NULL, "%s shows neither cn=Monitor nor contextCSN",
                   dir_uri(dir));
}

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
            "as root: postroad doctor --external --uri ldapi:///; with slapd.conf(5) compare it "
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
    check_clock(d, dir);
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
