/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doctor, the milter's user: whether postroad-milter has a user of its own, who may nothing of
 * postroad-policyd's: not by a group, and not by a folder that is his or open to him. Root sees all of it;
 * others what they may look at. See "Its own user" in postroad-milter(8).
 */
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "doctor.h"
#include "flow.h"
#include "held_record.h"
#include "milter_user.h"

#define ID "milter-user"

/* A folder below state_dir, and whose it has to be. */
struct place {
    const char *name;
    int is_milters;
    mode_t never; /* bits it must not have */
};

static const struct place places[] = {
    {"mirror", 0, 0007},     {HELD_FOLDER, 0, 0077}, {HELD_FOLDER "/" HELD_NEW, 0, 0007},
    {"audit", 0, 0007},      {"journal", 1, 0077},   {FLOW_FOLDER, 1, 0027},
    {"accounting", 1, 0002},
};

static void
path_of(const struct conf *conf, const char *name, char path[2200])
{
    if (*conf->accounting.dir && strcmp(name, "accounting") == 0)
        snprintf(path, 2200, "%s", conf->accounting.dir);
    else
        snprintf(path, 2200, "%s/%s", conf->state_dir, name);
}

/* 1 it is as it should be, or not there, or can't be looked at; 0 after saying what is wrong. */
static int
place_is_right(struct doctor *d, const struct milter_user *u, const struct place *p)
{
    const struct conf *conf = d->ctl->conf;
    const char *owner = p->is_milters ? conf->milter.user : conf->user;
    char path[2200], todo[4800];
    struct stat st;

    path_of(conf, p->name, path);
    if (stat(path, &st) < 0)
        return 1;
    if (st.st_uid == (p->is_milters ? u->uid : u->daemon_uid) && (st.st_mode & p->never) == 0)
        return 1;
    snprintf(todo, sizeof todo, "chown %s %s; chmod -%03o %s", owner, path, (unsigned)p->never,
             path);
    if (st.st_uid == (p->is_milters ? u->uid : u->daemon_uid))
        doctor_say(d, DOCTOR_TROUBLE, ID, todo, "%s may be used by others, mode %04o", path,
                   (unsigned)st.st_mode & 07777);
    else if (p->is_milters && st.st_uid == u->daemon_uid)
        doctor_say(d, DOCTOR_WARNING, ID,
                   "systemctl restart postroad-milter, which is started as root",
                   "%s is not yet that of user %s", path, owner);
    else
        doctor_say(d, DOCTOR_TROUBLE, ID, todo, "%s does not belong to user %s", path, owner);
    return 0;
}

/* Whether his name is among the members of a group that may what he must not. */
static int
is_member(const char *group, const char *user)
{
    const struct group *gr = *group ? getgrnam(group) : NULL;

    for (char **m = gr ? gr->gr_mem : NULL; m && *m; m++)
        if (strcmp(*m, user) == 0)
            return 1;
    return 0;
}

static int
groups_are_right(struct doctor *d)
{
    const struct conf *conf = d->ctl->conf;
    const char *groups[] = {conf->group, conf->socket_group, conf->access.socket_group,
                            conf->hook.socket_group};
    char todo[256];

    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        if (!is_member(groups[i], conf->milter.user))
            continue;
        snprintf(todo, sizeof todo, "gpasswd -d %s %s", conf->milter.user, groups[i]);
        doctor_say(d, DOCTOR_TROUBLE, ID, todo,
                   "user %s is in group %s: what postroad-milter must not reach is open to it",
                   conf->milter.user, groups[i]);
        return 0;
    }
    return 1;
}

/* It has run here. */
static int
is_used(const struct conf *conf)
{
    char path[2200];
    struct stat st;

    path_of(conf, "accounting", path);
    return *conf->sockets.milter && stat(path, &st) == 0;
}

void
doctor_apart(struct doctor *d)
{
    const struct conf *conf = d->ctl->conf;
    struct milter_user u;
    const char *why;
    char error[512];
    int right = 1, rc;

    /* That there is no such user or group at all, doctor_files says. */
    if (!is_used(conf) || !getpwnam(conf->user) || !getgrnam(conf->group))
        return;
    rc = milter_user(conf, &u, &why, error, sizeof error);
    if (rc < 0)
        doctor_say(d, DOCTOR_TROUBLE, ID, "systemd-sysusers, or useradd --system", "%s", error);
    else if (rc == 0 && *why)
        doctor_say(d, DOCTOR_WARNING, ID,
                   "systemd-sysusers, or useradd --system; start postroad-milter as root", "%s",
                   why);
    if (rc != 1)
        return;
    right = groups_are_right(d);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        right &= place_is_right(d, &u, &places[i]);
    if (right)
        doctor_say(d, DOCTOR_OK, ID, NULL, "postroad-milter is user %s, apart from %s",
                   conf->milter.user, conf->user);
}
