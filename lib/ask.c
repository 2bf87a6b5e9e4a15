/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ask: one question over a socket, one answer, before a deadline.
 *
 * Promises: whatever the other side does (not there, not accepting, silent, one
 * byte a second, endless), the caller gets control back by the deadline, give or
 * take a scheduler's tick, and knows why. The clock is CLOCK_MONOTONIC. Must not
 * resolve names: that can't be bounded. Nothing survives a call.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "ask.h"
#include "netstring.h"

#define LINE_REPLY_MAX ((size_t)64 << 20)
#define CHUNK          65536

struct asking {
    int fd;
    long long deadline_ms;
    char *buf; /* what came so far, malloc'd */
    size_t n, cap;
    char *error;
    size_t error_n;
};

static int
ask_fail(struct asking *a, const char *what)
{
    snprintf(a->error, a->error_n, "%s", what);
    return -1;
}

static int
ask_fail_errno(struct asking *a, const char *what)
{
    snprintf(a->error, a->error_n, "%s: %s", what, strerror(errno));
    return -1;
}

static int
left_ms(const struct asking *a)
{
    long long left = a->deadline_ms - clock_mono_ms();

    return left > 0 ? (int)left : 0;
}

/* ---- connect ---- */

/*
 * A UNIX socket whose backlog is full can't be polled for room, and a non-blocking connect says
 * EAGAIN at once; a blocking one that obeys the send timeout waits for exactly that. A stop interrupts
 * it (signal(7)): then it waits for the rest of the time.
 */
static int
connect_in_time(struct asking *a, const struct sockaddr *sa, socklen_t len)
{
    int left;

    while ((left = left_ms(a)) > 0) {
        struct timeval tv = {left / 1000, (left % 1000) * 1000};

        if (setsockopt(a->fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv) < 0)
            return -1;
        if (connect(a->fd, sa, len) == 0 || errno == EISCONN)
            return 0;
        if (errno == EAGAIN || errno == EINPROGRESS || errno == EALREADY)
            break;
        if (errno != EINTR)
            return -1;
    }
    errno = ETIMEDOUT;
    return -1;
}

static int
ask_connect_to(struct asking *a, const struct sockaddr *sa, socklen_t len, const char *path)
{
    if (left_ms(a) == 0)
        return ask_fail(a, "no time left to connect");
    a->fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (a->fd < 0)
        return ask_fail_errno(a, "socket");
    if (connect_in_time(a, sa, len) < 0)
        return ask_fail_errno(a, path);
    if (fcntl(a->fd, F_SETFL, O_NONBLOCK) < 0)
        return ask_fail_errno(a, "fcntl");
    return 0;
}

static int
ask_connect_unix(struct asking *a, const char *path)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof sun.sun_path)
        return ask_fail(a, "the socket's path is too long");
    strcpy(sun.sun_path, path);
    return ask_connect_to(a, (struct sockaddr *)&sun, sizeof sun, path);
}

/* "127.0.0.1:2527" or "[::1]:2527", "localhost" being the one name that needs no look-up. */
static int
ask_connect_inet(struct asking *a, const char *where)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                             .ai_socktype = SOCK_STREAM},
                    *ai;
    const char *colon = strrchr(where, ':'), *host = where;
    char name[64];
    size_t n = colon ? (size_t)(colon - where) : 0;
    int r;

    if (n > 2 && host[0] == '[' && host[n - 1] == ']') {
        host++;
        n -= 2;
    }
    if (n == 0 || n >= sizeof name)
        return ask_fail(a, "the address is not of the form host:port");
    snprintf(name, sizeof name, "%.*s", (int)n, host);
    if (getaddrinfo(strcmp(name, "localhost") == 0 ? "127.0.0.1" : name, colon + 1, &hints, &ai))
        return ask_fail(a, "the address is not of the form host:port, in numbers");
    r = ask_connect_to(a, ai->ai_addr, ai->ai_addrlen, where);
    freeaddrinfo(ai);
    return r;
}

static int
ask_connect(struct asking *a, const char *path)
{
    if (strncmp(path, "inet:", 5) == 0)
        return ask_connect_inet(a, path + 5);
    if (strncmp(path, "unix:", 5) == 0)
        path += 5;
    if (path[0] != '/')
        return ask_fail(a, "the socket must be unix:/path or inet:host:port");
    return ask_connect_unix(a, path);
}

/* ---- send and receive ---- */

/* Until fd is ready, or the deadline: then -1, ready or not, so that a busy peer can't go on. */
static int
ask_wait(struct asking *a, short events)
{
    struct pollfd p = {a->fd, events, 0};
    int r;

    do {
        int left = left_ms(a);

        r = left > 0 ? poll(&p, 1, left) : 0;
    } while (r < 0 && errno == EINTR);
    if (r < 0)
        return ask_fail_errno(a, "poll");
    return r > 0 ? 0 : ask_fail(a, "no answer in time");
}

static int
ask_send(struct asking *a, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(a->fd, p, n, MSG_NOSIGNAL);

        if (sent < 0 && errno != EAGAIN && errno != EINTR)
            return ask_fail_errno(a, "send");
        if (sent < 0 && ask_wait(a, POLLOUT) < 0)
            return -1;
        if (sent > 0) {
            p += sent;
            n -= (size_t)sent;
        }
    }
    return 0;
}

static int
ask_grow(struct asking *a)
{
    size_t cap = a->cap ? a->cap * 2 : CHUNK;
    char *buf;

    if (a->cap - a->n > 1)
        return 0;
    buf = realloc(a->buf, cap);
    if (!buf)
        return ask_fail(a, "out of memory");
    a->buf = buf;
    a->cap = cap;
    return 0;
}

/* Some more bytes into a->buf, one byte of room left behind them. 0, or -1: none will come. */
static int
ask_receive(struct asking *a)
{
    if (ask_grow(a) < 0)
        return -1;
    for (;;) {
        ssize_t got;

        if (ask_wait(a, POLLIN) < 0)
            return -1;
        got = recv(a->fd, a->buf + a->n, a->cap - a->n - 1, 0);
        if (got == 0)
            return ask_fail(a, "the connection was closed without an answer");
        if (got > 0) {
            a->n += (size_t)got;
            return 0;
        }
        if (errno != EAGAIN && errno != EINTR)
            return ask_fail_errno(a, "receive");
    }
}

static void
ask_end(struct asking *a)
{
    if (a->fd >= 0)
        close(a->fd);
    free(a->buf);
}

/* ---- the two questions ---- */

static int
ask_map_request(struct asking *a, const char *map, const char *key)
{
    char request[SOCKETMAP_REQUEST_MAX + NETSTRING_HEAD_MAX + 1];
    size_t map_n = strlen(map), key_n = strlen(key), n;

    if (map_n + 1 + key_n > SOCKETMAP_REQUEST_MAX)
        return ask_fail(a, "the key is too long");
    n = netstring_head(map_n + 1 + key_n, request);
    memcpy(request + n, map, map_n);
    n += map_n;
    request[n++] = ' ';
    memcpy(request + n, key, key_n);
    n += key_n;
    request[n++] = ',';
    return ask_send(a, request, n);
}

static int
ask_map_reply(struct asking *a, enum socketmap_status *status_r, char *out, size_t cap)
{
    struct span payload, data;
    long used = 0;

    while (used == 0) {
        if (ask_receive(a) < 0)
            return -1;
        used = netstring_parse(a->buf, a->n, SOCKETMAP_REPLY_MAX, &payload);
    }
    if (used < 0 || socketmap_reply_parse(payload, status_r, &data) < 0)
        return ask_fail(a, "the answer is not one of a socketmap server");
    if (cap > 0)
        span_keep(out, cap, data);
    return 0;
}

int
ask_map(const char *path, const char *map, const char *key, int timeout_ms,
        enum socketmap_status *status_r, char *out, size_t cap, char *error, size_t error_n)
{
    struct asking a = {-1, clock_mono_ms() + timeout_ms, NULL, 0, 0, error, error_n};
    int r = ask_connect(&a, path);

    if (r == 0)
        r = ask_map_request(&a, map, key);
    if (r == 0)
        r = ask_map_reply(&a, status_r, out, cap);
    ask_end(&a);
    return r;
}

static int
ask_line_reply(struct asking *a, char **reply_r)
{
    char *end = NULL;

    while (!end) {
        size_t seen = a->n;

        if (seen > LINE_REPLY_MAX)
            return ask_fail(a, "the answer is longer than 64 MiB");
        if (ask_receive(a) < 0)
            return -1;
        end = memchr(a->buf + seen, '\n', a->n - seen);
    }
    *end = '\0';
    *reply_r = a->buf;
    a->buf = NULL;
    return 0;
}

/* end: what is sent behind it; NULL: text is no question. */
static int
ask_words(const char *path, const char *text, const char *end, int timeout_ms, char **reply_r,
          char *error, size_t error_n)
{
    struct asking a = {-1, clock_mono_ms() + timeout_ms, NULL, 0, 0, error, error_n};
    int r = end ? ask_connect(&a, path) : ask_fail(&a, "a question is one line");

    if (r == 0)
        r = ask_send(&a, text, strlen(text));
    if (r == 0)
        r = ask_send(&a, end, strlen(end));
    if (r == 0)
        r = ask_line_reply(&a, reply_r);
    ask_end(&a);
    return r;
}

int
ask_text(const char *path, const char *text, int timeout_ms, char **reply_r, char *error,
         size_t error_n)
{
    return ask_words(path, text, "", timeout_ms, reply_r, error, error_n);
}

int
ask_line(const char *path, const char *line, int timeout_ms, char **reply_r, char *error,
         size_t error_n)
{
    return ask_words(path, line, strchr(line, '\n') ? NULL : "\n", timeout_ms, reply_r, error,
                     error_n);
}
