/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flow: how much mail went which way at this site, in all, today and within the last hour, in a file that
 * postroad-milter writes and anybody reads who may, at any time and without a lock.
 *
 * A message counts once for each way that some of its recipients go. What Postfix accepts was written
 * before, by write(2): it outlives whoever is killed, and not a loss of power.
 */
#ifndef POSTROAD_FLOW_H
#define POSTROAD_FLOW_H

#include <stddef.h>
#include <stdint.h>

#include "direction.h"

#define FLOW_SLOT_S \
    300 /* seconds counted together: what is older than an hour, or a day, goes so */
/* Below state_dir: a folder of the milter's own; where the file was before there was one. */
#define FLOW_FOLDER      "milter"
#define FLOW_FILE        "figures"
#define FLOW_FILE_BEFORE "milter-figures"

/* What is counted beside messages that are let through. */
enum flow_event {
    FLOW_HELD,       /* put on hold, for moderation or by the spoof guard */
    FLOW_SPOOFED,    /* refused by the spoof guard */
    FLOW_TEMPFAILED, /* told to come again, by our own doubt or trouble */
    FLOW_EVENTS
};

struct flow_count {
    uint64_t messages, recipients, bytes;
};

struct flow_sum {
    struct flow_count way[DIRECTION_N];
    uint64_t event[FLOW_EVENTS];
};

/* "held", "refused", "tempfailed" */
const char *flow_event_word(enum flow_event e);

/* --- the writer: one process, any of its threads --- */

struct flow;

/* path: from the folder dir_fd, which stays the caller's. NULL: no memory. Counts from now on; the file comes
 * with flow_beat. */
struct flow *flow_new(int dir_fd, const char *path, int64_t wall_ms);
void flow_free(struct flow **f);
/*
 * "I live": each few seconds. Opens the file, made when absent (mode 0644: its folder says who reads it), and adds what was in it, the first
 * time; makes it anew when it was taken away or cut short. 0; 1 the same, but what was in it was damaged in
 * part; -1 (errno): it can't be written, and is tried again the next time.
 */
int flow_beat(struct flow *f, int64_t wall_ms);
/* One message with these recipients going that way; what can't be written now is with the next. */
void flow_add(struct flow *f, int64_t wall_ms, enum direction way, uint64_t recipients,
              uint64_t bytes);
void flow_event(struct flow *f, int64_t wall_ms, enum flow_event e);

/* --- readers --- */

struct flow_seen {
    int64_t began_ms; /* since when the total counts */
    int64_t beat_ms;  /* the writer's last sign of life */
    struct flow_sum total, today, hour;
};

/*
 * today: since midnight_s; hour: the last 55 to 60 minutes. 1; 0 nobody ever wrote it; -1 and error: it
 * can't be read.
 */
int flow_read(const char *path, int64_t now_s, int64_t midnight_s, struct flow_seen *seen_r,
              char *error, size_t error_n);

#endif
