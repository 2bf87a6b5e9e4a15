/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * access_figures: what role access counts on its page of the board, for status and
 * /metrics.
 */
#ifndef POSTROAD_ACCESS_FIGURES_H
#define POSTROAD_ACCESS_FIGURES_H

/* Words of the protocol; answers are counted at BOARD_ACCESS_ANSWERS. */
enum access_word {
    WORD_SESSION,
    WORD_RECORD,
    WORD_SHARE,
    WORD_QUOTA,
    WORD_RIGHTS,
    WORD_ALLOW,
    WORD_REPORT,
    WORD_WHO,
    WORD_OPENING,
    WORD_HELD,
    WORD_N
};

/* "session"… */
const char *access_word(enum access_word w);
/* The counter of a word answered with an enum access_verdict. */
#define ACCESS_COUNTER(word, verdict) (BOARD_ACCESS_ANSWERS + 3 * (int)(word) + (int)(verdict) + 1)

/* The time a question took, in microseconds: counted by the first of these it does not exceed. */
#define ACCESS_TIMES 6
static const unsigned access_times_us[ACCESS_TIMES - 1] = {50, 100, 250, 1000, 10000};

#endif
