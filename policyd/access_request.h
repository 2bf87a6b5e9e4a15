/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * access_request: one request at the access socket, what it holds, and its answer while
 * it is being written. For the files that answer words.
 */
#ifndef POSTROAD_ACCESS_REQUEST_H
#define POSTROAD_ACCESS_REQUEST_H

#include "access.h"

/* A request at hand. */
struct request {
    struct access *access;
    struct access_conn *conn;
    const struct tabline *line;
    struct tabline_out out;
    const char *bad; /* it makes no sense: why */
    enum access_word word;
    int verdict; /* enum access_verdict, to be counted */
};

/* A field; empty when it is not there. needed: then the request is bad. */
struct span request_field(const struct request *r, const char *key);
struct span request_needed(struct request *r, const char *key);

/* Begin the answer, and add to it; an empty text adds nothing. */
void request_say(struct request *r, const char *word);
void request_text(struct request *r, const char *key, const char *text);
void request_number(struct request *r, const char *key, long long n);
/* Whole answers, which more can be added to. They also set the verdict. */
void request_ok(struct request *r);
void request_unsure(struct request *r, const char *why);
void request_no(struct request *r, int rule, const char *why, const char *text);

/* access_opening.c: the word opening. */
void access_opening_word(struct request *r);
/* access_held.c: the word held. */
void access_held_word(struct request *r);

#endif
