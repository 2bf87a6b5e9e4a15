/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * generation: from a configuration file to something roles can be started from.
 *
 * What can be known to be wrong without starting anything is found here, before
 * the first side effect, so that -t, start and reload say the same; and what can't
 * be told now is not called wrong. Started by an ordinary user, users and groups
 * are left alone. Never logs; errors are text.
 */
#include "generation.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apart.h"
#include "edit.h"
#include "held_wanted.h"
#include "parent.h"

struct check {
    const char *file;
    const struct conf *conf;
    char *error;
    size_t error_n;
};

static int
wrong(const struct check *c, const char *key, const char *value, const char *what)
{
    snprintf(c->error, c->error_n, "%s: %s: \"%s\": %s", c->file, key, value, what);
    return -1;
}

/* The same for a call that failed: it may be none of the configuration's faults. */
static int
failed(const struct check *c, const char *key, const char *value, int error)
{
    wrong(c, key, value, strerror(error));
    return error == ENOMEM || error == EMFILE || error == ENFILE || error == EIO ? -2 : -1;
}

/* A file is there, and not for us to read: who has to be let in, and how. */
static int
forbidden(const struct check *c, const char *key, const char *path)
{
    char text[3000];

    snprintf(text, sizeof(text),
             "Permission denied; the daemon's group has to read it: chgrp %s %s; chmod 640 %s",
             c->conf->group, path, path);
    return wrong(c, key, path, text);
}

static int
check_name(const struct check *c, const char *key, const char *name, int is_group)
{
    errno = 0;
    if (is_group ? getgrnam(name) != NULL : getpwnam(name) != NULL)
        return 0;
    if (failed(c, key, name, errno) == -2)
        return -2;
    return wrong(c, key, name, is_group ? "no such group" : "no such user");
}

static int
check_names(const struct check *c)
{
    const struct conf *f = c->conf;
    int rc = 0;

    if (geteuid() != 0)
        return 0;
    rc = check_name(c, "user", f->user, 0);
    if (rc == 0)
        rc = check_name(c, "group", f->group, 1);
    if (rc == 0 && *f->socket_group)
        rc = check_name(c, "socket_group", f->socket_group, 1);
    return rc;
}

/* Root looks at what roles need after they dropped their privileges with the eyes of their user. */
struct eyes {
    gid_t groups[64];
    int ngroups; /* -1: nothing was changed */
};

static void
eyes_of_roles(const struct conf *conf, struct eyes *e)
{
    const struct passwd *pw = geteuid() == 0 ? getpwnam(conf->user) : NULL;
    const struct group *gr = pw && pw->pw_uid != 0 ? getgrnam(conf->group) : NULL;

    e->ngroups = gr ? getgroups(64, e->groups) : -1;
    if (e->ngroups < 0)
        return;
    if (setgroups(1, &gr->gr_gid) < 0 || setegid(gr->gr_gid) < 0 || seteuid(pw->pw_uid) < 0)
        abort(); /* root can do that */
}

static void
eyes_back(const struct eyes *e)
{
    if (e->ngroups >= 0 &&
        (seteuid(0) < 0 || setegid(getgid()) < 0 || setgroups((size_t)e->ngroups, e->groups) < 0))
        abort();
}

/* A folder that the roles write to. made_too: one that will be made before it, when it is not there. */
static int
check_folder(const struct check *c, const char *key, const char *path, const char *made_too)
{
    char above[1100];
    struct stat st;
    struct eyes e;
    int rc;

    if (!*path)
        return 0;
    if (stat(path, &st) == 0) {
        if (!S_ISDIR(st.st_mode))
            return wrong(c, key, path, "is no folder");
        eyes_of_roles(c->conf, &e);
        rc = faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) < 0 ? errno : 0;
        eyes_back(&e);
        return rc ? failed(c, key, path, rc) : 0;
    }
    snprintf(above, sizeof(above), "%s", path);
    if (errno == ENOENT &&
        (access(dirname(above), W_OK | X_OK) == 0 || strcmp(above, made_too) == 0))
        return 0; /* made at the start */
    return failed(c, key, path, errno);
}

static int
check_folders(const struct check *c)
{
    const char *state = c->conf->state_dir;
    int rc = check_folder(c, "state_dir", state, "");

    if (rc == 0)
        rc = check_folder(c, "cold.dir", c->conf->cold.dir, state);
    return rc ? rc : check_folder(c, "homes.dir", c->conf->homes.dir, state);
}

/* dropped: it is read by a role that has dropped its privileges. */
static int
check_file(const struct check *c, const char *key, const char *path, int dropped)
{
    struct eyes e = {.ngroups = -1};
    struct stat st;
    int fd, error, rc = 0;

    if (!*path)
        return 0;
    if (dropped)
        eyes_of_roles(c->conf, &e);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    error = errno;
    eyes_back(&e);
    if (fd < 0)
        return error == EACCES ? forbidden(c, key, path) : failed(c, key, path, error);
    if (fstat(fd, &st) < 0)
        rc = failed(c, key, path, errno);
    else if (!S_ISREG(st.st_mode))
        rc = wrong(c, key, path, "is no ordinary file");
    close(fd);
    return rc;
}

/* all: each is read by the user of the roles, as where systemd starts the daemon as that user. */
static int
check_files(const struct check *c, int all)
{
    const struct conf *f = c->conf;
    const struct {
        const char *key, *path;
        int dropped;
    } files[] = {{"directory.ldif", f->directory.ldif, 1},
                 {"directory.password_file", f->directory.password_file, 0},
                 {"directory.tls_ca_file", f->directory.tls_ca_file, 0},
                 {"directory.tls_cert_file", f->directory.tls_cert_file, 0},
                 {"directory.tls_key_file", f->directory.tls_key_file, 0},
                 {"edit.password_file", f->edit.password_file, 0},
                 {"held.password_file", f->held.password_file, 0},
                 {"access.http_key_file", f->access.http_key_file, 0}};
    int rc = 0;

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]) && rc == 0; i++)
        rc = check_file(c, files[i].key, files[i].path, all || files[i].dropped);
    return rc;
}

int
parent_check(const char *conf_path, const struct conf *conf, char *error, size_t error_n)
{
    struct check c = {conf_path, conf, error, error_n};
    int rc = check_names(&c);

    if (rc == 0)
        rc = check_folders(&c);
    return rc ? rc : check_files(&c, 0);
}

int
parent_foresee(const char *conf_path, const struct conf *conf, char *warning, size_t warning_n)
{
    struct check c = {conf_path, conf, warning, warning_n};

    return geteuid() == 0 && !conf->queue.manage ? check_files(&c, 1) : 0;
}

/* The settings in a file in memory: a role that is started anew gets what was accepted. */
static int
load(struct generation *g, const char *conf_path, char *error, size_t error_n)
{
    int rc;

    g->conf_fd = memfd_create("postroad.conf", MFD_CLOEXEC);
    rc = g->conf_fd < 0 ? -1 : apart_read(conf_path, g->conf_fd, error, error_n);
    if (g->conf_fd >= 0 && rc < 0)
        return rc == -1 ? PARENT_CONFIGURATION : PARENT_TEMPORARY;
    if (rc == 0 && conf_take(g->conf_fd, &g->conf) == 0)
        return PARENT_OK;
    snprintf(error, error_n, "can't keep the configuration in memory: %s", strerror(errno));
    return PARENT_TEMPORARY;
}

int
generation_load(const char *conf_path, unsigned number, struct generation **g_r, char *error,
                size_t error_n)
{
    struct generation *g = calloc(1, sizeof(*g));
    int rc;

    if (!g) {
        snprintf(error, error_n, "out of memory");
        return PARENT_TEMPORARY;
    }
    g->number = number;
    g->edit_fd[0] = g->edit_fd[1] = g->queue_fd[0] = g->queue_fd[1] = -1;
    g->held_fd[0] = g->held_fd[1] = -1;
    g->conf_fd = g->map_fd = g->control_fd = g->policy_fd = g->access_fd = g->hook_fd = g->http_fd =
        -1;
    rc = load(g, conf_path, error, error_n);
    if (rc == PARENT_OK)
        *g_r = g;
    else
        generation_free(&g);
    return rc;
}

/* A group's number, -1 where it does not matter: 0, or -1 and error when that can't be told. */
static int
group_id(const char *name, gid_t *gid_r, char *error, size_t error_n)
{
    const struct group *gr = geteuid() == 0 && *name ? getgrnam(name) : NULL;

    *gid_r = gr ? gr->gr_gid : (gid_t)-1;
    if (gr || geteuid() != 0 || !*name)
        return 0;
    snprintf(error, error_n, "group %s can't be looked up", name);
    return -1;
}

/* Give a new folder to the user of the roles. 0, or -1 with errno. */
static int
hand_over(const struct conf *conf, const char *path, gid_t gid, mode_t mode)
{
    const struct passwd *pw;

    if (geteuid() == 0) {
        pw = getpwnam(conf->user);
        if (!pw || chown(path, pw->pw_uid, gid) < 0)
            return -1;
    }
    return chmod(path, mode);
}

/*
 * Make a folder that is the roles' own; one that is there is left as it is, so one that can't be
 * handed over goes again.
 */
static int
make_folder(const struct conf *conf, const char *path, const char *group, mode_t mode, char *error,
            size_t error_n)
{
    gid_t gid;

    if (group_id(group, &gid, error, error_n) < 0)
        return -1;
    if (mkdir(path, 0750) == 0) {
        if (hand_over(conf, path, gid, mode) == 0)
            return 0;
        rmdir(path);
    } else if (errno == EEXIST) {
        return 0;
    }
    snprintf(error, error_n, "%s: %s", path, strerror(errno));
    return -1;
}

/* Postfix's group may read what is made in the cold tables' folder, Dovecot's in that of the homes. */
static int
make_folders(const struct conf *conf, char *error, size_t error_n)
{
    if (make_folder(conf, conf->state_dir, conf->group, 0750, error, error_n) < 0)
        return -1;
    if (*conf->cold.dir &&
        make_folder(conf, conf->cold.dir, conf->socket_group, 02750, error, error_n) < 0)
        return -1;
    if (!*conf->homes.dir)
        return 0;
    return make_folder(conf, conf->homes.dir, conf->homes.group, 02750, error, error_n);
}

/* The descriptor of a listening socket at address, -1 and error. */
static int
socket_at(struct listen_set *s, const char *address, const char *group, char *error, size_t error_n)
{
    gid_t gid;
    int i;

    if (group_id(group, &gid, error, error_n) < 0)
        return -1;
    i = listen_at(s, address, gid, error, error_n);
    return i < 0 ? -1 : s->at[i].fd;
}

/*
 * Who may give a socket to this group: root, and who is a member. Without such a group, as on a machine
 * that has no Dovecot, or without being a member, nobody but ourselves may connect.
 */
static gid_t
access_group(const char *name)
{
    const struct group *gr = *name ? getgrnam(name) : NULL;
    gid_t groups[256];
    int n = geteuid() == 0 ? 0 : getgroups(256, groups);

    for (int i = 0; gr && i < n; i++)
        if (groups[i] == gr->gr_gid)
            return gr->gr_gid;
    return gr && geteuid() == 0 ? gr->gr_gid : (gid_t)-1;
}

/* Role control asks there too, so the socket belongs to the user it runs as. */
static int
dovecot_socket(struct listen_set *s, const char *address, const char *user, const char *group,
               char *error, size_t error_n)
{
    const struct passwd *pw = geteuid() == 0 ? getpwnam(user) : NULL;
    int i = listen_at(s, address, access_group(group), error, error_n);

    if (i < 0)
        return -1;
    if (pw && !s->at[i].inherited && lchown(address + 5, pw->pw_uid, (gid_t)-1) < 0) {
        snprintf(error, error_n, "%s: %s", address, strerror(errno));
        return -1;
    }
    return s->at[i].fd;
}

/* A pair outlives both roles, so neither has to notice that the other was started anew. */
static int
make_pair(int wanted, int fd[2], char *error, size_t error_n)
{
    if (!wanted || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd) == 0)
        return 0;
    snprintf(error, error_n, "socketpair: %s", strerror(errno));
    return -1;
}

static int
make_pairs(struct generation *g, char *error, size_t error_n)
{
    const struct conf *conf = g->conf;

    if (make_pair(edit_configured(conf) && *conf->sockets.access, g->edit_fd, error, error_n) < 0)
        return -1;
    if (make_pair(conf->queue.manage, g->queue_fd, error, error_n) < 0)
        return -1;
    return make_pair(held_wanted(conf), g->held_fd, error, error_n);
}

int
generation_open(struct generation *g, struct listen_set *s, char *error, size_t error_n)
{
    const struct conf *conf = g->conf;

    if (make_folders(conf, error, error_n) < 0 || make_pairs(g, error, error_n) < 0)
        return -1;
    g->map_fd = socket_at(s, conf->sockets.map, conf->socket_group, error, error_n);
    if (g->map_fd < 0)
        return -1;
    g->control_fd = socket_at(s, conf->sockets.control, conf->group, error, error_n);
    if (g->control_fd < 0)
        return -1;
    if (*conf->sockets.policy) {
        g->policy_fd = socket_at(s, conf->sockets.policy, conf->socket_group, error, error_n);
        if (g->policy_fd < 0)
            return -1;
    }
    if (*conf->sockets.access) {
        g->access_fd = dovecot_socket(s, conf->sockets.access, conf->user,
                                      conf->access.socket_group, error, error_n);
        if (g->access_fd < 0)
            return -1;
    }
    if (conf->hook.targets.n > 0) {
        g->hook_fd = dovecot_socket(s, conf->sockets.hook, conf->user, conf->hook.socket_group,
                                    error, error_n);
        if (g->hook_fd < 0)
            return -1;
    }
    if (!*conf->sockets.http)
        return 0;
    g->http_fd = socket_at(s, conf->sockets.http, "", error, error_n);
    return g->http_fd < 0 ? -1 : 0;
}

void
generation_keep(const struct generation *g, struct listen_set *s)
{
    for (int i = 0; i < s->n; i++) {
        int fd = s->at[i].fd;

        if (fd == g->map_fd || fd == g->policy_fd || fd == g->access_fd || fd == g->control_fd ||
            fd == g->hook_fd || fd == g->http_fd)
            s->at[i].keep = 1;
    }
}

void
generation_free(struct generation **gp)
{
    struct generation *g = *gp;

    if (!g)
        return;
    if (g->conf_fd >= 0)
        close(g->conf_fd);
    for (int i = 0; i < 2; i++) {
        if (g->edit_fd[i] >= 0)
            close(g->edit_fd[i]);
        if (g->queue_fd[i] >= 0)
            close(g->queue_fd[i]);
        if (g->held_fd[i] >= 0)
            close(g->held_fd[i]);
    }
    conf_free(&g->conf);
    free(g);
    *gp = NULL;
}
