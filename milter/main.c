/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * postroad-milter: sees each message that comes in, goes out or stays inside, and writes
 * down what is to be accounted for.
 *
 * This file reads the command line and the configuration, makes the socket, opens the folders, has
 * a process of another user read the mirror, gives up privileges and hands over to libmilter: what parses
 * strangers' mail may nothing that postroad-policyd may. Exit codes: 0 done, 2 usage or
 * configuration, 75 temporary.
 */
#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "config.h"

#include "callbacks.h"
#include "figures.h"
#include "log.h"
#include "privileges.h"
#include "reader.h"
#include "sandbox.h"
#include "socket_give.h"
#include "state.h"

#define EXIT_DONE          0
#define EXIT_CONFIGURATION 2
#define EXIT_TEMPORARY     75

static const char usage[] =
    "usage: postroad-milter [-c FILE] [-t]\n"
    "  -c FILE  configuration, instead of " POSTROAD_SYSCONFDIR "/postroad/" CONF_PATH_DEFAULT "\n"
    "  -t       check the configuration and exit\n"
    "  -V       print the version\n"
    "  -h       print this\n"
    "It stays in the foreground; SIGTERM ends it.\n";

/* --- the socket --- */

static int
is_answered(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;

    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    rc = fd < 0 ? -1 : connect(fd, (const struct sockaddr *)&a, sizeof a);
    if (fd >= 0)
        close(fd);
    return rc == 0;
}

/* Open to nobody else, not even for a moment, and by its name nothing else is. */
static int
open_socket(const struct conf *conf)
{
    const char *path = conf->sockets.milter + strlen("unix:");
    const struct group *group = geteuid() == 0 ? getgrnam(conf->socket_group) : NULL;
    mode_t mask;
    int rc;

    if (geteuid() == 0 && !group) {
        log_error("there is no such group socket_group=%s", conf->socket_group);
        return EXIT_CONFIGURATION;
    }
    if (is_answered(path)) {
        log_error("another daemon is running there socket=%s", path);
        return EXIT_TEMPORARY;
    }
    mask = umask(SOCKET_UMASK);
    rc = callbacks_listen(conf->sockets.milter);
    umask(mask);
    if (rc < 0 || socket_give(path, group ? group->gr_gid : (gid_t)-1) < 0) {
        log_error("can't open the socket socket=%s error=\"%s\"", path, strerror(errno));
        return EXIT_TEMPORARY;
    }
    return EXIT_DONE;
}

/* --- what it does for good --- */

/* own NULL: as `user`, like postroad-policyd. */
static int
confine(const struct conf *conf, const struct milter_user *own)
{
    const char *user = own ? conf->milter.user : conf->user;
    char error[256];
    int rc;

    if (privileges_drop(user, own ? NULL : conf->group, error, sizeof error) < 0) {
        log_error("can't give up privileges error=\"%s\"", error);
        return EXIT_CONFIGURATION;
    }
    rc = conf->sandbox ? sandbox_enter(0, error, sizeof error) : 0;
    if (rc > 0)
        log_warning("no sandbox, this kernel has no seccomp filters error=\"%s\"", error);
    if (rc < 0)
        log_error("can't enter the sandbox error=\"%s\"", error);
    return rc < 0 ? EXIT_TEMPORARY : EXIT_DONE;
}

static int
open_state(const struct conf *conf, const struct milter_user *own, struct state *state)
{
    char error[512];

    if (state_open(conf, own, state, error, sizeof error) == 0)
        return EXIT_DONE;
    log_error("can't open a folder to write to dir=%s error=\"%s\"", conf->state_dir, error);
    return EXIT_TEMPORARY;
}

/* All that needs privileges, then without them. *line_r: to who reads the mirror; -1: we do. */
static int
settle(const struct conf *conf, struct state *state, int *line_r)
{
    struct milter_user user, *own = NULL;
    char error[512];
    int rc = geteuid() == 0 ? milter_user(conf, &user, NULL, error, sizeof error) : 0, code;

    *line_r = -1;
    if (rc < 0) {
        log_error("can't become another user error=\"%s\"", error);
        return EXIT_CONFIGURATION;
    }
    if (rc > 0)
        own = &user;
    if (own && (*line_r = reader_start(conf, error, sizeof error)) < 0) {
        log_error("can't start who reads the mirror error=\"%s\"", error);
        return EXIT_TEMPORARY;
    }
    code = open_socket(conf);
    if (code == EXIT_DONE && own)
        code = open_state(conf, own, state);
    if (code == EXIT_DONE)
        code = confine(conf, own);
    return code == EXIT_DONE && !own ? open_state(conf, NULL, state) : code;
}

static struct accounting *
open_accounting(const struct conf *conf, int dir_fd, int64_t now_ms)
{
    struct accounting_left left;
    struct accounting *a;
    char dir[2048], error[512];

    if (*conf->accounting.dir)
        snprintf(dir, sizeof dir, "%s", conf->accounting.dir);
    else
        snprintf(dir, sizeof dir, "%s/accounting", conf->state_dir);
    a = accounting_open_at(dir_fd, conf->site, (uint64_t)conf->accounting.max_size << 20, now_ms,
                           &left, error, sizeof error);
    if (!a) {
        log_error("can't account for mail dir=%s error=\"%s\"", dir, error);
        return NULL;
    }
    if (left.begun)
        log_notice("accounting begins anew dir=%s", dir);
    if (left.uncertain)
        log_warning("it was killed while messages were being accepted, postroad usage --maillog "
                    "tells which messages=%u",
                    left.uncertain);
    if (left.missing || left.torn)
        log_warning("accounting records are missing, the machine may have lost power records=%llu "
                    "torn=%d",
                    (unsigned long long)left.missing, left.torn);
    return a;
}

/* What all connections share; they never give it back. 0, or -1. */
static int
prepare(const struct conf *conf, struct journal *journal, const struct state *state, int line,
        struct callbacks_shared *shared)
{
    int64_t now_ms = clock_wall_ms();

    shared->site = conf->site;
    shared->contact = conf->sending.contact;
    cidr_fill(&shared->inside, conf->inside_networks.v, conf->inside_networks.n);
    shared->traces = conf->milter.trace;
    shared->goes_on = strcmp(conf->accounting.on_error, "continue") == 0;
    shared->people = line >= 0 ? people_apart(conf, line) : people_new(conf);
    shared->accounting = open_accounting(conf, state->accounting, now_ms);
    shared->journal = journal;
    shared->hold = shared->people ? hold_new(conf, shared->people) : NULL;
    shared->spoof = spoof_new(conf, shared->people);
    if (!shared->people || !shared->accounting || !shared->hold || !shared->spoof ||
        figures_start(conf, state->figures, now_ms) < 0 || (line >= 0 && reader_watch() < 0))
        return -1;
    if (journal)
        journal_open(journal, state->journal);
    hold_open(shared->hold, state->drop);
    return 0;
}

static int
serve(const struct conf *conf, struct journal *journal)
{
    static struct callbacks_shared shared;
    struct state state;
    int line, code = callbacks_register(&shared) < 0 ? EXIT_TEMPORARY : EXIT_DONE;

    if (code == EXIT_DONE)
        code = settle(conf, &state, &line);
    if (code != EXIT_DONE)
        return code;
    if (prepare(conf, journal, &state, line, &shared) < 0)
        return EXIT_TEMPORARY;
    log_info("ready version=" PACKAGE_VERSION " socket=%s", conf->sockets.milter);
    code = callbacks_run() == 0 && !reader_is_gone() ? EXIT_DONE : EXIT_TEMPORARY;
    /* Threads may still be at work: nothing is freed. */
    log_info("ended code=%d", code);
    return code;
}

/* What is allowed, and unwise. */
static void
advise(const struct conf *conf, const char *path)
{
    struct milter_user user;
    const char *why = "";
    char error[512];

    if (milter_user(conf, &user, &why, error, sizeof error) < 0)
        fprintf(stderr, "%s: warning: %s\n", path, error);
    else if (*why)
        fprintf(stderr, "%s: warning: %s\n", path, why);
}

static int
run(const char *path, int check)
{
    struct journal *journal = NULL;
    struct conf *conf = NULL;
    char error[1024] = "";
    int rc = conf_load(path, &conf, error, sizeof error), journal_rc = 0;

    if (rc == 0)
        journal = journal_new(conf, &journal_rc, error, sizeof error);
    rc = rc == 0 ? journal_rc : rc;
    if (rc < 0) {
        fprintf(stderr, "%s\n", error);
        return rc == -1 ? EXIT_CONFIGURATION : EXIT_TEMPORARY;
    }
    if (check || !*conf->sockets.milter) {
        if (check && *conf->sockets.milter)
            advise(conf, path);
        printf(check ? "%s: ok\n" : "%s: sockets.milter is empty: nothing to do\n", path);
        journal_free(&journal);
        conf_free(&conf);
        return EXIT_DONE;
    }
    log_open(conf->log.to, conf->log.facility, conf->log.level, "postroad-milter");
    log_never_wait();
    signal(SIGPIPE, SIG_IGN);
    return serve(conf, journal);
}

int
main(int argc, char **argv)
{
    const char *path = POSTROAD_SYSCONFDIR "/postroad/" CONF_PATH_DEFAULT;
    int check = 0, opt;

    while ((opt = getopt(argc, argv, "c:tVhx")) != -1) {
        if (opt == 'c') {
            path = optarg;
        } else if (opt == 't') {
            check = 1;
        } else if (opt == 'x') {
            return reader_run();
        } else if (opt == 'V' || opt == 'h') {
            fputs(opt == 'V' ? "postroad-milter " PACKAGE_VERSION "\n" : usage, stdout);
            return EXIT_DONE;
        } else {
            fputs(usage, stderr);
            return EXIT_CONFIGURATION;
        }
    }
    if (optind < argc) {
        fputs(usage, stderr);
        return EXIT_CONFIGURATION;
    }
    return run(path, check);
}
