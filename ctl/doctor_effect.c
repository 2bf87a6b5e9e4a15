/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doctor, by effect: what a directory server does, whatever its configuration says
 * and whoever may read that: whether it replicates, what it shows to nobody in
 * particular, and whether the daemon may act in administrators' names there, and as
 * nobody else. Only asks; it acts as others to be told who it is, and to see nothing.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "dir.h"
#include "doctor.h"
#include "secret.h"

#define TRIED_MAX  20 /* administrators; each is one question */
#define SHOWN_MAX  500
#define DN_MAX     2048
#define EDIT_TO_DO "see \"What slapd needs for it\" at edit in postroad.conf(5)"

static const char *const nothing[] = {"1.1", NULL};

static void
check_sync(struct doctor *d, struct dir *dir)
{
    static const char *const attrs[] = {"supportedControl", NULL};
    struct dir_entry *e = NULL;

    if (dir_find(dir, "", DIR_BASE, "(objectClass=*)", attrs, &e) == CTL_DONE &&
        dir_attr(e, "supportedControl")) {
        if (dir_has(e, "supportedControl", DOCTOR_SYNC))
            doctor_say(d, DOCTOR_OK, "slapd-sync", NULL, "%s can tell of its changes",
                       dir_uri(dir));
        else
            doctor_say(d, DOCTOR_TROUBLE, "slapd-sync",
                       "postroad ldap-config, part syncprov: it is not there, or not for this base",
                       "%s does not know the control its changes are followed by", dir_uri(dir));
    }
    dir_entry_free(&e);
}

/* --- what anybody sees --- */

struct shown {
    char dn[DN_MAX];
    int secret, n;
};

/* The first entry there is, or one with its password; not more than a look. */
static int
see(void *ctx, const struct dir_entry *e)
{
    struct shown *s = ctx;

    s->secret = dir_attr(e, "userPassword") != NULL;
    if (!*s->dn || s->secret)
        snprintf(s->dn, sizeof s->dn, "%s", e->dn);
    return s->secret || ++s->n == SHOWN_MAX;
}

static void
check_anonymous(struct doctor *d, struct dir *dir)
{
    static const char *const attrs[] = {"userPassword", NULL};
    struct shown shown = {"", 0, 0};
    struct dir *anybody;
    int code = dir_open_as(dir, "", "", &anybody);

    if (code == CTL_DONE)
        code =
            dir_search(anybody, dir_base(dir), DIR_SUB, "(objectClass=person)", attrs, see, &shown);
    dir_close(&anybody);
    if (shown.secret)
        doctor_say(d, DOCTOR_TROUBLE, "slapd-anonymous", "postroad ldap-config, part access",
                   "%s shows password hashes to anybody who asks: that of %s, for one",
                   dir_uri(dir), shown.dn);
    else if (*shown.dn)
        doctor_say(d, DOCTOR_WARNING, "slapd-anonymous", "postroad ldap-config, part access",
                   "%s shows people to anybody who asks: %s, for one", dir_uri(dir), shown.dn);
    else if (code != CTL_TEMPORARY)
        doctor_say(d, DOCTOR_OK, "slapd-anonymous", NULL, "%s shows nobody to strangers",
                   dir_uri(dir));
}

/* --- in whose name the daemon may act --- */

struct trial {
    struct doctor *d;
    struct dir *edit; /* bound as edit.bind_dn */
    int tried, refused, unsure;
    char dn[DN_MAX], why[DN_MAX]; /* of the first that was refused; of the last that was not */
};

static int
try_one(void *ctx, const struct dir_entry *e)
{
    struct trial *t = ctx;
    int code = dir_act_as(t->edit, e->dn);

    t->tried++;
    t->refused += code == CTL_NO;
    t->unsure += code == CTL_TEMPORARY;
    if (code != CTL_DONE && t->refused + t->unsure == 1) {
        snprintf(t->dn, sizeof t->dn, "%s", e->dn);
        snprintf(t->why, sizeof t->why, "%s", dir_error(t->edit));
    } else if (code == CTL_DONE && t->refused + t->unsure == 0) {
        snprintf(t->dn, sizeof t->dn, "%s", e->dn);
    }
    return t->tried == TRIED_MAX || t->unsure > 0;
}

static void
say_acts(const struct trial *t)
{
    const char *uri = dir_uri(t->edit), *who = t->d->ctl->conf->edit.bind_dn;

    if (t->tried == 0)
        doctor_say(t->d, DOCTOR_SKIPPED, "edit-acts", "postroad doctor as a system administrator",
                   "%s shows you no administrator in whose name %s could act", uri, who);
    else if (t->refused > 0)
        doctor_say(t->d, DOCTOR_TROUBLE, "edit-acts", EDIT_TO_DO,
                   "%s may not act for %d of %d administrators, and what these change elsewhere is "
                   "refused: %s",
                   who, t->refused, t->tried, t->why);
    else if (t->unsure > 0)
        doctor_say(t->d, DOCTOR_SKIPPED, "edit-acts", NULL, "%s: %s", uri, t->why);
    else
        doctor_say(t->d, DOCTOR_OK, "edit-acts", NULL, "%s lets %s act for administrators", uri,
                   who);
}

/* For people it may act, so that whoever gets hold of it may only what they may, and see nothing. */
static void
check_bounds(struct trial *t)
{
    const char *who = t->d->ctl->conf->edit.bind_dn;
    struct shown shown = {"", 0, 0};
    char service[DN_MAX];

    if (t->tried > 0 && t->refused + t->unsure == 0 && dir_act_as(t->edit, t->dn) == CTL_DONE)
        dir_search(t->edit, dir_base(t->edit), DIR_SUB, "(mail=*)", nothing, see, &shown);
    if (*shown.dn)
        doctor_say(t->d, DOCTOR_WARNING, "edit-bounds", "postroad ldap-config, part services",
                   "whoever has the password of %s reads the directory of %s as its "
                   "administrators do",
                   who, dir_uri(t->edit));
    snprintf(service, sizeof service, "cn=postroad-doctor,cn=services,%s", dir_base(t->edit));
    if (dir_act_as(t->edit, service) == CTL_DONE)
        doctor_say(t->d, DOCTOR_WARNING, "edit-bounds", "name only people in authzTo: " EDIT_TO_DO,
                   "at %s %s may act for services, such as %s, and not only for people",
                   dir_uri(t->edit), who, service);
    else if (t->tried > 0 && t->refused + t->unsure == 0 && !*shown.dn)
        doctor_say(t->d, DOCTOR_OK, "edit-bounds", NULL, "as nobody else, and reads nothing");
}

static int
edits_there(const struct doctor *d, const char *uri)
{
    const struct conf *conf = d->ctl->conf;
    const struct conf_list *list = conf->edit.uri.n > 0    ? &conf->edit.uri
                                   : conf->admin.uri.n > 0 ? &conf->admin.uri
                                                           : &conf->directory.uri;

    for (size_t i = 0; i < list->n; i++)
        if (strcasecmp(list->v[i], uri) == 0)
            return 1;
    return ctl_value(d->ctl, "uri") != NULL;
}

static void
check_edit(struct doctor *d, struct dir *dir)
{
    const struct conf *conf = d->ctl->conf;
    struct trial t = {.d = d};
    struct secret password;
    char error[512];
    int code;

    if (!*conf->edit.bind_dn || !edits_there(d, dir_uri(dir)))
        return;
    if (secret_read(&password, conf->edit.password_file, error, sizeof error) < 0) {
        doctor_say(d, DOCTOR_SKIPPED, "edit-service", "postroad doctor as root",
                   "edit.password_file: %s", error);
        return;
    }
    code = dir_open_as(dir, conf->edit.bind_dn, password.text, &t.edit);
    secret_wipe(&password);
    if (code != CTL_DONE) {
        doctor_say(d, code == CTL_NO ? DOCTOR_TROUBLE : DOCTOR_SKIPPED, "edit-service",
                   "add that entry, or set its password: " EDIT_TO_DO, "%s: %s", dir_uri(dir),
                   dir_error(dir));
        return;
    }
    dir_search(dir, dir_base(dir), DIR_SUB, "(postroadRole=*)", nothing, try_one, &t);
    say_acts(&t);
    check_bounds(&t);
    dir_close(&t.edit);
}

void
doctor_effect(struct doctor *d, struct dir *dir)
{
    check_sync(d, dir);
    check_anonymous(d, dir);
    check_edit(d, dir);
}
