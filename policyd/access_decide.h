/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * access_decide: whether somebody may open a mailbox by some service, out of the mirror.
 * What the socket of the Dovecot plugin, the login and `postroad lookup access` share.
 */
#ifndef POSTROAD_ACCESS_DECIDE_H
#define POSTROAD_ACCESS_DECIDE_H

#include "rights_ask.h"

enum access_verdict { ACCESS_UNSURE = -1, ACCESS_NO = 0, ACCESS_YES = 1 };
enum access_mode { ACCESS_OWNER, ACCESS_READ, ACCESS_WRITE };

#define ACCESS_TEXT 1024

struct access_question {
    struct span actor, target; /* names as Dovecot has them, in any form rights_find knows */
    struct span service; /* imap, pop3, submission or smtp, sieve; another one is let the least */
};

struct access_answer {
    enum access_verdict verdict;
    enum access_mode mode; /* of yes */
    int own;               /* actor and target are one and the same account */
    int rule;              /* of postroad-rights(7); 0: none of them decided */
    const char *why;       /* fixed words */
    unsigned withheld;     /* from the target: bit i is word i of attrs_deny_words */
    char actor[ADDR_MAX + 1],
        target[ADDR_MAX + 1]; /* primary addresses; as asked, when not known */
    char quota[24];           /* bytes, "" none */
    char text[ACCESS_TEXT];   /* of no: for people, printable ASCII */
};

/*
 * Between maps_begin and maps_end. age_ms: see rights_ask. work is large, and overwritten. A mirror
 * of any age decides about one's own mailbox; why says so.
 */
void access_decide(const struct conf *conf, struct mirror *m, int64_t age_ms,
                   const struct access_question *q, struct rights_answer *work,
                   struct access_answer *out);
/* For who has no mirror: unsure, with the names as asked. */
void access_unsure(const struct access_question *q, const char *why, struct access_answer *out);

/* "yes", "no", "unsure"; "owner", "read", "write". */
const char *access_verdict_word(enum access_verdict v);
const char *access_mode_word(enum access_mode m);
/* The withheld functions, commas between them, into out (cap >= 128); its length. */
size_t access_withheld_words(unsigned withheld, char *out, size_t cap);
/* Whether a function of this name is withheld. */
int access_is_withheld(unsigned withheld, const char *function);

#endif
