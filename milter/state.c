/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * state: see state.h.
 *
 * Promises: nothing is given away but what belongs to `user` or was made here, and never by a name that
 * somebody may turn into another one meanwhile: each is opened, looked at and given by its
 * descriptor. So it is done anew at each start, which is how an installation with one user
 * becomes one with two. Must not: loosen what an administrator has set.
 */
#include "state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "flow.h"
#include "held_record.h"

/* Whose a folder is to be. */
struct owner {
    uid_t uid, was; /* was: it is taken over from this one */
    gid_t gid;
    mode_t mode;
};

static int
fail(char *error, size_t error_n, const char *dir)
{
    snprintf(error, error_n, "%s: %s", dir, strerror(errno));
    return -1;
}

/* After a failure, which is the caller's to tell: -1. */
static int
give_up(int fd)
{
    int error = errno;

    close(fd);
    errno = error;
    return -1;
}

/* What was made just now is no link; one an administrator has put there is followed. A descriptor, or -1. */
static int
open_folder(int at, const char *name, int made)
{
    return openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (made ? O_NOFOLLOW : 0));
}

/* A file there that is old's: hard links lead elsewhere, other kinds are none of ours. */
static int
give_file(int folder, const char *name, const struct owner *o)
{
    int fd = openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), rc = 0;
    struct stat st;

    if (fd < 0)
        return errno == ENOENT ? 0 : -1;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 && st.st_uid == o->was)
        rc = fchownat(fd, "", o->uid, o->gid, AT_EMPTY_PATH);
    close(fd);
    return rc;
}

static int
give_files(int folder, const struct owner *o)
{
    int fd = open_folder(folder, ".", 0), rc = 0;
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *e;

    if (!d)
        return -1;
    while (rc == 0 && (e = readdir(d)))
        if (e->d_name[0] != '.')
            rc = give_file(folder, e->d_name, o);
    closedir(d);
    return rc;
}

/* made: by us, just now. The mode last: a change of owner may take bits of it. */
static int
give_folder(int fd, int made, const struct owner *o)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -1;
    if (!made && st.st_uid != o->was)
        return 0;
    return fchown(fd, o->uid, o->gid) < 0 || fchmod(fd, o->mode) < 0 ? -1 : 0;
}

/* o NULL: it stays whose it is. A descriptor, or -1. */
static int
have_folder(int at, const char *name, mode_t mode, const struct owner *o)
{
    int made = mkdirat(at, name, mode) == 0, fd;

    if (!made && errno != EEXIST)
        return -1;
    fd = open_folder(at, name, made);
    if (fd < 0 || !o || give_folder(fd, made, o) == 0)
        return fd;
    return give_up(fd);
}

/* The same, and what is in it. */
static int
have_own(int at, const char *name, mode_t mode, gid_t gid, const struct milter_user *u)
{
    struct owner o = {.mode = mode, .gid = gid};
    int fd;

    if (!u)
        return have_folder(at, name, mode & 0777, NULL);
    o.uid = u->uid;
    o.was = u->daemon_uid;
    fd = have_folder(at, name, 0700, &o);
    if (fd < 0 || give_files(fd, &o) == 0)
        return fd;
    return give_up(fd);
}

/* Setgid: records are read by members of `group`, to whom the milter does not belong. */
static int
open_accounting(int top, const struct conf *conf, const struct milter_user *u)
{
    const char *dir = conf->accounting.dir;
    gid_t gid = u ? u->daemon_gid : (gid_t)-1;
    mode_t mode = u ? 02750 : 0750;

    return have_own(*dir ? AT_FDCWD : top, *dir ? dir : "accounting", mode, gid, u);
}

/* What a milter of before has counted is taken along. */
static int
open_figures(int top, const struct milter_user *u)
{
    gid_t gid = u ? u->daemon_gid : (gid_t)-1;
    int fd = have_own(top, FLOW_FOLDER, 0750, gid, u);
    struct owner o;

    if (fd < 0 || renameat2(top, FLOW_FILE_BEFORE, fd, FLOW_FILE, RENAME_NOREPLACE) < 0 || !u)
        return fd;
    o = (struct owner){.uid = u->uid, .was = u->daemon_uid, .gid = gid};
    give_file(fd, FLOW_FILE, &o);
    return fd;
}

/*
 * STATE/held is role held's alone. In "new" the milter may make files and take back its own, and not list
 * it; what it makes is read by the folder's owner, whom alone the folders above let in.
 */
static int
open_drop(int top, const struct milter_user *u)
{
    struct owner of_held = {.mode = 0700}, of_drop = {.mode = 01730};
    int held, drop;

    if (u) {
        of_held.uid = of_held.was = of_drop.uid = of_drop.was = u->daemon_uid;
        of_held.gid = u->daemon_gid;
        of_drop.gid = u->gid;
    }
    held = have_folder(top, HELD_FOLDER, 0700, u ? &of_held : NULL);
    if (held < 0)
        return -1;
    drop = have_folder(held, HELD_NEW, 0700, u ? &of_drop : NULL);
    if (drop < 0)
        return give_up(held);
    close(held);
    return drop;
}

int
state_open(const struct conf *conf, const struct milter_user *u, struct state *s, char *error,
           size_t error_n)
{
    int top = open(conf->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    *s = (struct state){-1, -1, -1, -1};
    if (top < 0)
        return fail(error, error_n, conf->state_dir);
    if ((s->accounting = open_accounting(top, conf, u)) < 0)
        fail(error, error_n, *conf->accounting.dir ? conf->accounting.dir : "accounting");
    else if ((s->figures = open_figures(top, u)) < 0)
        fail(error, error_n, FLOW_FOLDER);
    else if ((s->drop = open_drop(top, u)) < 0)
        fail(error, error_n, HELD_FOLDER "/" HELD_NEW);
    else if (conf->milter.journal.n > 0 &&
             (s->journal = have_own(top, "journal", 0700, u ? u->gid : (gid_t)-1, u)) < 0)
        fail(error, error_n, "journal");
    close(top);
    return s->drop < 0 || (conf->milter.journal.n > 0 && s->journal < 0) ? -1 : 0;
}
