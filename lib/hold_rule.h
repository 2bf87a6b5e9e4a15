/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hold_rule: one rule of milter.moderate, "NAME: CONDITION CONDITION ... OPTION ...", as
 * postroad-milter(8) describes it under Moderation, and its conditions one by one. Pure.
 */
#ifndef POSTROAD_HOLD_RULE_H
#define POSTROAD_HOLD_RULE_H

#include <stdint.h>

#include "direction.h"
#include "guard_send.h"
#include "held_words.h"
#include "named.h"

#define HOLD_NAME     65   /* bytes, with NUL */
#define HOLD_TEXT     512  /* of a rule's conditions, with NUL */
#define HOLD_WHO      8    /* values of from=, of to= */
#define HOLD_WORDS    1024 /* bytes of all words of subject=, of attachment=, folded */
#define HOLD_EXPIRE_S (365LL * 86400)

struct hold_rule {
    char name[HOLD_NAME], text[HOLD_TEXT]; /* text: the conditions as written */
    struct named from[HOLD_WHO], to[HOLD_WHO];
    unsigned froms, tos;         /* 0: not asked */
    unsigned directions;         /* bits 1 << enum direction; 0: not asked */
    int64_t members, size;       /* more than so many; -1: not asked */
    char subject[HOLD_WORDS];    /* words, each with its NUL, "" at the end; so folded */
    char attachment[HOLD_WORDS]; /* types likewise, without dot; "*": any */
    int64_t expire_s;            /* 0: as milter.moderate_expire says */
    enum held_on_expire on_expire;
};

/* 0, or -1 and error: what is wrong, naming the rule and the part of it. */
int hold_rule_parse(struct hold_rule *r, const char *text, char *error, size_t error_n);
/* "90s", "15m", "12h", "5d", "2w" as seconds, at most HOLD_EXPIRE_S; -1: it is none, or 0. */
int64_t hold_duration(struct span text);

/* Somebody of whom the directory says who he is. */
struct hold_person {
    int unsure;                                /* it can't be asked: the rest is "" */
    const char *account, *domain, *department; /* of one outside: his address and its domain */
};
struct hold_recipient {
    struct hold_person who;
    enum direction direction;
    int is_list;
    int64_t members; /* of the list; -1: can't be told */
};

/* Whether it is sent by somebody the rule names. outside: nobody of ours has sent it, whatever it says. */
enum guard_known hold_rule_sender(const struct hold_rule *r, const struct hold_person *from,
                                  int outside);
/* Whether all that the rule says of recipients holds for this one. */
enum guard_known hold_rule_recipient(const struct hold_rule *r, const struct hold_recipient *to);
int hold_rule_asks_recipient(const struct hold_rule *r);
/* Whether it is meant by the rule as this list, not as a part of a department or domain. */
int hold_rule_means_list(const struct hold_rule *r, const struct hold_recipient *to);
/* Whether the file's name, as a sender wrote it, is of a type that the rule names. */
int hold_rule_attachment(const struct hold_rule *r, struct span name);
/* Whether a word of the rule is in the subject, which fold_text has made. */
int hold_rule_subject(const struct hold_rule *r, struct span folded);

#endif
