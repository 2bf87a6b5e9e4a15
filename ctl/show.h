/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * show: reading the daemon's JSON for printing. A member that is missing or of
 * another type gives "" or 0, so that an older daemon's reply can be shown too.
 */
#ifndef POSTROAD_SHOW_H
#define POSTROAD_SHOW_H

#include <jansson.h>
#include <stdio.h>

static inline const char *
show_text(json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));

    return s ? s : "";
}

static inline double
show_number(json_t *o, const char *key)
{
    return json_number_value(json_object_get(o, key));
}

static inline int
show_true(json_t *o, const char *key)
{
    return json_is_true(json_object_get(o, key));
}

/* One line about the mirror's completeness and age: status and explain say the same. */
void show_mirror(json_t *mirror);

/*
 * For which moment the mirror is proven, after a label; then a line, indented, for each provider
 * that stands in the way.
 */
void show_proof(json_t *proof, const char *indent);

/* status_trouble.c: addresses several entries claim, and accounts in state moving; nothing when there are none. */
void show_duplicates(json_t *dups);
void show_moving(json_t *moving);
/* status_mail.c: Postfix's queues, in a line; mail that went through, a table; nothing when they are NULL. */
void show_queue(json_t *queue);
void show_flow(json_t *flow);
/* Whether either can't be known, or is old; and a line about each that is so. Either may be NULL. */
int show_mail_late(json_t *flow, json_t *queue);
void show_mail_attention(json_t *flow, json_t *queue);
/* The command that takes name away from an entry that does not get it, for a shell; no newline. */
void show_mend(FILE *f, const char *name, json_t *loser);

#endif
