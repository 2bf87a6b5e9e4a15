/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * queue: the role that looks into Postfix's queue, and releases or deletes what is on hold there:
 * what is asked of it over a pair of sockets (SOCK_SEQPACKET) that the parent keeps, and what it
 * answers. Both ends are one program, of one version, so messages are structs.
 */
#ifndef POSTROAD_QUEUE_H
#define POSTROAD_QUEUE_H

#include <stdint.h>

#include "queue_line.h"

#define QUEUE_TEXT 256

enum queue_word { QUEUE_LOOK, QUEUE_RELEASE, QUEUE_DELETE, QUEUE_WORDS };

/*
 * not_after_s: when the message was seen in the queue, since 1970; 0: it does not matter. One that came
 * later is another message: Postfix uses short queue ids again.
 */
struct queue_request {
    uint64_t id;
    int64_t until_ms; /* monotonic: nobody waits for an answer any more */
    int64_t not_after_s;
    enum queue_word word;
    char queue_id[QUEUE_ID_MAX + 1];
};

enum queue_verdict { QUEUE_UNSURE = -1, QUEUE_NO = 0, QUEUE_DONE = 1 };

/* Why it is not done. */
enum queue_why {
    QUEUE_FINE,
    QUEUE_GONE,     /* no: it is in no queue */
    QUEUE_REUSED,   /* no: its id belongs to a message that came later */
    QUEUE_NOT_HELD, /* no: it is in another queue than hold: on its way */
    QUEUE_TROUBLE   /* unsure: it could not be asked, or not be done */
};

struct queue_answer {
    uint64_t id;
    enum queue_verdict verdict;
    enum queue_why why;
    struct queue_entry entry; /* when it was found; else its id is "" */
    char text[QUEUE_TEXT];    /* why it is not done; printable ASCII */
};

#endif
