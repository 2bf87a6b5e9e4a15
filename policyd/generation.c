/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * generation: from a configuration file to something roles can be started from.
 *
 * What can be known to be wrong without starting anything is found here, before
 * the first side effect, so that -t, start and reload say the same. Started by an
 * ordinary user, users and groups are left alone. Never logs; errors are text.
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
#include <sys/stat.h>
#include <unistd.h>

#include "parent.h"
#include "role_start.h"

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

static int
check_names(const struct check *c)
{
    if (geteuid() != 0)
        return 0;
    if (!getpwnam(c->conf->user))
        return wrong(c, "user", c->conf->user, "no such user");
    if (!getgrnam(c->conf->group))
        return wrong(c, "group", c->conf->group, "no such group");
    if (*c->conf->socket_group && !getgrnam(c->conf->socket_group))
        return wrong(c, "socket_group", c->conf->socket_group, "no such group");
    return 0;
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
        rc = faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS);
        eyes_back(&e);
        return rc < 0 ? wrong(c, key, path, strerror(errno)) : 0;
    }
    snprintf(above, sizeof(above), "%s", path);
    if (errno == ENOENT &&
        (access(dirname(above), W_OK | X_OK) == 0 || strcmp(above, made_too) == 0))
        return 0; /* made at the start */
    return wrong(c, key, path, strerror(errno));
}

static int
check_folders(const struct check *c)
{
    const char *state = c->conf->state_dir;

    return check_folder(c, "state_dir", state, "") < 0 ||
                   check_folder(c, "cold.dir", c->conf->cold.dir, state) < 0
               ? -1
               : 0;
}

/* dropped: it is read by a role that has dropped its privileges. */
static int
check_file(const struct check *c, const char *key, const char *path, int dropped)
{
    struct eyes e = {.ngroups = -1};
    struct stat st;
    int fd;

    if (!*path)
        return 0;
    if (dropped)
        eyes_of_roles(c->conf, &e);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    eyes_back(&e);
    if (fd < 0)
        return wrong(c, key, path, strerror(errno));
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return wrong(c, key, path, "is no ordinary file");
    }
    close(fd);
    return 0;
}

static int
check_files(const struct check *c)
{
    const struct conf *f = c->conf;

    if (check_file(c, "directory.ldif", f->directory.ldif, 1) < 0 ||
        check_file(c, "directory.password_file", f->directory.password_file, 0) < 0 ||
        check_file(c, "directory.tls_ca_file", f->directory.tls_ca_file, 0) < 0 ||
        check_file(c, "directory.tls_cert_file", f->directory.tls_cert_file, 0) < 0 ||
        check_file(c, "directory.tls_key_file", f->directory.tls_key_file, 0) < 0)
        return -1;
    return 0;
}

int
parent_check(const char *conf_path, const struct conf *conf, char *error, size_t error_n)
{
    struct check c = {conf_path, conf, error, error_n};

    return check_names(&c) < 0 || check_folders(&c) < 0 || check_files(&c) < 0 ? -1 : 0;
}

int
generation_load(const char *conf_path, unsigned number, struct generation **g_r, char *error,
                size_t error_n)
{
    struct generation *g = calloc(1, sizeof(*g));
    int rc = PARENT_CONFIGURATION;

    if (!g) {
        snprintf(error, error_n, "out of memory");
        return PARENT_TEMPORARY;
    }
    g->number = number;
    g->conf_fd = g->map_fd = g->control_fd = g->policy_fd = g->http_fd = -1;
    if (conf_load(conf_path, &g->conf, error, error_n) == 0 &&
        parent_check(conf_path, g->conf, error, error_n) == 0) {
        g->conf_fd = role_conf_fd(g->conf);
        if (g->conf_fd >= 0) {
            *g_r = g;
            return PARENT_OK;
        }
        rc = PARENT_TEMPORARY;
        snprintf(error, error_n, "can't keep the configuration in memory: %s", strerror(errno));
    }
    generation_free(&g);
    return rc;
}

static gid_t
group_id(const char *name)
{
    const struct group *gr = geteuid() == 0 && *name ? getgrnam(name) : NULL;

    return gr ? gr->gr_gid : (gid_t)-1;
}

/* Make a folder that is the roles' own; one that is there is left as it is. */
static int
make_folder(const struct conf *conf, const char *path, const char *group, mode_t mode, char *error,
            size_t error_n)
{
    const struct passwd *pw = geteuid() == 0 ? getpwnam(conf->user) : NULL;

    if (mkdir(path, 0750) < 0) {
        if (errno == EEXIST)
            return 0;
    } else if ((!pw || chown(path, pw->pw_uid, group_id(group)) == 0) && chmod(path, mode) == 0) {
        return 0;
    }
    snprintf(error, error_n, "%s: %s", path, strerror(errno));
    return -1;
}

/* Of the cold tables Postfix's group may read what is made in their folder. */
static int
make_folders(const struct conf *conf, char *error, size_t error_n)
{
    if (make_folder(conf, conf->state_dir, conf->group, 0750, error, error_n) < 0)
        return -1;
    if (!*conf->cold.dir)
        return 0;
    return make_folder(conf, conf->cold.dir, conf->socket_group, 02750, error, error_n);
}

/* The descriptor of a listening socket at address, -1 and error. */
static int
socket_at(struct listen_set *s, const char *address, const char *group, char *error, size_t error_n)
{
    int i = listen_at(s, address, group_id(group), error, error_n);

    return i < 0 ? -1 : s->at[i].fd;
}

int
generation_open(struct generation *g, struct listen_set *s, char *error, size_t error_n)
{
    const struct conf *conf = g->conf;

    if (make_folders(conf, error, error_n) < 0)
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

        if (fd == g->map_fd || fd == g->policy_fd || fd == g->control_fd || fd == g->http_fd)
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
    conf_free(&g->conf);
    free(g);
    *gp = NULL;
}
