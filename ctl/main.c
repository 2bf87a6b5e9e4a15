/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * postroad: the administrator's command. Reads the same configuration as the
 * daemon and asks it over its sockets; one verb a call.
 *
 * Promises: exit codes 0 done, 1 the answer is "no", 2 usage or configuration,
 * 75 temporary; data on stdout, everything else on stderr; --json with every
 * verb. Must not read the mirror by itself: what it shows is what the daemon
 * that answers Postfix says.
 */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "ctl.h"

#define TAKES_ALL    1 /* -a, -n */
#define TAKES_REASON 2
#define TAKES_PEER   4 /* --at, --wait */

static const struct verb {
    const char *name, *args, *help;
    int takes;
    int (*run)(struct ctl *);
} verbs[] = {
    {"lookup", "MAP KEY", "ask a map over its socket, as Postfix does", 0, verb_lookup},
    {"explain", "ADDRESS", "which way mail to ADDRESS goes, and why", 0, verb_explain},
    {"status", "", "source, mirror, roles, rates, and what needs attention", 0, verb_status},
    {"config", "[-a]", "settings that differ from the default; -a all", TAKES_ALL, verb_config},
    {"sweep", "accept --reason TEXT", "let a refresh remove the entries it was held back from",
     TAKES_REASON, verb_sweep},
    {"compare", "SITE [--at ADDRESS]", "whether the mirror of another site holds the same",
     TAKES_PEER, verb_compare},
};

int
ctl_usage(const char *fmt, ...)
{
    va_list ap;

    fputs("postroad: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputs("\nTry \"postroad help\", or postroad(8).\n", stderr);
    return CTL_USAGE;
}

void
ctl_print_json(json_t *o)
{
    json_dumpf(o, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
    fputc('\n', stdout);
    json_decref(o);
}

static int
help(void)
{
    puts("usage: postroad [-c FILE] [--json] VERB [ARGUMENT...]\n");
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        char call[64];

        snprintf(call, sizeof call, "%s %s", verbs[i].name, verbs[i].args);
        printf("  %-28s %s\n", call, verbs[i].help);
    }
    puts("\n  -c FILE    another configuration file than " POSTROAD_SYSCONFDIR
         "/postroad/" CONF_PATH_DEFAULT "\n"
         "  --json     one line of JSON instead of text\n"
         "  --version  version and exit\n\n"
         "Exit codes: 0 done, 1 the answer is no, 2 usage or configuration, 75 try again later.\n"
         "See postroad(8), postroad.conf(5), postroad-maps(7).");
    return CTL_DONE;
}

static const struct verb *
verb_find(const char *name)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(name, verbs[i].name) == 0)
            return &verbs[i];
    return NULL;
}

enum { OPT_JSON = 256, OPT_REASON, OPT_AT, OPT_WAIT, OPT_VERSION, OPT_HELP };

/* -1: it is no number of seconds. */
static int
seconds(const char *text)
{
    char *end;
    long n = strtol(text, &end, 10);

    return *text && !*end && n >= 0 && n <= 3600 ? (int)n : -1;
}

/* -1 to go on, else the exit code. *given_r: TAKES_… of the options that were used. */
static int
parse_options(struct ctl *ctl, int argc, char **argv, int *given_r)
{
    static const struct option options[] = {{"json", no_argument, NULL, OPT_JSON},
                                            {"reason", required_argument, NULL, OPT_REASON},
                                            {"at", required_argument, NULL, OPT_AT},
                                            {"wait", required_argument, NULL, OPT_WAIT},
                                            {"version", no_argument, NULL, OPT_VERSION},
                                            {"help", no_argument, NULL, OPT_HELP},
                                            {NULL, 0, NULL, 0}};
    int o;

    while ((o = getopt_long(argc, argv, "c:anh", options, NULL)) != -1) {
        switch (o) {
        case 'c':
            ctl->conf_path = optarg;
            break;
        case 'a':
        case 'n':
            ctl->all = o == 'a';
            *given_r |= TAKES_ALL;
            break;
        case OPT_JSON:
            ctl->json = 1;
            break;
        case OPT_REASON:
            ctl->reason = optarg;
            *given_r |= TAKES_REASON;
            break;
        case OPT_AT:
            ctl->at = optarg;
            *given_r |= TAKES_PEER;
            break;
        case OPT_WAIT:
            ctl->wait = seconds(optarg);
            if (ctl->wait < 0)
                return ctl_usage("--wait takes seconds, at most 3600");
            *given_r |= TAKES_PEER;
            break;
        case OPT_VERSION:
            puts("postroad " PACKAGE_VERSION);
            return CTL_DONE;
        case 'h':
        case OPT_HELP:
            return help();
        default:
            fputs("Try \"postroad help\", or postroad(8).\n", stderr);
            return CTL_USAGE;
        }
    }
    return -1;
}

static int
run(struct ctl *ctl, const struct verb *verb)
{
    char error[1024];
    int status;

    if (conf_load(ctl->conf_path, &ctl->conf, error, sizeof error) == -1) {
        fprintf(stderr, "postroad: %s\n", error);
        return CTL_USAGE;
    }
    status = verb->run(ctl);
    conf_free(&ctl->conf);
    if (fflush(stdout) == EOF && status == CTL_DONE) {
        perror("postroad: writing the output");
        status = CTL_TEMPORARY;
    }
    return status;
}

int
main(int argc, char **argv)
{
    struct ctl ctl = {.conf_path = POSTROAD_SYSCONFDIR "/postroad/" CONF_PATH_DEFAULT, .wait = 5};
    const struct verb *verb;
    int given = 0, status = parse_options(&ctl, argc, argv, &given);

    if (status != -1)
        return status;
    if (optind == argc)
        return ctl_usage("which verb?");
    if (strcmp(argv[optind], "help") == 0)
        return help();
    verb = verb_find(argv[optind]);
    if (!verb)
        return ctl_usage("unknown verb \"%s\"", argv[optind]);
    if (given & ~verb->takes)
        return ctl_usage("%s does not take %s", verb->name,
                         (given & ~verb->takes) & TAKES_ALL      ? "-a or -n"
                         : (given & ~verb->takes) & TAKES_REASON ? "--reason"
                                                                 : "--at or --wait");
    ctl.argc = argc - optind - 1;
    ctl.argv = argv + optind + 1;
    return run(&ctl, verb);
}
