/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hold: see hold.h.
 *
 * Promises: a record is on disk, name and all, before Postfix is told to hold the message. A record whose
 * message Postfix did not take in the end does no harm: role held finds no message for it. Must not
 * hold anything that another site handed over.
 */
#include "hold.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plain_text.h"

#define DAY_MS      86400000LL
#define LEFTOVERS_S 3600 /* an unfinished write of so long ago is nobody's any more */

struct hold {
    const struct conf *conf;
    int folder;
};

struct hold *
hold_new(const struct conf *conf)
{
    struct hold *h = calloc(1, sizeof *h);

    if (h)
        *h = (struct hold){.conf = conf, .folder = -1};
    return h;
}

int
hold_open(struct hold *h, int64_t wall_ms, char *error, size_t error_n)
{
    h->folder = held_folder(h->conf->state_dir, error, error_n);
    if (h->folder >= 0)
        held_record_tidy(h->folder, wall_ms / 1000 - LEFTOVERS_S);
    return h->folder >= 0 ? 0 : -1;
}

/* --- what is collected --- */

void
hold_begin(struct hold_mail *m)
{
    hold_free(m);
    *m = (struct hold_mail){0};
}

void
hold_free(struct hold_mail *m)
{
    free(m->record);
    m->record = NULL;
}

void
hold_expect(struct hold_mail *m)
{
    m->expected = 1;
    if (!m->record)
        m->record = calloc(1, sizeof *m->record);
    m->broken |= !m->record;
}

static void
copy(char *out, size_t cap, struct span s)
{
    size_t n = s.n < cap ? s.n : cap - 1;

    memcpy(out, s.p, n);
    out[n] = '\0';
}

static struct span
bare(const char *address)
{
    struct span s = span_of(address);

    return s.n >= 2 && s.p[0] == '<' && s.p[s.n - 1] == '>' ? (struct span){s.p + 1, s.n - 2} : s;
}

void
hold_recipient(struct hold *h, struct hold_mail *m, const char *recipient,
               const struct message_way *way)
{
    struct held_record *r = m->record;
    int at_home = way->to.verdict == ROUTE_LOCAL;

    (void)h;
    if (!r)
        return;
    if (r->recipients < HELD_RECIPIENTS)
        copy(r->recipient[r->recipients++], sizeof r->recipient[0], bare(recipient));
    if (*way->to.account && (!*r->target || (at_home && !m->at_home))) {
        copy(r->target, sizeof r->target, span_of(way->to.account));
        m->at_home = at_home;
    }
    if (!*r->direction)
        copy(r->direction, sizeof r->direction, span_of(direction_word(way->direction)));
}

void
hold_request(struct hold_mail *m, const char *rule, const char *why)
{
    if (m->record && !m->requested) {
        plain_text(m->record->rule, sizeof m->record->rule, span_of(rule));
        plain_text(m->record->why, sizeof m->record->why, span_of(why));
    }
    m->requested = 1;
}

/* --- its end --- */

static int
write_record(struct hold *h, struct held_record *r, const struct message *message,
             const char *queue, int64_t now_ms, char *error, size_t error_n)
{
    if (held_id_write(r->id, h->conf->site, now_ms, queue) < 0) {
        snprintf(error, error_n, "Postfix gives no queue id");
        return -1;
    }
    copy(r->site, sizeof r->site, span_of(h->conf->site));
    copy(r->queue, sizeof r->queue, span_of(queue));
    copy(r->sender, sizeof r->sender, span_of(message->sender));
    copy(r->login, sizeof r->login, span_of(message->login));
    r->time_ms = now_ms;
    r->expires_ms = now_ms + 5 * DAY_MS;
    r->recipient_count = message->recipients;
    r->size = message->bytes + 2;
    return held_record_create(h->folder, r, error, error_n);
}

int
hold_end(struct hold *h, struct hold_mail *m, const struct message *message, const char *queue,
         int64_t now_ms, char *error, size_t error_n)
{
    if (message->handed || !m->requested)
        return 0;
    snprintf(error, error_n, "out of memory");
    if (m->broken || !m->record)
        return -1;
    m->held = write_record(h, m->record, message, queue, now_ms, error, error_n) == 0;
    return m->held ? 1 : -1;
}

void
hold_undo(struct hold *h, struct hold_mail *m)
{
    char error[256];

    if (m->held)
        held_record_remove(h->folder, m->record->id, error, sizeof error);
    m->held = 0;
}
