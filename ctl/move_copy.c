/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * move_site, copying: a command of the administrator's, run as it stands in the
 * configuration, word by word. Names are put into words after these were cut, and
 * there is no shell, so an address can't become a command.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "move_compare.h"
#include "move_site.h"

#define TIMEOUT      "move_site.timeout"
#define LIST_TIMEOUT "move_site.list_timeout"

#define WORD_MAX 1024
#define KILL_MS  5000
#define NOBODY   68    /* doveadm kick found nobody */
#define AGAIN    3     /* doveadm sync ends with 2, or 75, when the mailbox changed under it */
#define END_MS   60000 /* from the end of a list to that of who printed it */

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

/* With `out` as its output; -1: what it says is no answer of ours. */
static void __attribute__((noreturn)) become(char *const argv[], int out, pid_t parent)
{
    int null = open("/dev/null", O_RDONLY);

    if (null >= 0)
        dup2(null, STDIN_FILENO);
    dup2(out < 0 ? STDERR_FILENO : out, STDOUT_FILENO);
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* two that copy at once may double messages */
    if (getppid() != parent)
        _exit(126);
    execvp(argv[0], argv);
    fprintf(stderr, "postroad: %s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

static int
left_ms(long long end)
{
    long long left = end - clock_mono_ms();

    return left < 0 ? 0 : (int)left; /* within an int: a week at most */
}

/* Whether something can be read there before the end. */
static int
await(int fd, long long end)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int n;

    while ((n = poll(&p, 1, left_ms(end))) < 0 && errno == EINTR)
        continue;
    return n > 0;
}

/* End it if it does not end by itself. Its exit code; ENDED_BY_US, ENDED_BY_SIGNAL. */
enum { ENDED_BY_SIGNAL = -1, ENDED_BY_US = -2 };

static int
end(pid_t pid, long long by)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0), status = -1, late = 0;

    if (fd >= 0 && !await(fd, by)) {
        late = 1;
        kill(pid, SIGTERM);
        if (!await(fd, clock_mono_ms() + KILL_MS))
            kill(pid, SIGKILL);
    }
    if (fd >= 0)
        close(fd);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return ENDED_BY_SIGNAL;
    return late ? ENDED_BY_US : WIFEXITED(status) ? WEXITSTATUS(status) : ENDED_BY_SIGNAL;
}

static int
expand_all(const struct ctl *ctl, const struct conf_list *command, const struct move_names *names,
           char *argv[CONF_LIST_MAX + 1])
{
    static char words[CONF_LIST_MAX][WORD_MAX];

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
    argv[command->n] = NULL;
    return CTL_DONE;
}

struct limit {
    int seconds;
    const char *setting;
};

static int
say_end(const struct ctl *ctl, const char *program, int code, const struct limit *limit)
{
    if (code == 0)
        return CTL_DONE;
    if (code == ENDED_BY_US)
        return ctl_fail(ctl, CTL_TEMPORARY, "%s did not end within %d s (%s), and was ended",
                        program, limit->seconds, limit->setting);
    if (code < 0)
        return ctl_fail(ctl, CTL_TEMPORARY, "%s was killed, or could not be started", program);
    return ctl_fail(ctl, CTL_TEMPORARY, "%s ended with %d", program, code);
}

static pid_t
start(char *const argv[], int out)
{
    pid_t parent = getpid(), pid;

    fflush(stdout);
    pid = fork();
    if (pid == 0)
        become(argv, out, parent);
    return pid;
}

int
move_run(const struct ctl *ctl, const struct conf_list *command, const struct move_names *names,
         enum move_kind kind)
{
    const struct conf *conf = ctl->conf;
    const struct limit limit = kind == MOVE_CLOSES
                                   ? (struct limit){conf->move_site.list_timeout, LIST_TIMEOUT}
                                   : (struct limit){conf->move_site.timeout, TIMEOUT};
    char *argv[CONF_LIST_MAX + 1];
    int code = expand_all(ctl, command, names, argv);
    pid_t pid;

    if (code != CTL_DONE)
        return code;
    for (int i = 0; i < AGAIN && (i == 0 || code == 2 || code == 75 || code == ENDED_BY_US); i++) {
        pid = start(argv, -1);
        code = pid < 0 ? ENDED_BY_SIGNAL : end(pid, clock_mono_ms() + 1000LL * limit.seconds);
    }
    return say_end(ctl, argv[0], kind == MOVE_CLOSES && code == NOBODY ? 0 : code, &limit);
}

/* --- reading what one prints --- */

struct reader {
    int fd, silent_ms;
    move_line *each;
    void *ctx;
    const char *error; /* of a line */
    size_t n;
    char buf[MOVE_LINE_MAX];
};

/* Give away the whole lines there are; -1 when one is refused, or too long. */
static int
take_lines(struct reader *r)
{
    char *begin = r->buf, *nl;

    while ((nl = memchr(begin, '\n', r->n - (size_t)(begin - r->buf))) != NULL) {
        *nl = '\0';
        if (strlen(begin) != (size_t)(nl - begin)) {
            r->error = "has a NUL in it";
            return -1;
        }
        if (r->each(r->ctx, begin, &r->error) < 0)
            return -1;
        begin = nl + 1;
    }
    r->n -= (size_t)(begin - r->buf);
    memmove(r->buf, begin, r->n);
    r->error = "has a line that is too long";
    return r->n < sizeof r->buf ? 0 : -1;
}

/* 0 at its end; -1: a line was refused, or it hangs (error NULL). */
static int
read_all(struct reader *r)
{
    ssize_t got;

    for (;;) {
        r->error = NULL;
        if (!await(r->fd, clock_mono_ms() + r->silent_ms))
            return -1;
        got = read(r->fd, r->buf + r->n, sizeof r->buf - r->n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            r->error = "ends within a line";
            return r->n == 0 ? 0 : -1;
        }
        r->n += (size_t)got;
        if (take_lines(r) < 0)
            return -1;
    }
}

int
move_read(const struct ctl *ctl, const struct conf_list *command, const struct move_names *names,
          move_line *each, void *ctx)
{
    static struct reader r;
    char *argv[CONF_LIST_MAX + 1];
    int ends[2], rc, code = expand_all(ctl, command, names, argv);
    pid_t pid;

    if (code != CTL_DONE)
        return code;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return ctl_fail(ctl, CTL_TEMPORARY, "a pipe: %s", strerror(errno));
    pid = start(argv, ends[1]);
    close(ends[1]);
    r = (struct reader){.fd = ends[0],
                        .silent_ms = 1000 * ctl->conf->move_site.list_timeout,
                        .each = each,
                        .ctx = ctx};
    rc = pid > 0 ? read_all(&r) : -1;
    close(ends[0]);
    code = pid < 0 ? ENDED_BY_SIGNAL : end(pid, clock_mono_ms() + (rc < 0 ? 0 : END_MS));
    if (code == ENDED_BY_US && (rc == 0 || !r.error))
        return MOVE_SILENT;
    if (rc < 0 && r.error && code <= 0)
        return ctl_fail(ctl, CTL_TEMPORARY, "what %s prints %s", argv[0], r.error);
    return say_end(ctl, argv[0], code, &(struct limit){END_MS / 1000, LIST_TIMEOUT});
}
