/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control_mail: what `postroad status` says of mail: which way how much of it went, as postroad-milter
 * counted, and what is in Postfix's queues, as role queue saw them.
 *
 * Promises: figures that can't be read, or were never taken, are null or told to be unknown, and each has
 * its age. Today begins at midnight of this machine's time zone.
 */
#include <jansson.h>
#include <stdio.h>
#include <time.h>

#include "control.h"
#include "status.h"

static int64_t
midnight_s(int64_t wall_ms)
{
    time_t now = (time_t)(wall_ms / 1000);
    struct tm day;

    if (!localtime_r(&now, &day))
        return now - now % 86400;
    day.tm_hour = day.tm_min = day.tm_sec = 0;
    day.tm_isdst = -1;
    return (int64_t)mktime(&day);
}

int
status_flow(const struct control *c, const struct moment *now, struct flow_seen *seen_r,
            char *error, size_t error_n)
{
    const struct conf *conf = c->env->conf;
    char path[1100];

    if (!*conf->sockets.milter)
        return 0;
    snprintf(path, sizeof path, "%s/" FLOW_FOLDER "/" FLOW_FILE, conf->state_dir);
    return flow_read(path, now->wall_ms / 1000, midnight_s(now->wall_ms), seen_r, error, error_n);
}

static json_t *
sum_json(const struct flow_sum *s)
{
    json_t *o = json_object(), *ways = json_object();

    for (int way = 0; way < DIRECTION_N; way++)
        json_object_set_new(ways, direction_word((enum direction)way),
                            json_pack("{s:o, s:o, s:o}", "messages",
                                      control_number(s->way[way].messages), "recipients",
                                      control_number(s->way[way].recipients), "bytes",
                                      control_number(s->way[way].bytes)));
    json_object_set_new(o, "directions", ways);
    for (int e = 0; e < FLOW_EVENTS; e++)
        json_object_set_new(o, flow_event_word((enum flow_event)e), control_number(s->event[e]));
    return o;
}

json_t *
status_flow_json(struct control *c, const struct moment *now)
{
    char error[256] = "";
    struct flow_seen s;
    int rc = status_flow(c, now, &s, error, sizeof error);

    if (rc == 0)
        return NULL;
    if (rc < 0)
        return json_pack("{s:b, s:o}", "known", 0, "error", control_text(span_of(error)));
    return json_pack("{s:b, s:o, s:o, s:o, s:o, s:o}", "known", 1, "age_s",
                     control_seconds(now->wall_ms - s.beat_ms), "since", control_time(s.began_ms),
                     "hour", sum_json(&s.hour), "today", sum_json(&s.today), "total",
                     sum_json(&s.total));
}

static json_t *
lengths_json(const struct queue_figures *f, const struct moment *now)
{
    json_t *o = json_object();

    for (int q = 0; q < QUEUE_NAMES; q++) {
        const struct queue_figure *of = &f->of[q];

        json_object_set_new(o, queue_name_word((enum queue_name)q),
                            json_pack("{s:o, s:o, s:o}", "messages", control_number(of->messages),
                                      "bytes", control_number(of->bytes), "oldest_s",
                                      of->messages > 0
                                          ? control_seconds(now->wall_ms - of->oldest_s * 1000)
                                          : json_null()));
    }
    return o;
}

json_t *
status_queue_json(struct control *c, const struct moment *now)
{
    const struct board *b = &c->env->board;
    struct queue_figures f;
    char text[BOARD_TEXT_MAX];
    int known;

    if (!c->env->conf->queue.manage)
        return NULL;
    known = queue_figures_read(b, &f) == 1;
    board_text(b, BOARD_QUEUE, text, sizeof text);
    return json_pack("{s:b, s:o, s:o, s:o, s:i, s:b, s:o, s:o, s:o, s:o}", "known", known, "age_s",
                     known ? control_seconds(now->wall_ms - f.looked_ms) : json_null(), "took_s",
                     known ? control_seconds(f.took_ms) : json_null(), "queues",
                     known ? lengths_json(&f, now) : json_null(), "interval_s",
                     c->env->conf->queue.interval, "may_change",
                     board_get(b, BOARD_QUEUE, BOARD_QUEUE_ROOT) != 0, "released",
                     control_number(board_get(b, BOARD_QUEUE, BOARD_QUEUE_RELEASED)), "deleted",
                     control_number(board_get(b, BOARD_QUEUE, BOARD_QUEUE_DELETED)), "failures",
                     control_number(board_get(b, BOARD_QUEUE, BOARD_QUEUE_FAILURES)), "error",
                     *text ? control_text(span_of(text)) : json_null());
}
