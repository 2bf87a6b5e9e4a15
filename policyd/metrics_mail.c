/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * metrics, of mail: what postroad-milter counted, and what role queue saw in Postfix's queues.
 *
 * Promises: labels are ways of mail, our own site and Postfix's queues, nothing else. What is not known
 * has no series, and what is old says so by its age: neither is ever shown as 0.
 */
#include "metrics_private.h"
#include "status.h"

static void
by_way(const struct control *c, struct evbuffer *out, const char *name, const char *help,
       const struct flow_seen *s, size_t offset)
{
    metrics_head(out, name, "counter", help);
    for (int way = 0; way < DIRECTION_N; way++) {
        const char *at = (const char *)&s->total.way[way] + offset;

        evbuffer_add_printf(out, "%s{direction=\"%s\",site=\"%s\"} %llu\n", name,
                            direction_word((enum direction)way), c->env->conf->site,
                            (unsigned long long)*(const uint64_t *)(const void *)at);
    }
}

static void
flow_metrics(const struct control *c, const struct moment *now, struct evbuffer *out)
{
    struct flow_seen s;
    char error[256];
    int rc = status_flow(c, now, &s, error, sizeof error);

    if (rc == 0)
        return;
    metrics_single(out, "postroad_flow_readable", "gauge",
                   "1 when the figures of postroad-milter can be read.", rc > 0);
    if (rc < 0)
        return;
    metrics_single(out, "postroad_flow_age_seconds", "gauge",
                   "Time since the last sign of life of postroad-milter, who keeps these figures.",
                   (double)(now->wall_ms - s.beat_ms) / 1000.0);
    by_way(c, out, "postroad_messages_total",
           "Messages that Postfix was told to accept; one that goes several ways counts for each.",
           &s, offsetof(struct flow_count, messages));
    by_way(c, out, "postroad_recipients_total", "Recipients of these messages.", &s,
           offsetof(struct flow_count, recipients));
    by_way(c, out, "postroad_bytes_total", "Bytes of these messages.", &s,
           offsetof(struct flow_count, bytes));
    metrics_head(out, "postroad_message_events_total", "counter",
                 "Messages that were held, refused by the spoof guard, or told to come again.");
    for (int e = 0; e < FLOW_EVENTS; e++)
        evbuffer_add_printf(out, "postroad_message_events_total{event=\"%s\",site=\"%s\"} %llu\n",
                            flow_event_word((enum flow_event)e), c->env->conf->site,
                            (unsigned long long)s.total.event[e]);
}

static void
by_queue(struct evbuffer *out, const char *name, const char *help, const double v[QUEUE_NAMES])
{
    metrics_head(out, name, "gauge", help);
    for (int q = 0; q < QUEUE_NAMES; q++)
        evbuffer_add_printf(out, "%s{queue=\"%s\"} %.15g\n", name,
                            queue_name_word((enum queue_name)q), v[q]);
}

static void
lengths(const struct queue_figures *f, const struct moment *now, struct evbuffer *out)
{
    double messages[QUEUE_NAMES], bytes[QUEUE_NAMES], oldest[QUEUE_NAMES];

    for (int q = 0; q < QUEUE_NAMES; q++) {
        int64_t age_ms = now->wall_ms - f->of[q].oldest_s * 1000;

        messages[q] = (double)f->of[q].messages;
        bytes[q] = (double)f->of[q].bytes;
        oldest[q] = f->of[q].messages > 0 && age_ms > 0 ? (double)age_ms / 1000.0 : 0;
    }
    metrics_single(out, "postroad_queue_age_seconds", "gauge",
                   "Time since Postfix's queues were looked into; the lengths are of then.",
                   (double)(now->wall_ms - f->looked_ms) / 1000.0);
    metrics_single(out, "postroad_queue_look_seconds", "gauge", "How long that took.",
                   (double)f->took_ms / 1000.0);
    by_queue(out, "postroad_queue_messages", "Messages in each of Postfix's queues.", messages);
    by_queue(out, "postroad_queue_bytes", "Bytes of these messages.", bytes);
    by_queue(out, "postroad_queue_oldest_seconds",
             "Age of the oldest of them; 0: the queue is empty.", oldest);
}

static void
queue_metrics(const struct control *c, const struct moment *now, struct evbuffer *out)
{
    static const struct {
        const char *name, *help;
        int word;
    } counter[] = {
        {"postroad_queue_looks_total", "Looks into Postfix's queues.", BOARD_QUEUE_LOOKS},
        {"postroad_queue_failures_total", "Looks that failed.", BOARD_QUEUE_FAILURES},
        {"postroad_queue_released_total", "Messages released from hold.", BOARD_QUEUE_RELEASED},
        {"postroad_queue_deleted_total", "Messages deleted from hold.", BOARD_QUEUE_DELETED}};
    const struct board *b = &c->env->board;
    struct queue_figures f;

    if (!c->env->conf->queue.manage)
        return;
    if (queue_figures_read(b, &f) == 1)
        lengths(&f, now, out);
    for (size_t i = 0; i < sizeof counter / sizeof *counter; i++)
        metrics_single(out, counter[i].name, "counter", counter[i].help,
                       (double)board_get(b, BOARD_QUEUE, counter[i].word));
}

void
metrics_mail(struct control *c, const struct moment *now, struct evbuffer *out)
{
    flow_metrics(c, now, out);
    queue_metrics(c, now, out);
}
