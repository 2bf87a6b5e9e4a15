/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_words: what becomes of held messages, in the words of records, rules and tools. Pure.
 */
#ifndef POSTROAD_HELD_WORDS_H
#define POSTROAD_HELD_WORDS_H

enum held_state { HELD_HELD, HELD_APPROVED, HELD_REJECTED, HELD_EXPIRED, HELD_GONE, HELD_FAILED };
enum held_on_expire { HELD_EXPIRE_REJECT, HELD_EXPIRE_APPROVE, HELD_EXPIRE_KEEP };

/* "held", "approved", …; "reject", "approve", "keep". Back: -1 for no such word. */
const char *held_state_word(enum held_state s);
int held_state_find(const char *word);
const char *held_on_expire_word(enum held_on_expire e);
int held_on_expire_find(const char *word);

#endif
