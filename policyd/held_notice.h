/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_notice: the text of a notice to the sender of a held message, as it is sent (RFC 5322, MIME,
 * RFC 3834). Time is in the record and an argument; nothing is sent here.
 */
#ifndef POSTROAD_HELD_NOTICE_H
#define POSTROAD_HELD_NOTICE_H

#include "held_record.h"

#define HELD_NOTICE_MAX 32768

/*
 * end: what became of it (rejected, or expired), else that it is held. more: it is one of so many, of which
 * nothing was said yet; 0 or 1: it is about this one. contact: a sentence, "" for none.
 * Into out (HELD_NOTICE_MAX); its length, 0: the sender's address can't be written to.
 */
size_t held_notice_write(char out[HELD_NOTICE_MAX], const struct held_record *r, int end,
                         unsigned more, const char *contact, int64_t now_ms);

#endif
