/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doctor, held mail: where rules have mail wait for moderators, whether it can be released again, whether
 * moderators can see it, and whether the daemon is let in there. The password is tried by a bind of
 * its own, and wiped.
 */
#include <stdio.h>
#include <string.h>

#include "doctor.h"
#include "held.h"
#include "secret.h"

#define DN_MAX 2048

static int
is_shown(const struct conf *conf)
{
    return *conf->held.bind_dn || *conf->held.sasl_mech;
}

void
doctor_held(struct doctor *d)
{
    const struct conf *conf = d->ctl->conf;

    if (conf->milter.moderate.n == 0)
        return;
    if (!conf->queue.manage)
        doctor_say(
            d, DOCTOR_WARNING, "held-release", "set queue.manage, see postroad.conf(5)",
            "rules hold mail, and a verdict can't be carried out but by hand with postsuper");
    else
        doctor_say(d, DOCTOR_OK, "held-release", NULL, "held mail can be released");
    if (conf->directory.uri.n > 0 && !is_shown(conf))
        doctor_say(d, DOCTOR_WARNING, "held-shown", "set held.bind_dn, see postroad-moderation(7)",
                   "rules hold mail, and nobody but root of this machine sees it");
}

/* Whether cn=held is there for the entries. */
static void
check_container(struct doctor *d, struct dir *dir)
{
    static const char *const attrs[] = {"1.1", NULL};
    struct dir_entry *e = NULL;
    char dn[DN_MAX], todo[DN_MAX + 64];
    int code;

    snprintf(dn, sizeof dn, "%s,%s", HELD_CONTAINER, dir_base(dir));
    code = dir_find(dir, dn, DIR_BASE, "(objectClass=*)", attrs, &e);
    dir_entry_free(&e);
    snprintf(todo, sizeof todo, "add %s, an organizationalRole: see postroad-moderation(7)", dn);
    if (code == CTL_DONE)
        doctor_say(d, DOCTOR_OK, "held-container", NULL, "%s has %s", dir_uri(dir), dn);
    else if (code == CTL_NO && dir_was_missing(dir))
        doctor_say(d, DOCTOR_TROUBLE, "held-container", todo,
                   "%s has no %s: moderators see no held mail", dir_uri(dir), dn);
    else
        doctor_say(d, DOCTOR_SKIPPED, "held-container", NULL, "%s: %s", dir_uri(dir),
                   dir_error(dir));
}

/* Whether the daemon's credential is taken there. */
static void
check_service(struct doctor *d, struct dir *dir)
{
    const struct conf *conf = d->ctl->conf;
    struct secret password;
    char error[512];
    int code;

    if (!*conf->held.bind_dn)
        return;
    if (secret_read(&password, conf->held.password_file, error, sizeof error) < 0) {
        doctor_say(d, DOCTOR_SKIPPED, "held-service", "postroad doctor as root",
                   "held.password_file: %s", error);
        return;
    }
    code = dir_try_password(dir, conf->held.bind_dn, password.text);
    secret_wipe(&password);
    if (code == CTL_DONE)
        doctor_say(d, DOCTOR_OK, "held-service", NULL, "%s lets %s in", dir_uri(dir),
                   conf->held.bind_dn);
    else
        doctor_say(d, DOCTOR_TROUBLE, "held-service",
                   "add that entry, or set its password: see postroad-moderation(7)",
                   "%s: %s: moderators see no held mail", dir_uri(dir), dir_error(dir));
}

void
doctor_held_server(struct doctor *d, struct dir *dir)
{
    if (!is_shown(d->ctl->conf))
        return;
    check_container(d, dir);
    check_service(d, dir);
}
