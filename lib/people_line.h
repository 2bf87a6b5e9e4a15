/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * people_line: who an address belongs to, asked of a process of another user: what people.h knows, over a
 * socket pair. One question at a time, one answer; all of fixed size.
 *
 * So a process that reads strangers' bytes need not have the mirror within reach: a reader of LMDB writes
 * to the lock file, which all of policyd trusts.
 */
#ifndef POSTROAD_PEOPLE_LINE_H
#define POSTROAD_PEOPLE_LINE_H

#include "people.h"

#define PEOPLE_TEXT 1024 /* bytes of a question; a longer one asks for nobody */

enum people_asks { PEOPLE_FIND, PEOPLE_MEMBERS, PEOPLE_DOMAIN, PEOPLE_ACTIONS };

struct people_question {
    uint64_t number;
    int64_t most;
    uint32_t what, n;
    char text[PEOPLE_TEXT];
};

struct people_answer {
    uint64_t number; /* the question's */
    int64_t rc;
    union {
        struct person person;
        struct people_domain domain;
    } is;
};

/* A pair of sockets for the two ends: 0, or -1 and errno. */
int people_line(int ends_r[2]);

/* Answer out of p until the other end is closed. 0; -1 and errno: it broke. */
int people_serve(struct people *p, int fd);

/*
 * Ask text; number is the caller's count, and other threads are to be kept out. 0, or -1: no answer, or none
 * within patience_ms.
 */
int people_line_ask(int fd, uint64_t *number, int64_t patience_ms, enum people_asks what,
                    struct span text, int64_t most, struct people_answer *out);

#endif
