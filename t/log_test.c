/* SPDX-License-Identifier: BSD-2-Clause */
/* Log lines as they reach stderr, caught in a pipe. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "tap.h"

static int pipe_fd[2], real_stderr;
static char got[8192];

static void
capture(void)
{
    fflush(stderr);
    if (pipe(pipe_fd) < 0)
        exit(1);
    real_stderr = dup(2);
    dup2(pipe_fd[1], 2);
}

static const char *
captured(void)
{
    ssize_t n;

    dup2(real_stderr, 2);
    close(real_stderr);
    close(pipe_fd[1]);
    n = read(pipe_fd[0], got, sizeof got - 1);
    got[n > 0 ? n : 0] = '\0';
    close(pipe_fd[0]);
    return got;
}

static void
lines(void)
{
    char big[5000];

    unsetenv("JOURNAL_STREAM");
    log_open("stderr", "mail", "info", "postroad-policyd/answer");
    capture();
    log_info("started workers=%d", 2);
    is_str(captured(), "postroad-policyd/answer: info: started workers=2\n", "a line");
    capture();
    log_warning("bad key=%s", "a\nb\x1b[1mc\x7f河");
    is_str(captured(), "postroad-policyd/answer: warning: bad key=a?b?[1mc?河\n",
           "control bytes become '?'");
    capture();
    errno = ENOENT;
    log_error("open: %m");
    ok(errno == ENOENT, "errno is kept");
    is_str(captured(), "postroad-policyd/answer: error: open: No such file or directory\n",
           "%m is the error of before");
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    capture();
    log_notice("%s", big);
    captured();
    ok(strlen(got) <= 2049 && got[strlen(got) - 1] == '\n', "a long line is cut and ends");
}

static void
levels(void)
{
    log_open("stderr", "mail", "warning", "p");
    capture();
    log_error("e");
    log_warning("w");
    log_notice("n");
    log_info("i");
    log_debug("d");
    is_str(captured(), "p: error: e\np: warning: w\n", "lines below the level are left out");
    ok(log_enabled(LOG_LEVEL_WARNING) && !log_enabled(LOG_LEVEL_NOTICE), "log_enabled");
    log_open("stderr", "mail", "debug", "p");
    ok(log_enabled(LOG_LEVEL_DEBUG), "reopened with another level");
}

static void
journal(void)
{
    struct stat st;
    char stream[64];

    capture();
    fstat(2, &st);
    snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)st.st_dev,
             (unsigned long long)st.st_ino + 1);
    setenv("JOURNAL_STREAM", stream, 1);
    log_open("stderr", "mail", "info", "p");
    log_info("x");
    is_str(captured(), "p: info: x\n", "a JOURNAL_STREAM that is not stderr");
    capture();
    fstat(2, &st);
    snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)st.st_dev,
             (unsigned long long)st.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    log_open("stderr", "mail", "info", "p");
    log_error("x");
    log_info("y");
    is_str(captured(), "<3>p: x\n<6>p: y\n", "for the journal");
}

static void
limit(void)
{
    struct log_limit l = {0, 0, 0};
    unsigned skipped = 99, passed = 0;

    for (int i = 0; i < 10; i++)
        passed += (unsigned)log_limit(&l, 3, 3600, &skipped);
    is_int(passed, 3, "a burst of 3 passes");
    is_int(skipped, 0, "  nothing was skipped before");
    l.window_ms -= 3600 * 1000; /* as if an hour went by */
    is_int(log_limit(&l, 3, 3600, &skipped), 1, "the next window lets lines pass");
    is_int(skipped, 7, "  and tells how many were skipped");
}

/* A pipe that is full. */
static void
unread(void)
{
    int flags, n = 0;
    struct stat st;

    log_open("stderr", "mail", "info", "p");
    capture();
    log_never_wait();
    flags = fcntl(2, F_GETFL);
    for (; n < 5000; n++)
        log_info("%s", "a line of the log that nobody reads, now or ever");
    ok(n == 5000, "a log that nobody reads is not waited for");
    is_int(fcntl(2, F_GETFL), flags, "the descriptor others have is as it was");
    for (ssize_t more = 1; more > 0 && fstat(pipe_fd[0], &st) == 0;) {
        struct pollfd left = {pipe_fd[0], POLLIN, 0};

        more = poll(&left, 1, 0) > 0 ? read(pipe_fd[0], got, sizeof got) : 0;
    }
    log_info("read again");
    captured();
    ok(strncmp(got, "p: warning: ", 12) == 0 && strstr(got, " lines are lost") &&
           strstr(got, "p: info: read again\n"),
       "who reads again is told what is lost: %.60s", got);
}

int
main(void)
{
    lines();
    levels();
    journal();
    limit();
    unread();
    return tap_done();
}
