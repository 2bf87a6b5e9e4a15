/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doctor, directory: asked as whoever calls, so only with --bind-dn, --external or
 * admin.bind_dn: whether each answers, and what slapd was not told yet of limits, indices
 * and access rules; and of the first that answers, whose move to another site has not ended.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dir.h"
#include "doctor.h"
#include "ldap_config.h"
#include "move_site.h"

#define LISTED 20

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

struct late {
    struct doctor *d;
    size_t n;
};

/* Who has moved, and may still have something at the old place. Who is in state moving the daemon knows. */
static int
on_move(void *ctx, const struct dir_entry *e)
{
    struct late *l = ctx;
    const char *mail = dir_value(e, "mail");
    char todo[1024];
    struct move m;

    if (move_record_parse(dir_value(e, "postroadMove"), &m) < 0 || m.step != MOVE_LATE ||
        ++l->n > LISTED)
        return 0;
    snprintf(todo, sizeof todo, "postroad user move-site %s %s", mail, m.to);
    doctor_say(l->d, DOCTOR_WARNING, "moving", todo,
               "%s has moved from %s to %s, and the last look at the old place was not done", mail,
               m.from, m.to);
    return 0;
}

static void
check_moves(struct doctor *d, struct dir *dir)
{
    static const char *const attrs[] = {"mail", "postroadMove", NULL};
    struct late l = {d, 0};

    if (dir_search(dir, dir_base(dir), DIR_SUB, "(postroadMove=*)", attrs, on_move, &l) != CTL_DONE)
        doctor_say(d, DOCTOR_SKIPPED, "moving", NULL, "%s does not show whose move has not ended",
                   dir_uri(dir));
    else if (l.n > LISTED)
        doctor_say(d, DOCTOR_WARNING, "moving", NULL, "and so have %zu more", l.n - LISTED);
}

/* One server, as --uri would name it. moves: also whose move has not ended. 0: it does not answer. */
static int
check_server(struct doctor *d, const char *uri, int moves)
{
    struct ctl one = *d->ctl;
    char why[1024] = "";
    struct dir *dir = NULL;

    if (one.noptions == CTL_OPTIONS_MAX)
        return 0;
    one.options[one.noptions++] = (struct ctl_option){"uri", uri};
    one.said = why;
    one.said_n = sizeof why;
    if (dir_open(&one, &dir) != CTL_DONE) {
        doctor_say(d, DOCTOR_TROUBLE, "directory", "see whether slapd runs there, and the password",
                   "%s: %s", uri, why);
        return 0;
    }
    doctor_say(d, DOCTOR_OK, "directory", NULL, "%s answers", uri);
    doctor_clock(d, dir);
    check_settings(d, dir);
    doctor_effect(d, dir);
    doctor_held_server(d, dir);
    if (moves)
        check_moves(d, dir);
    dir_close(&dir);
    return 1;
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
        check_server(d, uri, 1);
    for (size_t i = 0, seen = 0; !uri && i < list->n; i++)
        seen += check_server(d, list->v[i], seen == 0) != 0;
}
