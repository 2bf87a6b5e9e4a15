/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doctor, sockets: each is there, those who need it may use it, and somebody answers
 * with what only we would say. Postfix's own way to the map socket is looked at step
 * by step, since it runs as another user.
 */
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ask.h"
#include "doctor.h"

#define TIMEOUT_MS 5000
#define START      "systemctl start postroad-policyd; its log says why it ended"

static const char *
plain(const char *address)
{
    return strncmp(address, "unix:", 5) == 0 ? address + 5 : address;
}

/* Whether members of group may go through every folder on the way; else *bad is the first that stops them. */
static int
may_reach(const char *path, gid_t gid, char bad[512])
{
    struct stat st;

    for (const char *p = path; (p = strchr(p + 1, '/'));) {
        snprintf(bad, 512, "%.*s", (int)(p - path), path);
        if (stat(bad, &st) < 0)
            return 1; /* the socket's own check says more */
        if (!(st.st_mode & S_IXOTH) && !(st.st_gid == gid && st.st_mode & S_IXGRP))
            return 0;
    }
    return 1;
}

/* A socket that Postfix or mail processes use, by its group. 1: nothing in the way. */
static int
check_group(struct doctor *d, const char *id, const char *address, const char *group)
{
    const struct group *gr = *group ? getgrnam(group) : NULL;
    const char *path = plain(address);
    char bad[512], todo[1200];
    struct stat st;

    if (!gr || stat(path, &st) < 0)
        return 1;
    if (!may_reach(path, gr->gr_gid, bad)) {
        snprintf(todo, sizeof todo, "chgrp %s %s && chmod g+x %s", group, bad, bad);
        doctor_say(d, DOCTOR_TROUBLE, id, todo, "members of group %s can't get into %s", group,
                   bad);
        return 0;
    }
    if (!(st.st_mode & S_IWOTH) && !(st.st_gid == gr->gr_gid && st.st_mode & S_IWGRP)) {
        doctor_say(d, DOCTOR_TROUBLE, id, "systemctl restart postroad-policyd: it sets them anew",
                   "group %s may not connect to %s", group, path);
        return 0;
    }
    return 1;
}

static void
silent(struct doctor *d, const char *id, const char *address, const char *error)
{
    if (strncmp(address, "inet:", 5) != 0 && access(plain(address), W_OK) < 0 && errno == EACCES)
        doctor_say(d, DOCTOR_SKIPPED, id, "run it as root", "%s is not for you to use",
                   plain(address));
    else
        doctor_say(d, DOCTOR_TROUBLE, id, START, "nobody answers: %s", error);
}

static void
check_map(struct doctor *d)
{
    const struct conf *conf = d->ctl->conf;
    enum socketmap_status status;
    char error[512], out[512];

    if (!check_group(d, "socket-map", conf->sockets.map, conf->socket_group))
        return;
    if (ask_map(conf->sockets.map, "domain", "doctor.invalid", TIMEOUT_MS, &status, out, sizeof out,
                error, sizeof error) < 0)
        silent(d, "socket-map", conf->sockets.map, error);
    else if (status == SOCKETMAP_PERM)
        doctor_say(d, DOCTOR_TROUBLE, "socket-map", "look which program listens there",
                   "%s answers, but not as ours would: %s", plain(conf->sockets.map), out);
    else
        doctor_say(d, DOCTOR_OK, "socket-map", NULL, "%s answers", plain(conf->sockets.map));
}

/* The first line of the answer begins with answer. */
static void
check_line(struct doctor *d, const char *id, const char *address, const char *question,
           const char *answer)
{
    char error[512], *reply = NULL;

    if (ask_text(address, question, TIMEOUT_MS, &reply, error, sizeof error) < 0)
        silent(d, id, address, error);
    else if (strncmp(reply, answer, strlen(answer)) != 0)
        doctor_say(d, DOCTOR_TROUBLE, id, "look which program listens there",
                   "%s answers, but not as ours would: %.60s", plain(address), reply);
    else
        doctor_say(d, DOCTOR_OK, id, NULL, "%s answers", plain(address));
    free(reply);
}

void
doctor_sockets(struct doctor *d)
{
    const struct conf *conf = d->ctl->conf;
    char http[200];

    check_map(d);
    if (*conf->sockets.policy &&
        check_group(d, "socket-policy", conf->sockets.policy, conf->socket_group))
        check_line(d, "socket-policy", conf->sockets.policy,
                   "request=smtpd_access_policy\npolicy_context=doctor\n\n", "action=");
    if (*conf->sockets.access &&
        check_group(d, "socket-access", conf->sockets.access, conf->access.socket_group))
        check_line(d, "socket-access", conf->sockets.access,
                   "rights\tactor=doctor@invalid\ttarget=doctor@invalid\n", "");
    if (*conf->sockets.http) {
        snprintf(http, sizeof http, "inet:%s", conf->sockets.http);
        check_line(d, "socket-http", http, "GET /healthz HTTP/1.0\r\n\r\n", "HTTP/1.");
    }
}
