/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * queue_list: looks through Postfix's queue by postqueue -j, every queue.interval seconds and whenever
 * somebody asks for a message, for all who asked before it began at once.
 *
 * Promises: memory does not grow with the queue; a long queue is listed less often, so that looking at
 * it never takes more than a tenth of the time, and half of it while somebody asks. Figures come from
 * whole lists only.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "queue_private.h"

static void
on_list(struct queue_job *j, const char *p, size_t n)
{
    struct queue_list *l = &j->role->list;
    const struct queue_entry *e = &l->line.entry;

    while (n > 0 && !l->bad) {
        int whole;
        long took = queue_line_take(&l->line, p, n, &whole);

        if (took < 0) {
            l->bad = 1;
            return;
        }
        p += took;
        n -= (size_t)took;
        if (!whole)
            continue;
        queue_figures_count(&l->figures, queue_name_of(e->queue), e->arrival_s, e->bytes);
        queue_work_show(j->role, e);
    }
}

/* Said once for each kind of trouble, and once when it is over. */
static void
tell(struct queue_role *r, const char *trouble)
{
    if (strcmp(r->list.trouble, trouble) == 0)
        return;
    if (*trouble)
        log_warning("Postfix's queue can't be listed error=\"%s\"", trouble);
    else
        log_notice("Postfix's queue can be listed again");
    snprintf(r->list.trouble, sizeof r->list.trouble, "%s", trouble);
    board_say(&r->env->board, trouble);
}

static void
ended(struct queue_role *r, const char *trouble)
{
    struct queue_list *l = &r->list;
    struct board *b = &r->env->board;

    l->ended_ms = (int64_t)board_now_ms();
    l->took_ms = l->ended_ms - l->began_ms;
    if (!*trouble && (l->bad || !queue_line_between(&l->line)))
        trouble = "postqueue -j wrote something that is not understood";
    tell(r, trouble);
    board_add(b, *trouble ? BOARD_QUEUE_FAILURES : BOARD_QUEUE_LOOKS, 1);
    if (!*trouble) {
        l->figures.took_ms = l->took_ms;
        queue_figures_publish(b, &l->figures);
    }
    queue_work_end(r, trouble);
}

static void
on_done(struct queue_job *j, const char *trouble)
{
    ended(j->role, trouble);
}

static int
is_due(const struct queue_role *r, int64_t now)
{
    const struct queue_list *l = &r->list;
    int64_t every = 1000LL * r->env->conf->queue.interval;

    if (l->began_ms == 0)
        return 1;
    if (queue_work_waits(r) && now >= l->ended_ms + l->took_ms)
        return 1;
    return now >= l->began_ms + every && now >= l->ended_ms + 9 * l->took_ms;
}

void
queue_list_pump(struct queue_role *r, int64_t now)
{
    struct queue_list *l = &r->list;
    char trouble[QUEUE_TEXT];

    if (l->job.number || !is_due(r, now))
        return;
    l->job.take = on_list;
    l->job.done = on_done;
    l->began_ms = now;
    l->bad = 0;
    queue_line_begin(&l->line);
    l->figures = (struct queue_figures){.looked_ms = clock_wall_ms()};
    queue_work_begin(r);
    if (queue_job_start(&l->job, PROGRAM_LIST, "") == 0)
        return;
    snprintf(trouble, sizeof trouble, "the helper takes no order: %s", strerror(errno));
    ended(r, trouble);
}
