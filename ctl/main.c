/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * postroad: the administrator's command. Reads the same configuration as the
 * daemon and asks it over its sockets, or the directory as whoever calls; one
 * verb a call.
 *
 * Promises: exit codes 0 done, 1 the answer is "no", 2 usage or configuration,
 * 75 temporary; data on stdout, everything else on stderr; --json with every
 * verb. Must not read the mirror by itself: what it shows is what the daemon
 * that answers Postfix says.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "text.h"
#include "verbs.h"

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

int
ctl_fail(const struct ctl *ctl, int code, const char *fmt, ...)
{
    char text[2048];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (ctl->said) {
        snprintf(ctl->said, ctl->said_n, "%s", text);
        return code;
    }
    if (ctl->json) {
        json_t *j = json_pack("{s:b, s:s, s:i}", "ok", 0, "error", text, "code", code);

        ctl_print_json(j ? j : json_pack("{s:b, s:i}", "ok", 0, "code", code));
        return code;
    }
    fputs("postroad: ", stderr);
    for (char *line = text, *next; line; line = next) {
        if ((next = strchr(line, '\n')))
            *next++ = '\0';
        text_put(stderr, line);
        fputc('\n', stderr);
    }
    return code;
}

void
ctl_print_json(json_t *o)
{
    json_dumpf(o, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
    fputc('\n', stdout);
    json_decref(o);
}

static int
run(struct ctl *ctl, const struct verb *verb)
{
    char error[1024];
    int status;

    status = conf_load(ctl->conf_path, &ctl->conf, error, sizeof error);
    if (status < 0) {
        fprintf(stderr, "postroad: %s\n", error);
        return status == -1 ? CTL_USAGE : CTL_TEMPORARY;
    }
    status = verb->run(ctl);
    conf_free(&ctl->conf);
    if (fflush(stdout) == EOF && status == CTL_DONE) {
        perror("postroad: writing the output");
        status = CTL_TEMPORARY;
    }
    return status;
}

/*
 * Whose end went away? The reader of our output (head, less): end quietly, as
 * programs do. A server's: what was written says EPIPE, and the verb tells what
 * happened; libldap has no MSG_NOSIGNAL. Only async-signal-safe calls here.
 */
static void
pipe_broke(int number)
{
    struct pollfd out = {.fd = STDOUT_FILENO};
    int saved = errno;

    if (poll(&out, 1, 0) == 1 && (out.revents & (POLLERR | POLLHUP))) {
        signal(number, SIG_DFL);
        raise(number);
    }
    errno = saved;
}

/* A handler, not SIG_IGN: the programs we start begin with the default again. */
static void
pipe_watch(void)
{
    struct sigaction action = {.sa_handler = pipe_broke, .sa_flags = SA_RESTART};

    sigemptyset(&action.sa_mask);
    sigaction(SIGPIPE, &action, NULL);
}

int
main(int argc, char **argv)
{
    struct ctl ctl = {.conf_path = POSTROAD_SYSCONFDIR "/postroad/" CONF_PATH_DEFAULT, .wait = 5};
    const struct verb *verb;
    int words, status = options_parse(&ctl, argc, argv);

    if (status != -1)
        return status;
    pipe_watch();
    if (optind == argc)
        return ctl_usage("which verb?");
    if (strcmp(argv[optind], "help") == 0)
        return verb_help(optind + 1 < argc ? argv[optind + 1] : NULL);
    verb = verb_find(argc - optind, argv + optind, &words);
    if (!verb || !verb_takes(verb, &ctl))
        return CTL_USAGE;
    ctl.argc = argc - optind - words;
    ctl.argv = argv + optind + words;
    return run(&ctl, verb);
}
