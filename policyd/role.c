/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * role: how a child process of policyd begins and gives up its privileges (lib/privileges.h).
 *
 * Promises: a role that can't drop them does not run. Started by an ordinary user there is nothing to drop,
 * and the role runs as that user. Exit handlers, by which libraries take down what they share, run only where no
 * thread can be within one.
 */
#include "role_start.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "privileges.h"
#include "sandbox.h"

static const struct role *const roles[] = {&role_answer, &role_policy, &role_sync, &role_control,
                                           &role_cold,   &role_homes,  &role_hook, &role_access,
                                           &role_edit,   &role_queue,  &role_held};

#define EXIT_CONFIGURATION 2
#define EXIT_TEMPORARY     75
#define SPARE_FILES        64 /* descriptors for other things than clients */

/* As many descriptors as the kernel gives us: each client holds one. */
static void
raise_nofile(void)
{
    struct rlimit rl;

    if (getrlimit(RLIMIT_NOFILE, &rl) < 0 || rl.rlim_cur == rl.rlim_max)
        return;
    rl.rlim_cur = rl.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &rl) < 0)
        log_warning("can't raise the limit of open files error=\"%s\"", strerror(errno));
}

unsigned
role_room_for_clients(int most)
{
    unsigned max = (unsigned)most, fit;
    struct rlimit rl;

    if (getrlimit(RLIMIT_NOFILE, &rl) < 0 || rl.rlim_cur == RLIM_INFINITY ||
        rl.rlim_cur >= (rlim_t)max + SPARE_FILES)
        return max;
    fit = rl.rlim_cur > 2 * SPARE_FILES ? (unsigned)rl.rlim_cur - SPARE_FILES : SPARE_FILES;
    return fit < max ? fit : max;
}

void
role_drop(const struct role_env *env)
{
    char error[256];

    raise_nofile();
    if (privileges_drop(env->conf->user, env->conf->group, error, sizeof error) < 0) {
        log_error("can't give up privileges, so this role does not run error=\"%s\"", error);
        exit(EXIT_CONFIGURATION);
    }
    /* A change of user cleared it. The end of parent_fd tells as well, also of a death before this. */
    prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
}

/*
 * A role that was given a file for a directory has nobody to connect to. Where the kernel has no
 * filters the role runs without, and says so; where it has, it does not run without.
 */
static void
role_confine(const struct role *role, const struct role_env *env)
{
    unsigned may = role->may;
    char error[128];
    int rc;

    if (!env->conf->sandbox)
        return;
    if (role == &role_sync && *env->conf->directory.ldif)
        may &= ~(unsigned)SANDBOX_CONNECT;
    if (role == &role_control && env->conf->compare.interval > 0 && env->conf->compare.peers.n > 0)
        may |= SANDBOX_CONNECT; /* the near ends of tunnels may have a port on loopback */
    rc = sandbox_enter(may, error, sizeof(error));
    if (rc == 0)
        return;
    if (rc > 0) {
        log_warning("no sandbox, this kernel has no seccomp filters error=\"%s\"", error);
        return;
    }
    log_error("can't enter the sandbox, so this role does not run error=\"%s\"", error);
    exit(EXIT_TEMPORARY);
}

/* Of a sanitizer, where the program was built with one: it looks at exit, which there is none here. */
void __lsan_do_leak_check(void) __attribute__((weak));

static void __attribute__((noreturn)) vanish(int rc)
{
    if (__lsan_do_leak_check)
        __lsan_do_leak_check();
    _exit(rc);
}

static const struct role *
role_named(const char *name, size_t n)
{
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
        if (strlen(roles[i]->name) == n && memcmp(roles[i]->name, name, n) == 0)
            return roles[i];
    return NULL;
}

/* "NAME:PAGE:LISTENERS", as role_exec wrote it. */
static const struct role *
parse_order(const char *order, struct role_env *env)
{
    const char *colon = strchr(order, ':');

    if (!colon || sscanf(colon, ":%d:%d", &env->number, &env->nlisten) != 2)
        return NULL;
    if (env->number < 1 || env->number >= BOARD_ROLES || env->nlisten < 0 ||
        env->nlisten > ROLE_LISTEN_MAX)
        return NULL;
    return role_named(order, (size_t)(colon - order));
}

/* Take over the descriptors at their fixed places, and the configuration the parent accepted. */
static int
take_over(struct role_env *env, struct conf **conf)
{
    for (int fd = ROLE_FD_PARENT; fd < ROLE_FD_LISTEN + env->nlisten; fd++)
        if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
            return -1;
    env->parent_fd = ROLE_FD_PARENT;
    for (int i = 0; i < ROLE_LISTEN_MAX; i++)
        env->listen_fd[i] = i < env->nlisten ? ROLE_FD_LISTEN + i : -1;
    if (conf_take(ROLE_FD_CONF, conf) < 0)
        return -1;
    close(ROLE_FD_CONF);
    env->conf = *conf;
    return board_attach(&env->board, ROLE_FD_BOARD, env->number, 0);
}

int
role_main(const char *order, const char *conf_path)
{
    struct role_env env = {.conf_path = conf_path};
    const struct role *role = parse_order(order, &env);
    struct conf *conf = NULL;
    char ident[64];
    int rc;

    if (!role) {
        log_error("-x is for postroad-policyd's own use");
        return EXIT_CONFIGURATION;
    }
    if (take_over(&env, &conf) < 0) {
        log_error("can't take over what the parent gave order=%s error=\"%s\"", order,
                  strerror(errno));
        return EXIT_CONFIGURATION;
    }
    snprintf(ident, sizeof(ident), "postroad-policyd/%s", role->name);
    log_open(conf->log.to, conf->log.facility, conf->log.level, ident);
    snprintf(ident, sizeof(ident), "postroad-%s", role->name);
    prctl(PR_SET_NAME, ident, 0, 0, 0);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN); /* a terminal's or killall's; only the parent reloads */
    board_set(&env.board, BOARD_PID, (uint64_t)getpid());
    board_set(&env.board, BOARD_STARTED_MS, clock_wall_ms());
    rc = EXIT_TEMPORARY;
    if (role->prepare(&env) == 0) {
        role_drop(&env);
        role_confine(role, &env);
        board_beat(&env.board);
        rc = role->run(&env);
    }
    if (env.lingers)
        vanish(rc);
    board_detach(&env.board);
    conf_free(&conf);
    return rc;
}
