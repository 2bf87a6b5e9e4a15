/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * message: what is collected of one message while Postfix tells about it. Bounded: whatever
 * a sender sends, it takes at most MESSAGE_GROUPS times the size of a group.
 */
#ifndef POSTROAD_MESSAGE_H
#define POSTROAD_MESSAGE_H

#include "accounting_line.h"
#include "people.h"

#define MESSAGE_GROUPS 1024 /* Postfix takes 1,000 recipients; more of them share the last groups */

/* Recipients that go one way and are counted for one account. */
struct message_group {
    enum direction direction;
    struct person who;
    uint64_t recipients;
};

struct message {
    char login[ADDR_MAX + 1], sender[ADDR_MAX + 1];
    int handed, inside;
    struct person from; /* whom what he sends is counted for */
    uint64_t bytes, recipients;
    struct message_group *group; /* owned */
    unsigned n, room;
};

/*
 * A new message in place of the last. login: "" for none; sender: the envelope's, without angle brackets.
 * handed: another site hands it over; local: it comes from this machine or one of ours.
 */
void message_begin(struct message *m, struct people *p, const char *login, const char *sender,
                   int handed, int local);
/* Who a recipient is, and which way mail goes to him. */
struct message_way {
    enum direction direction;
    struct person to; /* verdict unsure: can't be told */
};
/* One more recipient. 0, or -1: no memory, and the message can't be counted. */
int message_recipient(struct message *m, struct people *p, const char *recipient,
                      struct message_way *way_r);
/* A header's name and value as Postfix gives them, and a part of the body: their bytes. */
void message_header(struct message *m, const char *name, const char *value);
void message_body(struct message *m, size_t n);
/* The records, in mail[MESSAGE_GROUPS]; how many. Spans point into m and queue. */
unsigned message_records(const struct message *m, const char *queue, struct accounting_mail *mail);
void message_free(struct message *m);

#endif
