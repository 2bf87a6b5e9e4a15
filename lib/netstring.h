/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netstring: "LENGTH:BYTES," (D. J. Bernstein, netstrings, 1997), the framing of
 * Postfix's socketmap (socketmap_table(5)). Takes bytes, never reads.
 */
#ifndef POSTROAD_NETSTRING_H
#define POSTROAD_NETSTRING_H

#include <stddef.h>

#include "span.h"

#define NETSTRING_HEAD_MAX 12 /* digits and colon we write or accept */

/*
 * Look at the first n bytes of buf. >0: that many bytes were one netstring and
 * *payload points at its content inside buf; 0: more bytes are needed; -1: no
 * netstring (no digit first, leading zero, length over max, no comma). Never
 * needs more than the head to refuse a length over max.
 */
long netstring_parse(const char *buf, size_t n, size_t max, struct span *payload);

/* Write the head "LEN:" to out (NETSTRING_HEAD_MAX bytes); returns its length, 0 when len has over 11 digits. */
size_t netstring_head(size_t len, char *out);

#endif
