/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * figures: see figures.h.
 *
 * Promises: what Postfix was told to accept was counted before. Must not end the milter, nor keep it from
 * starting, because the file can't be written: that is said once, and tried again.
 */
#include "figures.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "log.h"

#define BEAT_S 2

static struct flow *flow;
static char path[1100];

static void
beat(int64_t wall_ms)
{
    static int told;
    int rc = flow_beat(flow, wall_ms);

    if (rc < 0 && !told)
        log_warning("the figures of mail can't be written file=%s error=\"%s\"", path,
                    strerror(errno));
    else if (rc >= 0 && told)
        log_notice("the figures of mail can be written again file=%s", path);
    told = rc < 0;
    if (rc > 0)
        log_warning("the figures of mail were damaged, and begin anew in part file=%s", path);
}

static void *
beats(void *unused)
{
    const struct timespec pause = {BEAT_S, 0};

    for (;;) {
        nanosleep(&pause, NULL);
        beat(clock_wall_ms());
    }
    return unused;
}

int
figures_start(const struct conf *conf, int folder, int64_t wall_ms)
{
    sigset_t all, before;
    pthread_t thread;
    int rc;

    snprintf(path, sizeof path, "%s/" FLOW_FOLDER "/" FLOW_FILE, conf->state_dir);
    flow = flow_new(folder, FLOW_FILE, wall_ms);
    if (!flow)
        return -1;
    beat(wall_ms);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&thread, NULL, beats, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc == 0 && pthread_detach(thread) == 0 ? 0 : -1;
}

/* As the accounting counts them: the bytes, and the line between header and body. */
void
figures_message(const struct message *m, int64_t wall_ms)
{
    uint64_t recipients[DIRECTION_N] = {0};

    for (unsigned i = 0; i < m->n; i++)
        recipients[m->group[i].direction] += m->group[i].recipients;
    for (int way = 0; way < DIRECTION_N; way++)
        if (recipients[way] > 0)
            flow_add(flow, wall_ms, (enum direction)way, recipients[way], m->bytes + 2);
}

void
figures_event(enum flow_event e, int64_t wall_ms)
{
    flow_event(flow, wall_ms, e);
}
