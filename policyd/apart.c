/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * apart: the configuration file is read and checked in a process of its own.
 *
 * The parser and the look-up of users are other people's code, which ends its process
 * for lack of memory; a file may lie on a server that does not answer. The parent
 * holds the sockets of everybody: it must not die of a reload, nor wait without end.
 * The child leaves the settings, or what is wrong, in a file in memory; how it ended
 * says which of both. Must not log: the parent does.
 */
#include "apart.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "parent.h"
#include "role_start.h"

#define READ_S 5 /* a file takes longer only where something hangs */

/* Not what exit(3) is called with elsewhere: libraries do that too. */
enum { READ_DONE = 100, READ_WRONG, READ_DOUBT };

/*
 * The parser does not always see that it got no memory: then it loses a part of the file. What it
 * says counts when it says so twice.
 */
static int
load_twice(const char *conf_path, struct conf **conf_r, char *error, size_t error_n)
{
    struct conf *again = NULL;
    char said[1024] = "";
    int rc = conf_load(conf_path, conf_r, error, error_n);
    int rc_again = conf_load(conf_path, &again, said, sizeof(said));
    int same = rc == rc_again && (rc == 0 ? conf_same(*conf_r, again) : strcmp(error, said) == 0);

    conf_free(&again);
    if (same)
        return rc;
    snprintf(error, error_n, "%s: read twice, it is not the same: changed meanwhile, or no memory",
             conf_path);
    return -2;
}

static void __attribute__((noreturn)) read_and_tell(const char *conf_path, int fd)
{
    struct conf *conf = NULL;
    char error[1024] = "";
    int rc;

    alarm(READ_S);
    rc = load_twice(conf_path, &conf, error, sizeof(error));
    if (rc == 0)
        rc = parent_check(conf_path, conf, error, sizeof(error));
    if (rc == 0 && conf_pass(conf, fd) < 0) {
        rc = -2;
        snprintf(error, sizeof(error), "%s: can't be kept in memory: %s", conf_path,
                 strerror(errno));
    }
    if (rc < 0 && (ftruncate(fd, 0) < 0 || pwrite(fd, error, strlen(error), 0) < 0))
        rc = -2;
    _exit(rc == 0 ? READ_DONE : rc == -1 ? READ_WRONG : READ_DOUBT);
}

/* What it said is wrong; or, when it could not say anything, how it ended. */
static void
read_error(const char *conf_path, int fd, int status, char *error, size_t error_n)
{
    ssize_t n = -1;

    if (WIFEXITED(status) && WEXITSTATUS(status) >= READ_WRONG)
        n = pread(fd, error, error_n - 1, 0);
    if (n > 0)
        error[n] = '\0';
    else if (WIFSIGNALED(status))
        snprintf(error, error_n, "%s: reading it ended by signal %d", conf_path, WTERMSIG(status));
    else
        snprintf(error, error_n, "%s: reading it ended with exit code %d", conf_path,
                 WEXITSTATUS(status));
}

int
apart_read(const char *conf_path, int fd, char *error, size_t error_n)
{
    pid_t pid = role_fork(), done;
    int status = 0;

    if (pid == 0)
        read_and_tell(conf_path, fd);
    do
        done = pid < 0 ? -1 : waitpid(pid, &status, 0);
    while (done < 0 && pid > 0 && errno == EINTR);
    if (done < 0) {
        snprintf(error, error_n, "%s: no process to read it: %s", conf_path, strerror(errno));
        return -2;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == READ_DONE)
        return 0;
    read_error(conf_path, fd, status, error, error_n);
    return WIFEXITED(status) && WEXITSTATUS(status) == READ_WRONG ? -1 : -2;
}
