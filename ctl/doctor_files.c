/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doctor, files: who may write the configuration, who may read its secrets, whether
 * the daemon's user and groups are there, and whether there is room for its state.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "doctor.h"
#include "text.h"

#define LITTLE_BYTES 536870912ull /* 512 MiB: warn */
#define NONE_BYTES   67108864ull  /* 64 MiB: trouble */
#define LITTLE_NODES 1000ull

static void
check_configuration(struct doctor *d)
{
    const char *path = d->ctl->conf_path;
    char todo[1200];
    struct stat st;

    snprintf(todo, sizeof todo, "chmod go-w %s", path);
    if (stat(path, &st) == 0 && st.st_mode & (S_IWGRP | S_IWOTH))
        doctor_say(d, DOCTOR_TROUBLE, "configuration", todo,
                   "%s can be written by others: whoever can, decides where all mail goes", path);
    else
        doctor_say(d, DOCTOR_OK, "configuration", NULL, "%s can be read and makes sense", path);
}

static void
check_secret(struct doctor *d, const char *id, const char *path)
{
    char todo[1200];
    struct stat st;

    if (!*path)
        return;
    snprintf(todo, sizeof todo, "chmod o-rwx,g-w %s", path);
    if (stat(path, &st) < 0)
        doctor_say(d, errno == EACCES ? DOCTOR_SKIPPED : DOCTOR_TROUBLE, id,
                   errno == EACCES ? "run it as root" : "make it, or correct the setting", "%s: %s",
                   path, strerror(errno));
    else if (st.st_mode & (S_IRWXO | S_IWGRP))
        doctor_say(d, DOCTOR_TROUBLE, id, todo, "%s is a secret that others can read or change",
                   path);
    else
        doctor_say(d, DOCTOR_OK, id, NULL, "%s is for few to read", path);
}

static void
check_account(struct doctor *d)
{
    const struct conf *conf = d->ctl->conf;
    const char *groups[] = {conf->group, conf->socket_group};

    if (!getpwnam(conf->user))
        doctor_say(d, DOCTOR_TROUBLE, "user", "systemd-sysusers, or useradd --system",
                   "there is no user \"%s\"", conf->user);
    for (size_t i = 0; i < 2; i++)
        if (*groups[i] && !getgrnam(groups[i]))
            doctor_say(d, DOCTOR_TROUBLE, "group", "systemd-sysusers, or groupadd --system",
                       "there is no group \"%s\"", groups[i]);
}

static void
check_state(struct doctor *d)
{
    const char *dir = d->ctl->conf->state_dir;
    const struct passwd *user = getpwnam(d->ctl->conf->user);
    char todo[1200];
    struct stat st;

    snprintf(todo, sizeof todo, "install -d -o %s -g %s -m 750 %s", d->ctl->conf->user,
             d->ctl->conf->group, dir);
    if (stat(dir, &st) < 0)
        doctor_say(d, errno == EACCES ? DOCTOR_SKIPPED : DOCTOR_TROUBLE, "state-dir", todo,
                   "%s: %s", dir, strerror(errno));
    else if (st.st_mode & S_IWOTH)
        doctor_say(d, DOCTOR_TROUBLE, "state-dir", todo, "%s can be written by anybody", dir);
    else if (geteuid() == 0 && user && user->pw_uid != 0 && st.st_uid != user->pw_uid)
        doctor_say(d, DOCTOR_TROUBLE, "state-dir", todo, "%s does not belong to user %s", dir,
                   d->ctl->conf->user);
    else
        doctor_say(d, DOCTOR_OK, "state-dir", NULL, "%s", dir);
}

static void
check_room(struct doctor *d)
{
    const char *dir = d->ctl->conf->state_dir;
    unsigned long long free_bytes, nodes;
    struct statvfs fs;
    char text[32];

    if (statvfs(dir, &fs) < 0)
        return; /* check_state has said it */
    free_bytes = (unsigned long long)fs.f_bavail * fs.f_frsize;
    nodes = fs.f_files ? fs.f_favail : LITTLE_NODES;
    text_bytes((double)free_bytes, text);
    if (free_bytes < NONE_BYTES || nodes == 0)
        doctor_say(d, DOCTOR_TROUBLE, "disk", "make room: without it the mirror stops where it is",
                   "%s are free for %s, and %llu files", text, dir, nodes);
    else if (free_bytes < LITTLE_BYTES || nodes < LITTLE_NODES)
        doctor_say(d, DOCTOR_WARNING, "disk", "make room soon",
                   "%s are free for %s, and %llu files", text, dir, nodes);
    else
        doctor_say(d, DOCTOR_OK, "disk", NULL, "%s are free for %s", text, dir);
}

void
doctor_files(struct doctor *d)
{
    const struct conf *conf = d->ctl->conf;

    check_configuration(d);
    check_secret(d, "directory-secret", conf->directory.password_file);
    check_secret(d, "edit-secret", conf->edit.password_file);
    check_secret(d, "held-secret", conf->held.password_file);
    check_secret(d, "tls-key", conf->directory.tls_key_file);
    check_account(d);
    check_state(d);
    check_room(d);
}
