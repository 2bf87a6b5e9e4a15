/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * timed: runs a program and writes what it took to FILE, in one line:
 *
 *   seconds=0.4312 cpu=0.3100 rss=19136 status=0     (rss: most KiB resident)
 *
 * The clock starts before fork and stops when the program is reaped. Standard
 * input, output and error are the program's. Exits as the program did.
 *
 * usage: timed [-p CPU] -o FILE PROGRAM [ARGUMENT...]
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double
seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static _Noreturn void
die(const char *what)
{
    perror(what);
    exit(127);
}

static void
pin(int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof(set), &set) < 0)
        die("sched_setaffinity");
}

int
main(int argc, char **argv)
{
    const char *path = NULL;
    struct rusage used;
    FILE *out;
    double start;
    int opt, raw = 0, status;
    pid_t pid;

    while ((opt = getopt(argc, argv, "+o:p:")) != -1) {
        if (opt == 'p')
            pin(atoi(optarg));
        else if (opt == 'o')
            path = optarg;
        else
            argc = 0;
    }
    if (!path || optind >= argc) {
        fprintf(stderr, "usage: timed [-p CPU] -o FILE PROGRAM [ARGUMENT...]\n");
        return 2;
    }
    start = now();
    if ((pid = fork()) == 0) {
        execvp(argv[optind], argv + optind);
        die(argv[optind]);
    }
    if (pid < 0 || wait4(pid, &raw, 0, &used) < 0)
        die("wait4");
    status = WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
    if (!(out = fopen(path, "w")) ||
        fprintf(out, "seconds=%.4f cpu=%.4f rss=%ld status=%d\n", now() - start,
                seconds(used.ru_utime) + seconds(used.ru_stime), used.ru_maxrss, status) < 0 ||
        fclose(out) != 0)
        die(path);
    return status;
}
