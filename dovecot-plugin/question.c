/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * question: one question to policyd and its answer, on a Unix socket that doesn't block. Waits in poll()
 * until a deadline; decides nothing, and doesn't look into the lines. Must not leave a connection
 * open on which a late answer could be taken for that of the next question.
 */
#include "lib.h"
#include "net.h"
#include "question.h"

#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int64_t
now_msecs(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* 1 ready, 0 the time is up. */
static int
await(int fd, short events, int64_t deadline)
{
    struct pollfd p = {.fd = fd, .events = events};

    for (;;) {
        int64_t left = deadline - now_msecs();

        if (left <= 0)
            return 0;
        if (poll(&p, 1, (int)left) > 0)
            return 1;
    }
}

/* A full backlog is worth waiting for. */
int
question_connect(struct question *ask, const char *path, unsigned int timeout_msecs,
                 const char **error_r)
{
    int64_t deadline = now_msecs() + timeout_msecs;

    while ((ask->fd = net_connect_unix(path)) < 0) {
        if (errno != EAGAIN || now_msecs() >= deadline) {
            *error_r = t_strdup_printf("can't connect to %s: %m", path);
            return -1;
        }
        (void)poll(NULL, 0, 5);
    }
    return 0;
}

static int
say(struct question *ask, const char *line, int64_t deadline, const char **error_r)
{
    size_t size = strlen(line);

    while (size > 0) {
        ssize_t n = send(ask->fd, line, size, MSG_NOSIGNAL);

        if (n > 0) {
            line += n;
            size -= (size_t)n;
        } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
            ask->gone = TRUE;
            *error_r = t_strdup_printf("can't ask: %m");
            return -1;
        } else if (await(ask->fd, POLLOUT, deadline) == 0) {
            *error_r = "no answer in time";
            return -1;
        }
    }
    return 0;
}

/* One line and nothing after it: we ask one question at a time. */
static int
hear(struct question *ask, char *line, int64_t deadline, const char **error_r)
{
    size_t used = 0;

    for (;;) {
        ssize_t n = read(ask->fd, line + used, QUESTION_MAX - used);

        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            ask->gone = used == 0;
            *error_r = n == 0 ? "the connection was closed" : t_strdup_printf("can't read: %m");
            return -1;
        }
        if (n < 0) {
            if (await(ask->fd, POLLIN, deadline) == 0) {
                *error_r = "no answer in time";
                return -1;
            }
            continue;
        }
        used += (size_t)n;
        if (line[used - 1] == '\n' && memchr(line, '\0', used) == NULL &&
            memchr(line, '\n', used) == line + used - 1) {
            line[used - 1] = '\0';
            return 0;
        }
        if (used == QUESTION_MAX || memchr(line, '\n', used) != NULL) {
            *error_r = "the answer is not one line";
            return -1;
        }
    }
}

int
question_line(struct question *ask, const char *line, unsigned int timeout_msecs,
              const char **answer_r, const char **error_r)
{
    int64_t deadline = now_msecs() + timeout_msecs;
    char *answer = t_malloc_no0(QUESTION_MAX);

    ask->gone = FALSE;
    if (say(ask, t_strconcat(line, "\n", NULL), deadline, error_r) == 0 &&
        hear(ask, answer, deadline, error_r) == 0) {
        *answer_r = answer;
        return 0;
    }
    question_close(ask);
    return -1;
}

void
question_close(struct question *ask)
{
    i_close_fd(&ask->fd);
}
