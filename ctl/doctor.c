/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doctor: one look at everything a site's Postroad depends on, with what to do about
 * each thing that is not well. Changes nothing, and asks nothing that would hurt.
 *
 * Promises: exit code 0 when nothing is in trouble (warnings may be), 1 when
 * something is, 75 when the daemon does not answer, so that it can't tell.
 */
#include "doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "text.h"

static const char *const words[] = {"ok", "skipped", "warning", "trouble"};

void
doctor_say(struct doctor *d, enum doctor_mark mark, const char *id, const char *todo,
           const char *fmt, ...)
{
    char text[2048];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    d->count[mark]++;
    if (d->ctl->json) {
        json_array_append_new(d->findings, json_pack("{s:s, s:s, s:s, s:s*}", "mark", words[mark],
                                                     "id", id, "text", text, "todo", todo));
        return;
    }
    printf("%-8s %-18s ", words[mark], id);
    text_put(stdout, text);
    putchar('\n');
    if (todo) {
        printf("%-27s to do: ", "");
        text_put(stdout, todo);
        putchar('\n');
    }
}

static void __attribute__((noreturn)) become(char *const argv[], int to)
{
    int null = open("/dev/null", O_RDWR);

    dup2(null, STDIN_FILENO);
    dup2(null, STDERR_FILENO);
    dup2(to, STDOUT_FILENO);
    execvp(argv[0], argv);
    _exit(127);
}

static void
read_all(int fd, char *out, size_t cap)
{
    char rest[512];
    size_t n = 0;
    ssize_t got;

    while ((got = n < cap - 1 ? read(fd, out + n, cap - 1 - n) : read(fd, rest, sizeof rest)) !=
           0) {
        if (got < 0 && errno != EINTR)
            break;
        n += got > 0 && n < cap - 1 ? (size_t)got : 0;
    }
    while (n > 0 && out[n - 1] == '\n')
        n--;
    out[n] = '\0';
}

int
doctor_run(char *const argv[], char *out, size_t cap)
{
    int ends[2], status = -1;
    pid_t pid;

    *out = '\0';
    fflush(stdout);
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    if ((pid = fork()) == 0)
        become(argv, ends[1]);
    close(ends[1]);
    if (pid > 0) {
        read_all(ends[0], out, cap);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
    }
    close(ends[0]);
    return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) != 127 ? WEXITSTATUS(status) : -1;
}

int
verb_doctor(struct ctl *ctl)
{
    struct doctor d = {.ctl = ctl, .findings = json_array()};
    int code;

    if (ctl->argc != 0)
        return ctl_usage("doctor takes no argument");
    doctor_files(&d);
    doctor_sockets(&d);
    doctor_daemon(&d);
    doctor_mail(&d);
    doctor_postfix(&d);
    doctor_milter(&d);
    doctor_apart(&d);
    doctor_certificates(&d);
    doctor_held(&d);
    doctor_directory(&d);
    code = !d.status ? CTL_TEMPORARY : d.count[DOCTOR_TROUBLE] > 0 ? CTL_NO : CTL_DONE;
    if (ctl->json)
        ctl_print_json(json_pack("{s:b, s:i, s:i, s:i, s:i, s:O}", "ok", code == CTL_DONE,
                                 "trouble", d.count[DOCTOR_TROUBLE], "warnings",
                                 d.count[DOCTOR_WARNING], "skipped", d.count[DOCTOR_SKIPPED],
                                 "code", code, "findings", d.findings));
    else
        printf("\n%d in trouble, %d warnings, %d ok, %d not looked at\n", d.count[DOCTOR_TROUBLE],
               d.count[DOCTOR_WARNING], d.count[DOCTOR_OK], d.count[DOCTOR_SKIPPED]);
    json_decref(d.findings);
    json_decref(d.status);
    return code;
}
