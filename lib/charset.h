/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * charset: text in the charsets that mail is written in, as UTF-8.
 */
#ifndef POSTROAD_CHARSET_H
#define POSTROAD_CHARSET_H

#include "span.h"

/*
 * Into out[cap]; how many bytes, or -1: the charset is none of those, the text is not of it, or it does not
 * fit. An empty name is US-ASCII. Any thread may call.
 */
long charset_utf8(struct span charset, struct span in, char *out, size_t cap);

#endif
