/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doctor, files: who may write the configuration, who may read its secrets, and whether who has to can;
 * whether the daemon's user and groups are there, and whether there is room for its state.
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

/* A file to be read. */
struct file {
    const char *id, *path;
    int by_user; /* by a role, after privileges were dropped: also where the daemon is started as root */
};

/*
 * Whether who reads it can: 1; 0 after saying that he can't; -1 where that can't be told from here.
 * as_root: see doctor_runs_as_root.
 */
static int
can_be_read(struct doctor *d, const struct file *f, int as_root)
{
    const struct conf *conf = d->ctl->conf;
    int error = doctor_reads(conf, f->path);
    char todo[1600];

    if (error <= 0)
        return error == 0 ? 1 : as_root > 0 && !f->by_user ? 1 : -1;
    if (!f->by_user && (as_root > 0 || conf->queue.manage))
        return 1;
    snprintf(todo, sizeof todo, "chgrp %s %s && chmod g+r %s, and g+x for folders above it",
             conf->group, f->path, f->path);
    doctor_say(d, as_root < 0 && !f->by_user ? DOCTOR_WARNING : DOCTOR_TROUBLE, f->id,
               error == EACCES ? todo : "make it, or correct the setting",
               "%s: user %s, who reads it%s, can't: %s", f->path, conf->user,
               f->by_user ? "" : " unless postroad-policyd is started as root", strerror(error));
    return 0;
}

static void
check_configuration(struct doctor *d, int as_root)
{
    const struct file f = {"configuration", d->ctl->conf_path, 0};
    char todo[1200];
    struct stat st;

    snprintf(todo, sizeof todo, "chmod go-w %s", f.path);
    if (stat(f.path, &st) == 0 && st.st_mode & (S_IWGRP | S_IWOTH))
        doctor_say(d, DOCTOR_TROUBLE, f.id, todo,
                   "%s can be written by others: whoever can, decides where all mail goes", f.path);
    else if (can_be_read(d, &f, as_root) != 0)
        doctor_say(d, DOCTOR_OK, f.id, NULL, "%s can be read and makes sense", f.path);
}

static void
check_secret(struct doctor *d, const struct file *f, int as_root)
{
    char todo[1200];
    struct stat st;
    int readable;

    if (!*f->path)
        return;
    snprintf(todo, sizeof todo, "chmod o-rwx,g-w %s", f->path);
    if (stat(f->path, &st) < 0)
        doctor_say(d, errno == EACCES ? DOCTOR_SKIPPED : DOCTOR_TROUBLE, f->id,
                   errno == EACCES ? "run it as root" : "make it, or correct the setting", "%s: %s",
                   f->path, strerror(errno));
    else if (st.st_mode & (S_IRWXO | S_IWGRP))
        doctor_say(d, DOCTOR_TROUBLE, f->id, todo, "%s is a secret that others can read or change",
                   f->path);
    else if ((readable = can_be_read(d, f, as_root)) > 0)
        doctor_say(d, DOCTOR_OK, f->id, NULL, "%s is for few to read", f->path);
    else if (readable < 0)
        doctor_say(d, DOCTOR_SKIPPED, f->id, "run it as root",
                   "%s is for few to read; whether for user %s is not for you to see", f->path,
                   d->ctl->conf->user);
}

/* What hook.secrets and hook.headers name, as NAME=/path. */
static void
check_named(struct doctor *d, const struct conf_list *list, int as_root)
{
    for (size_t i = 0; i < list->n; i++) {
        const char *path = strchr(list->v[i], '=');
        const struct file f = {"hook-secret", path ? path + 1 : "", 0};

        check_secret(d, &f, as_root);
    }
}

static void
check_contents(struct doctor *d, int as_root)
{
    const struct conf *conf = d->ctl->conf;
    const struct file secrets[] = {{"directory-secret", conf->directory.password_file, 0},
                                   {"edit-secret", conf->edit.password_file, 0},
                                   {"held-secret", conf->held.password_file, 0},
                                   {"tls-key", conf->directory.tls_key_file, 0},
                                   {"http-key", conf->access.http_key_file, 0}};
    const struct file others[] = {{"directory-file", conf->directory.ldif, 1},
                                  {"tls-file", conf->directory.tls_ca_file, 0},
                                  {"tls-file", conf->directory.tls_cert_file, 0},
                                  {"hook-ca", conf->hook.ca_file, 1}};

    for (size_t i = 0; i < sizeof secrets / sizeof *secrets; i++)
        check_secret(d, &secrets[i], as_root);
    check_named(d, &conf->hook.secrets, as_root);
    check_named(d, &conf->hook.headers, as_root);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (*others[i].path)
            can_be_read(d, &others[i], as_root);
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
    int as_root = doctor_runs_as_root(d);

    check_configuration(d, as_root);
    check_contents(d, as_root);
    check_account(d);
    check_state(d);
    check_room(d);
}
