/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log: one line per event to stderr or syslog.
 *
 * Promises: a line is written whole with one write(2), never longer than
 * LINE_MAX_LEN, without control bytes whatever a stranger sent; errno is left
 * as it was, so "%m" works and callers need not save it. Under systemd (stderr
 * is the journal) lines carry the level as "<N>", see sd-daemon(3). Must not
 * allocate or block on anything but the write itself; after log_never_wait() not on
 * that either: a line that nobody reads is lost, and counted.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

#define LINE_MAX_LEN 2048
#define PATIENCE_MS  50

static const struct {
    const char *word;
    int priority; /* of syslog(3) */
} levels[] = {
    [LOG_LEVEL_ERROR] = {"error", LOG_ERR},      [LOG_LEVEL_WARNING] = {"warning", LOG_WARNING},
    [LOG_LEVEL_NOTICE] = {"notice", LOG_NOTICE}, [LOG_LEVEL_INFO] = {"info", LOG_INFO},
    [LOG_LEVEL_DEBUG] = {"debug", LOG_DEBUG},
};

static const struct {
    const char *word;
    int number;
} facilities[] = {
    {"mail", LOG_MAIL},     {"daemon", LOG_DAEMON}, {"user", LOG_USER},     {"auth", LOG_AUTH},
    {"local0", LOG_LOCAL0}, {"local1", LOG_LOCAL1}, {"local2", LOG_LOCAL2}, {"local3", LOG_LOCAL3},
    {"local4", LOG_LOCAL4}, {"local5", LOG_LOCAL5}, {"local6", LOG_LOCAL6}, {"local7", LOG_LOCAL7},
};

static char log_ident[64] = "postroad";
static enum log_level log_threshold = LOG_LEVEL_INFO;
static enum { TO_STDERR, TO_JOURNAL, TO_SYSLOG } log_sink = TO_STDERR;

/* JOURNAL_STREAM names the device and inode of the stream systemd gave; stderr may be another. */
static int
stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long dev, ino;
    struct stat st;

    return stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 &&
           fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

static int
facility_number(const char *word)
{
    for (size_t i = 0; i < sizeof facilities / sizeof *facilities; i++)
        if (strcmp(facilities[i].word, word) == 0)
            return facilities[i].number;
    return LOG_MAIL;
}

void
log_open(const char *to, const char *facility, const char *level, const char *ident)
{
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (strcmp(levels[i].word, level) == 0)
            log_threshold = (enum log_level)i;
    snprintf(log_ident, sizeof log_ident, "%s", ident);
    if (log_sink == TO_SYSLOG)
        closelog();
    if (strcmp(to, "syslog") == 0) {
        log_sink = TO_SYSLOG;
        openlog(log_ident, LOG_PID | LOG_NDELAY, facility_number(facility));
    } else {
        log_sink = stderr_is_journal() ? TO_JOURNAL : TO_STDERR;
    }
}

int
log_enabled(enum log_level level)
{
    return level <= log_threshold;
}

/* What snprintf returned, as the bytes that really stand in a buffer of cap. */
static size_t
printed(int n, size_t cap)
{
    if (n < 0)
        return 0;
    return (size_t)n < cap ? (size_t)n : cap - 1;
}

static size_t
line_head(enum log_level level, char *line, size_t cap)
{
    switch (log_sink) {
    case TO_SYSLOG:
        return 0;
    case TO_JOURNAL:
        return printed(snprintf(line, cap, "<%d>%s: ", levels[level].priority, log_ident), cap);
    default:
        return printed(snprintf(line, cap, "%s: %s: ", log_ident, levels[level].word), cap);
    }
}

/* --- a reader that does not read --- */

static int log_fd = STDERR_FILENO;
static int log_waits = 1;
static unsigned log_lost; /* lines, since the last one that went out */

/*
 * A pipe is opened once more, so that not waiting is a matter of our descriptor alone: others write
 * to the same pipe and rely on its waiting. A socket can be told each time.
 */
void
log_never_wait(void)
{
    struct stat st;
    int fd;

    log_waits = 0;
    if (log_fd != STDERR_FILENO || fstat(STDERR_FILENO, &st) < 0 || !S_ISFIFO(st.st_mode))
        return;
    fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0)
        log_fd = fd;
}

static int
put_once(const char *line, size_t n)
{
    ssize_t put = -1;

    do {
        errno = ENOTSOCK;
        if (!log_waits)
            put = send(log_fd, line, n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (put < 0 && errno == ENOTSOCK)
            put = write(log_fd, line, n);
    } while (put < 0 && errno == EINTR);
    return put < 0 && errno == EAGAIN ? -1 : 0; /* any other error: nobody is left to tell */
}

/* A reader that is only slow gets a moment; but only one, until it reads again. */
static void
put_line(const char *line, size_t n)
{
    struct pollfd room = {log_fd, POLLOUT, 0};
    char told[128];
    int rc = 0, told_n;

    if (log_lost) {
        told_n = snprintf(told, sizeof told, "%s: warning: %u lines are lost, nobody read them\n",
                          log_ident, log_lost);
        rc = put_once(told, printed(told_n, sizeof told));
        log_lost = rc < 0 ? log_lost : 0;
    }
    if (rc == 0)
        rc = put_once(line, n);
    if (rc < 0 && log_lost == 0 && poll(&room, 1, PATIENCE_MS) > 0)
        rc = put_once(line, n);
    if (rc < 0)
        log_lost++;
}

static void
log_line(enum log_level level, const char *fmt, va_list ap)
{
    int saved = errno;
    char line[LINE_MAX_LEN + 1];
    size_t head, n;

    if (!log_enabled(level))
        return;
    head = line_head(level, line, LINE_MAX_LEN);
    errno = saved; /* for "%m" */
    n = head + printed(vsnprintf(line + head, LINE_MAX_LEN - head, fmt, ap), LINE_MAX_LEN - head);
    for (size_t i = head; i < n; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
    if (log_sink == TO_SYSLOG) {
        line[n] = '\0';
        syslog(levels[level].priority, "%s", line);
    } else {
        line[n] = '\n';
        put_line(line, n + 1);
    }
    errno = saved;
}

#define LOG_FUNCTION(name, level)   \
    void name(const char *fmt, ...) \
    {                               \
        va_list ap;                 \
                                    \
        va_start(ap, fmt);          \
        log_line(level, fmt, ap);   \
        va_end(ap);                 \
    }

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR)
LOG_FUNCTION(log_warning, LOG_LEVEL_WARNING)
LOG_FUNCTION(log_notice, LOG_LEVEL_NOTICE)
LOG_FUNCTION(log_info, LOG_LEVEL_INFO)
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG)

int
log_limit(struct log_limit *l, unsigned burst, unsigned per_s, unsigned *skipped_r)
{
    struct timespec ts;
    long long now;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    now = (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
    if (l->window_ms == 0 || now - l->window_ms >= (long long)per_s * 1000) {
        l->window_ms = now;
        l->count = 0;
    }
    if (l->count >= burst) {
        l->skipped++;
        return 0;
    }
    l->count++;
    *skipped_r = l->skipped;
    l->skipped = 0;
    return 1;
}
