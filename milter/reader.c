/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reader: see reader.h.
 *
 * LMDB's readers write to its lock file, and all roles of policyd trust what is in it, so the process
 * that parses strangers' mail must not reach it. This one parses nothing but questions of fixed size.
 * Promises: it never outlives the milter, and does not end before it. Must not: be given any
 * descriptor of the milter but that one socket.
 */
#include "reader.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "callbacks.h"
#include "log.h"
#include "people_line.h"
#include "privileges.h"
#include "sandbox.h"

/* Where the new program finds what it is given. */
#define FD_LINE 3
#define FD_CONF 4
#define FD_FREE 5

static pid_t reader;
static int is_gone;

/* --- the milter's side --- */

static void
become(int line, int conf_fd)
{
    char *argv[] = {(char *)"postroad-people", (char *)"-x", NULL};
    int a = fcntl(line, F_DUPFD_CLOEXEC, FD_FREE), b = fcntl(conf_fd, F_DUPFD_CLOEXEC, FD_FREE);

    if (a >= 0 && b >= 0 && dup2(a, FD_LINE) >= 0 && dup2(b, FD_CONF) >= 0)
        execv("/proc/self/exe", argv);
    dprintf(STDERR_FILENO, "postroad-milter: can't start the reader of the mirror: %s\n",
            strerror(errno));
    _exit(75);
}

static int
fail(char *error, size_t error_n, const char *what)
{
    snprintf(error, error_n, "%s: %s", what, strerror(errno));
    return -1;
}

int
reader_start(const struct conf *conf, char *error, size_t error_n)
{
    int ends[2], conf_fd = memfd_create("postroad.conf", MFD_CLOEXEC);

    if (conf_fd < 0 || conf_pass(conf, conf_fd) < 0)
        return fail(error, error_n, "the configuration can't be passed on");
    if (people_line(ends) < 0)
        return fail(error, error_n, "socketpair");
    reader = fork();
    if (reader == 0)
        become(ends[1], conf_fd);
    close(ends[1]);
    close(conf_fd);
    return reader < 0 ? fail(error, error_n, "fork") : ends[0];
}

static void *
watch(void *unused)
{
    int status = 0;

    while (waitpid(reader, &status, 0) < 0 && errno == EINTR)
        ;
    log_error("who reads the mirror has ended, so this ends, too status=%d", status);
    __atomic_store_n(&is_gone, 1, __ATOMIC_RELEASE);
    callbacks_stop();
    return unused;
}

int
reader_watch(void)
{
    sigset_t all, before;
    pthread_t thread;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&thread, NULL, watch, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc == 0 && pthread_detach(thread) == 0 ? 0 : -1;
}

int
reader_is_gone(void)
{
    return __atomic_load_n(&is_gone, __ATOMIC_ACQUIRE);
}

/* --- the reader's --- */

static int
confine(const struct conf *conf)
{
    char error[256];

    if (privileges_drop(conf->user, conf->group, error, sizeof error) < 0) {
        log_error("reader: can't give up privileges error=\"%s\"", error);
        return -1;
    }
    if (!conf->sandbox || sandbox_enter(0, error, sizeof error) >= 0)
        return 0;
    log_error("reader: can't enter the sandbox error=\"%s\"", error);
    return -1;
}

int
reader_run(void)
{
    static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE};
    struct conf *conf = NULL;
    struct people *people;
    int rc;

    /* A service manager tells all processes to end; the milter still has mail to finish. */
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        signal(ignored[i], SIG_IGN);
    prctl(PR_SET_NAME, "postroad-people", 0, 0, 0);
    if (conf_take(FD_CONF, &conf) < 0) {
        fputs("postroad-milter: -x is for postroad-milter itself\n", stderr);
        return 2;
    }
    close(FD_CONF);
    log_open(conf->log.to, conf->log.facility, conf->log.level, "postroad-milter");
    log_never_wait();
    if (confine(conf) < 0)
        return 75;
    people = people_new(conf);
    rc = people ? people_serve(people, FD_LINE) : -1;
    if (rc < 0)
        log_error("reader: can't go on error=\"%s\"", strerror(errno));
    people_free(&people);
    conf_free(&conf);
    return rc < 0 ? 75 : 0;
}
