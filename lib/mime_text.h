/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mime_text: a header's value with its encoded words (RFC 2047) and percent signs (RFC 2231) resolved. Pure:
 * who calls gives the function that knows charsets.
 */
#ifndef POSTROAD_MIME_TEXT_H
#define POSTROAD_MIME_TEXT_H

#include "span.h"

#define MIME_DOUBT_CHARSET 1 /* mail programs do not write it, or the text is not of it */
#define MIME_DOUBT_RAW     2 /* bytes that are neither ASCII nor UTF-8, of no charset at all */

#define MIME_RUN_MAX 4096 /* bytes of encoded words behind one another in one charset */

/* As charset_utf8. */
typedef long mime_charset(struct span charset, struct span in, char *out, size_t cap);

/*
 * Into out[cap]; its length, or -1: it does not fit. Encoded words are found anywhere, also inside quotes. What can't
 * be told stays as it is, and sets bits MIME_DOUBT_ in *doubt_r.
 */
long mime_text(char *out, size_t cap, struct span in, mime_charset *charset, int *doubt_r);
/* %XX resolved, in place of nothing else, into out[in.n]; its length. */
size_t mime_percent(char *out, struct span in);

#endif
