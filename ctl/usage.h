/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usage: adding up the records of postroad-accounting(5): what the files of this verb share.
 */
#ifndef POSTROAD_USAGE_H
#define POSTROAD_USAGE_H

#include <jansson.h>
#include <stdint.h>

#include "accounting_line.h"
#include "ctl.h"

/* Numbers from first to last. */
struct usage_range {
    uint64_t first, last;
};

/* The numbers that were read of one log, in ascending ranges that neither touch nor overlap. */
struct usage_log {
    char log[ACCOUNTING_LOG];
    struct usage_range *range;
    size_t n, room;
};

struct usage_seen {
    struct usage_log *log;
    size_t n;
};

/* usage_seen.c. 1 it is new, 0 it was there already, -1 no memory. */
int usage_seen_add(struct usage_seen *s, const char *log, uint64_t seq);
void usage_seen_free(struct usage_seen *s);
/* The numbers that are missing between those of log, as a JSON array of {log, first, last}. */
json_t *usage_seen_gaps(const struct usage_seen *s);

/* What another record says of some: whether Postfix took them is uncertain, or it was not told to. */
struct usage_doubt {
    char log[ACCOUNTING_LOG];
    struct usage_range of;
    int is_void;
};

struct usage_sum {
    uint64_t messages, recipients, bytes;
};

struct usage {
    const struct ctl *ctl;
    const char *by;         /* "account", "department", "domain" */
    int64_t from_ms, to_ms; /* of the records that are added up: from <= time < to */
    struct usage_seen seen;
    struct usage_doubt *doubt;
    size_t ndoubts, room;
    json_t *queues; /* by queue id, an OR of enum usage_queue; NULL: no log of Postfix was given */
    json_t *rows;   /* by key, then by direction: [messages, recipients, bytes] */
    uint64_t records, repeated, unreadable, without_record;
    struct usage_sum uncertain, refused, uncounted, transit;
};

enum usage_queue {
    QUEUE_MENTIONED = 1, /* the log knows it */
    QUEUE_ACCEPTED = 2,  /* the queue manager has got it */
    QUEUE_ENTERED = 4,   /* and it came by SMTP or sendmail, so that the milter was asked */
    QUEUE_COUNTED = 8,   /* there are records of it */
    QUEUE_HELD = 16,   /* it is put into the hold queue, where the queue manager does not see it */
    QUEUE_REFUSED = 32 /* it was refused at its end */
};

/* usage_maillog.c. Take in a log file of Postfix. 0, or -1 after saying what is wrong. */
int usage_maillog(struct usage *u, const char *path);
/* Whether flags say that Postfix has accepted the message. */
int usage_queue_accepted(int flags);
/* What it said of a queue id; 0: nothing. */
int usage_queue_is(const struct usage *u, const char *queue);
void usage_queue_set(struct usage *u, const char *queue, int flag);

/* usage_show.c. As --format says, then what is wrong with the figures. An exit code. */
int usage_show(struct usage *u, const char *format);

#endif
