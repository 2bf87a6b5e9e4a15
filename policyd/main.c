/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * postroad-policyd: answers Postfix where mail to an address goes.
 *
 * This file reads the command line and hands over to the parent, or, started by
 * the parent itself with -x, to a role. Exit codes: 0 done, 2 usage or configuration,
 * 75 temporary.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"

#include "held_wanted.h"
#include "log.h"
#include "parent.h"
#include "role_start.h"

static const char usage[] =
    "usage: postroad-policyd [-c FILE] [-t]\n"
    "  -c FILE  configuration, instead of " POSTROAD_SYSCONFDIR "/postroad/" CONF_PATH_DEFAULT "\n"
    "  -t       check the configuration and exit\n"
    "  -V       print the version\n"
    "  -h       print this\n"
    "It stays in the foreground; SIGHUP reloads the configuration, SIGTERM ends it.\n";

static int
check_configuration(const char *path)
{
    struct conf *conf = NULL;
    char error[1024];
    int rc = conf_load(path, &conf, error, sizeof(error));

    if (rc == 0)
        rc = parent_check(path, conf, error, sizeof(error));
    if (rc < 0)
        fprintf(stderr, "%s\n", error);
    else
        printf("%s: ok\n", path);
    if (rc == 0 && parent_foresee(path, conf, error, sizeof(error)) < 0)
        fprintf(stderr, "warning: started as user %s, as systemd does, it will end with: %s\n",
                conf->user, error);
    if (rc == 0 && held_unwise(conf))
        fprintf(stderr, "%s: warning: %s\n", path, held_unwise(conf));
    conf_free(&conf);
    return rc == 0 ? PARENT_OK : rc == -1 ? PARENT_CONFIGURATION : PARENT_TEMPORARY;
}

/* A socket must not become standard error. */
static void
have_standard_descriptors(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        close(fd);
}

int
main(int argc, char **argv)
{
    const char *path = POSTROAD_SYSCONFDIR "/postroad/" CONF_PATH_DEFAULT, *order = NULL;
    int check = 0, opt;

    have_standard_descriptors();
    while ((opt = getopt(argc, argv, "c:tx:Vh")) != -1) {
        if (opt == 'c') {
            path = optarg;
        } else if (opt == 't') {
            check = 1;
        } else if (opt == 'x') {
            order = optarg;
        } else if (opt == 'V' || opt == 'h') {
            fputs(opt == 'V' ? "postroad-policyd " PACKAGE_VERSION "\n" : usage, stdout);
            return PARENT_OK;
        } else {
            fputs(usage, stderr);
            return PARENT_CONFIGURATION;
        }
    }
    if (optind < argc) {
        fputs(usage, stderr);
        return PARENT_CONFIGURATION;
    }
    if (check)
        return check_configuration(path);
    log_open("stderr", "mail", "info", "postroad-policyd");
    log_never_wait();
    return order ? role_main(order, path) : parent_run(path);
}
