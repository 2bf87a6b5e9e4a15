/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * people_line: see people_line.h.
 *
 * Promises: who serves believes nothing he is sent: a question that is none is answered "can't tell", and
 * costs no more than one that is. An answer that comes too late is not taken for that of the next question.
 * Must not wait for ever: the other end may be stopped.
 */
#include "people_line.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define MOST_MAX (INT64_C(1) << 40)

int
people_line(int ends_r[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends_r);
}

/* --- who serves --- */

static void
answer(struct people *p, const struct people_question *q, struct people_answer *a)
{
    struct span text = {q->text, q->n};
    int64_t most = q->most < 0 ? 0 : q->most < MOST_MAX ? q->most : MOST_MAX;

    memset(a, 0, sizeof *a);
    a->number = q->number;
    a->rc = -1;
    if (q->what == PEOPLE_FIND)
        a->rc = people_find(p, text, &a->is.person);
    else if (q->what == PEOPLE_MEMBERS)
        a->rc = people_members(p, text, most);
    else if (q->what == PEOPLE_DOMAIN)
        a->rc = people_domain(p, text, &a->is.domain);
    else if (q->what == PEOPLE_ACTIONS)
        a->rc = (int64_t)people_spoof_actions(p);
}

int
people_serve(struct people *p, int fd)
{
    const size_t head = offsetof(struct people_question, text);
    struct people_question q;
    struct people_answer a;
    ssize_t n;

    for (;;) {
        do
            n = recv(fd, &q, sizeof q, 0);
        while (n < 0 && errno == EINTR);
        if (n <= 0)
            return n < 0 ? -1 : 0;
        if ((size_t)n < head)
            memset(&q, 0, sizeof q);
        if ((size_t)n < head || q.n != (size_t)n - head)
            q.what = UINT32_MAX;
        answer(p, &q, &a);
        do
            n = send(fd, &a, sizeof a, MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
        if (n < 0)
            return errno == EPIPE ? 0 : -1;
    }
}

/* --- who asks --- */

static int64_t
mono_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Until events come to fd: 1; 0: the time is over. */
static int
wait_for(int fd, short events, int64_t until_ms)
{
    struct pollfd p = {fd, events, 0};
    int64_t left = until_ms - mono_ms();

    return poll(&p, 1, left > 0 ? (int)left : 0) != 0 && mono_ms() < until_ms;
}

/*
 * Answers to questions of before are taken first: while they fill the way back, who serves takes no more
 * questions, and each would wait for the other.
 */
static ssize_t
ask(int fd, const struct people_question *q, size_t size, int64_t until_ms,
    struct people_answer *unused)
{
    ssize_t n;

    do {
        while (recv(fd, unused, sizeof *unused, MSG_DONTWAIT) > 0)
            ;
        n = send(fd, q, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (n < 0 &&
             (errno == EINTR || (errno == EAGAIN && wait_for(fd, POLLIN | POLLOUT, until_ms))));
    return n;
}

int
people_line_ask(int fd, uint64_t *number, int64_t patience_ms, enum people_asks what,
                struct span text, int64_t most, struct people_answer *out)
{
    struct people_question q = {.number = ++*number, .most = most, .what = what};
    int64_t until_ms = mono_ms() + patience_ms;
    ssize_t n;

    q.n = (uint32_t)(text.n < sizeof q.text ? text.n : sizeof q.text);
    memcpy(q.text, text.p, q.n);
    n = ask(fd, &q, offsetof(struct people_question, text) + q.n, until_ms, out);
    while (n >= 0) {
        n = recv(fd, out, sizeof *out, MSG_DONTWAIT);
        if (n == (ssize_t)sizeof *out && out->number == q.number)
            return 0;
        if (n == 0 || (n > 0 && n != (ssize_t)sizeof *out))
            return -1;
        if (n < 0 && (errno == EINTR || (errno == EAGAIN && wait_for(fd, POLLIN, until_ms))))
            n = 0;
    }
    return -1;
}
