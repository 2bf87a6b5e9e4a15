/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * move_site, copying: a command of the administrator's, run as it stands in the
 * configuration, word by word. Names are put into words after these were cut, and
 * there is no shell, so an address can't become a command.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "move_site.h"

#define WORD_MAX 1024
#define AGAIN    3 /* doveadm sync ends with 2, or 75, when the mailbox changed under it */

int
move_is_plain(const char *address)
{
    for (const char *p = address; *p; p++) {
        unsigned char c = (unsigned char)*p;

        if (!(c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
              (c >= 'A' && c <= 'Z') || strchr("._+=@-", c)))
            return 0;
    }
    return *address != '-' && *address != '\0';
}

/* Longer names first: %from is the beginning of %from_host. */
static const char *
name_at(const char *p, const struct move_names *n, size_t *len_r)
{
    const struct {
        const char *name, *value;
    } names[] = {{"%from_host", n->from_host},
                 {"%to_host", n->to_host},
                 {"%from", n->from},
                 {"%to", n->to},
                 {"%u", n->user},
                 {"%%", "%"}};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        *len_r = strlen(names[i].name);
        if (strncmp(p, names[i].name, *len_r) == 0)
            return names[i].value;
    }
    return NULL;
}

long
move_expand(const char *word, const struct move_names *names, char *out, size_t cap)
{
    size_t n = 0, len;

    while (*word) {
        const char *value = NULL;

        len = 1;
        if (*word == '%' && (!(value = name_at(word, names, &len)) || !*value))
            return -1;
        if (n + (value ? strlen(value) : 1) >= cap)
            return -1;
        if (value)
            n += (size_t)snprintf(out + n, cap - n, "%s", value);
        else
            out[n++] = *word;
        word += len;
    }
    if (n >= cap)
        return -1;
    out[n] = '\0';
    return (long)n;
}

static void __attribute__((noreturn)) become(char *const argv[])
{
    int null = open("/dev/null", O_RDONLY);

    if (null >= 0)
        dup2(null, STDIN_FILENO);
    dup2(STDERR_FILENO, STDOUT_FILENO); /* what it says is no answer of ours */
    execvp(argv[0], argv);
    fprintf(stderr, "postroad: %s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

/* Its exit code; -1 when it was killed or could not be started. */
static int
run(char *const argv[])
{
    int status;
    pid_t pid = fork();

    if (pid == 0)
        become(argv);
    if (pid < 0)
        return -1;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int
move_run(const struct ctl *ctl, const struct conf_list *command, const struct move_names *names)
{
    static char words[CONF_LIST_MAX][WORD_MAX];
    char *argv[CONF_LIST_MAX + 1] = {NULL};
    int code = -1;

    for (size_t i = 0; i < command->n; i++) {
        argv[i] = words[i];
        if (move_expand(command->v[i], names, words[i], WORD_MAX) < 0)
            return ctl_fail(
                ctl, CTL_USAGE,
                "\"%s\" in the command: %%u %%from %%to %%from_host %%to_host are "
                "replaced, %%%% is a %%; a host must be known: postroadHost of a server "
                "of the site, which you may read",
                command->v[i]);
    }
    fflush(stdout);
    for (int i = 0; i < AGAIN && (i == 0 || code == 2 || code == 75); i++)
        code = run(argv);
    if (code == 0)
        return CTL_DONE;
    if (code < 0)
        return ctl_fail(ctl, CTL_TEMPORARY, "%s was killed, or could not be started", argv[0]);
    return ctl_fail(ctl, CTL_TEMPORARY, "%s ended with %d", argv[0], code);
}
