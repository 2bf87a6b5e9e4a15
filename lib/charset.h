/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * charset: text of any charset the C library knows, as UTF-8.
 */
#ifndef POSTROAD_CHARSET_H
#define POSTROAD_CHARSET_H

#include "span.h"

/*
 * Into out[cap]; how many bytes, or -1: nobody knows the charset, the text is not of it, or it does not fit. An
 * empty name is US-ASCII. Any thread may call.
 */
long charset_utf8(struct span charset, struct span in, char *out, size_t cap);

#endif
