/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inquiry: questions of the answer workers to all providers, whether they have an
 * address, and what sync found out; over the board, so that neither waits for the
 * other, and either may die at any moment.
 *
 * A question is a slot of the asker's: the address in all the ways in which somebody could
 * have it, and a moment after which it is to be looked for. An answer says at which
 * moment that was done at all providers.
 */
#ifndef POSTROAD_INQUIRY_H
#define POSTROAD_INQUIRY_H

#include "addr.h"
#include "board.h"
#include "span.h"

#define INQUIRY_SLOTS    256
#define INQUIRY_TEXT     1296  /* four addresses, each with a line feed */
#define INQUIRY_STALE_MS 35000 /* nobody waits for so long */
#define INQUIRY_ALARMS   16

enum inquiry_verdict {
    INQUIRY_NONE,   /* not looked for yet */
    INQUIRY_SAME,   /* what the providers have of it is in the mirror, by the snapshot taken now */
    INQUIRY_DIFFERS /* one has it otherwise, though the mirror should hold all that it knows */
};

/* The asker's own side: one for each process. */
struct inquiry {
    struct board *board;
    uint32_t hash[INQUIRY_SLOTS];
    uint16_t refs[INQUIRY_SLOTS]; /* who waits for the answer */
    unsigned used;                /* slots that were ever used */
};

void inquiry_init(struct inquiry *q, struct board *board);
/* Ask for text, lines of addresses, to be looked for after want_ms. The slot, or -1: none is free. */
int inquiry_put(struct inquiry *q, struct span text, int64_t want_ms, int64_t now_ms);
/*
 * What is known of the slot's question for a moment after asked_ms. upto: BOARD_SYNC_ANSWERED as it
 * was observed before the snapshot of the mirror was taken that the answer is to hold for.
 */
enum inquiry_verdict inquiry_look(const struct inquiry *q, int slot, int64_t asked_ms,
                                  uint64_t upto);
/* How many more questions can be put. */
unsigned inquiry_room(const struct inquiry *q, int64_t now_ms);

/* Which question: version is another one when the slot was given to another question. */
struct inquiry_id {
    int role, slot;
    uint64_t version;
};
/* A number for each role's each slot, below INQUIRY_ROWS. */
#define INQUIRY_ROWS (BOARD_ROLES * INQUIRY_SLOTS)
static inline unsigned
inquiry_row(struct inquiry_id id)
{
    return (unsigned)(id.role * INQUIRY_SLOTS + id.slot);
}

/* A question as sync sees it. */
struct inquiry_question {
    struct inquiry_id id;
    int64_t want_ms;
    size_t n;
    char text[INQUIRY_TEXT];
};
/* Walk over the questions of all roles: *at 0 to begin, below INQUIRY_WALK. 1, or 0 at the end. */
#define INQUIRY_WALK ((1 + BOARD_ROLES - BOARD_ANSWER) * INQUIRY_SLOTS)
int inquiry_next(const struct board *b, unsigned *at, int64_t now_ms, struct inquiry_question *out);
/* Sync only. at_ms: the moment for which it holds. */
void inquiry_answer(struct board *b, struct inquiry_id about, enum inquiry_verdict verdict,
                    int64_t at_ms);

/* Entries that a provider has otherwise than the mirror, shown by sync to all. */
struct inquiry_alarm {
    int provider;               /* number in conf_providers */
    uint64_t since_ms;          /* wall clock; 0: no alarm */
    char address[ADDR_MAX + 1]; /* by which it was met first */
    char entry[256];            /* its DN, the beginning of a long one */
};
void inquiry_alarm_set(struct board *b, int i, const struct inquiry_alarm *a);
void inquiry_alarm_get(const struct board *b, int i, struct inquiry_alarm *out);
/* Take the next line off text. 1, or 0 at the end. */
int inquiry_line(struct span *text, struct span *line);
/* Whether one of the lines of text has an alarm. */
int inquiry_alarmed(const struct board *b, struct span text);

#endif
