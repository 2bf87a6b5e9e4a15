/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * plain_text: what a stranger wrote, as text that can be shown on a terminal and put into JSON or a
 * directory: valid UTF-8 without control characters. Pure.
 */
#ifndef POSTROAD_PLAIN_TEXT_H
#define POSTROAD_PLAIN_TEXT_H

#include "span.h"

/*
 * Into out[cap], NUL-terminated, cut before the first character that does not fit; its length. Bytes that are no
 * UTF-8 become "?"; control characters, line separators and what turns the direction of writing become
 * blanks, and of several blanks one is left; none at either end.
 */
size_t plain_text(char *out, size_t cap, struct span in);

#endif
