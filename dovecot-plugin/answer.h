/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * answer: what policyd said, taken apart. A line is fields between TABs, escaped as Dovecot's
 * str_tabescape() does; the first is the word, the others are key=value.
 */
#ifndef POSTROAD_ANSWER_H
#define POSTROAD_ANSWER_H

enum answer_word { ANSWER_GARBAGE, ANSWER_YES, ANSWER_NO, ANSWER_UNSURE, ANSWER_OK, ANSWER_ERROR };

enum answer_mode { MODE_NONE, MODE_OWNER, MODE_READ, MODE_WRITE };

/* Functions withheld from the owner that mean something here. */
enum withheld {
    WITHHELD_CREATE_FOLDER = 0x01,
    WITHHELD_EXPUNGE = 0x02,
    WITHHELD_SHARE = 0x04,
    WITHHELD_FORWARD = 0x08,
};

struct answer {
    enum answer_word word;
    enum answer_mode mode;
    enum withheld withheld;
    const char *rule, *why, *text; /* "" when not said; fit for logs and clients */
    const char *actor, *target;    /* as the directory names them, or NULL */
    const char *quota;             /* digits, or NULL */
};

/* Everything points into the data stack. A yes of a session without a mode is garbage. */
void answer_parse(const char *line, struct answer *answer_r);

#endif
