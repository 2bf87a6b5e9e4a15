/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * queue_job: one program of Postfix's, from the order to what came of it.
 *
 * Promises: done is called once for each that was started; output is taken as it comes, and no more
 * than a few kB of it is kept. Must not wait: who does not end is ended by the helper.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "queue_private.h"

#define LATE_MS 10000 /* so long a report may come after the program's time is up */

static void
close_end(struct queue_job *j, int i)
{
    if (j->ev[i])
        event_free(j->ev[i]);
    j->ev[i] = NULL;
    if (j->fd[i] >= 0)
        close(j->fd[i]);
    j->fd[i] = -1;
}

void
queue_job_forget(struct queue_job *j)
{
    if (j->number == 0)
        return;
    close_end(j, 0);
    close_end(j, 1);
    j->number = 0;
}

/* The last line a program wrote, which is where Postfix's say what is wrong. */
static void
last_line(const struct queue_job *j, char *out, size_t cap)
{
    size_t end = j->said_n, begin, n = 0;

    while (end > 0 && isspace((unsigned char)j->said[end - 1]))
        end--;
    begin = end;
    while (begin > 0 && j->said[begin - 1] != '\n')
        begin--;
    for (; begin < end && n + 1 < cap; begin++)
        out[n++] = isprint((unsigned char)j->said[begin]) ? j->said[begin] : '?';
    out[n] = '\0';
}

static void
finish(struct queue_job *j)
{
    const char *name =
        j->program == PROGRAM_RELEASE || j->program == PROGRAM_DELETE ? "postsuper" : "postqueue";
    char trouble[QUEUE_TEXT] = "";

    queue_job_forget(j);
    if (j->status == -1) {
        snprintf(trouble, sizeof trouble, "%s did not end in time, or could not be started", name);
    } else if (j->lost) {
        snprintf(trouble, sizeof trouble, "no memory for what %s writes", name);
    } else if (!WIFEXITED(j->status) || WEXITSTATUS(j->status) != 0) {
        last_line(j, trouble, sizeof trouble);
        if (!*trouble)
            snprintf(trouble, sizeof trouble, "%s ended with %s %d", name,
                     WIFEXITED(j->status) ? "exit code" : "signal",
                     WIFEXITED(j->status) ? WEXITSTATUS(j->status) : WTERMSIG(j->status));
    }
    j->done(j, trouble);
}

static void
finish_if_whole(struct queue_job *j)
{
    if (j->reported && ((j->fd[0] < 0 && j->fd[1] < 0) || j->status == -1))
        finish(j);
}

static void
keep_said(struct queue_job *j, const char *p, size_t n)
{
    size_t room = sizeof j->said - j->said_n;

    n = n < room ? n : room;
    memcpy(j->said + j->said_n, p, n);
    j->said_n += n;
}

static void
on_output(evutil_socket_t fd, short what, void *ctx)
{
    struct queue_job *j = ctx;
    int i = fd == j->fd[1];
    char buf[16384];
    ssize_t n = read(fd, buf, sizeof buf);

    (void)what;
    if (n > 0 && i == 0 && j->take)
        j->take(j, buf, (size_t)n);
    else if (n > 0)
        keep_said(j, buf, (size_t)n);
    if (n != 0)
        return;
    close_end(j, i);
    finish_if_whole(j);
}

int
queue_job_start(struct queue_job *j, enum queue_program program, const char *queue_id)
{
    struct queue_role *r = j->role;
    struct queue_order o = {.number = ++r->last_number, .program = program};

    snprintf(o.queue_id, sizeof o.queue_id, "%s", queue_id);
    if (queue_run(r->helper_fd, &o, &j->fd[0], &j->fd[1]) < 0)
        return -1;
    j->number = o.number;
    j->program = program;
    j->until_ms = (int64_t)board_now_ms() + 1000LL * r->env->conf->queue.timeout + LATE_MS;
    j->reported = j->lost = 0;
    j->status = -1;
    j->said_n = 0;
    for (int i = 0; i < 2; i++) {
        j->ev[i] = event_new(r->base, j->fd[i], EV_READ | EV_PERSIST, on_output, j);
        if (!j->ev[i] || event_add(j->ev[i], NULL) < 0) {
            close_end(j, i); /* the program's writes fail, unless it was quicker */
            j->lost = 1;
        }
    }
    return 0;
}

void
queue_job_report(struct queue_job *j, const struct program_report *report)
{
    if (j->number == 0 || j->number != report->number)
        return;
    j->reported = 1;
    j->status = report->status;
    finish_if_whole(j);
}

void
queue_job_tick(struct queue_job *j, int64_t now)
{
    if (j->number == 0 || now < j->until_ms)
        return;
    j->status = -1;
    finish(j);
}
