/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mime_names: the names that the value of a Content-Type or Content-Disposition header may give a file, as one or
 * the other mail program reads it: RFC 2045, RFC 2231 and what is seen besides. Pure.
 */
#ifndef POSTROAD_MIME_NAMES_H
#define POSTROAD_MIME_NAMES_H

#include "mime_text.h"

#define MIME_NAME_MAX 2048 /* bytes of a name in UTF-8 */

/* Who is told of what was found. */
struct mime_sink {
    void *ctx;
    mime_charset *charset;
    /* A name; best: it is the one to show to people. Valid inside. */
    void (*name)(void *ctx, struct span name, int best);
    /* There may be a name that can't be told; why is a fixed string. */
    void (*doubt)(void *ctx, const char *why);
};

void mime_names(const struct mime_sink *sink, struct span value);

#endif
