/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fold_text: text in the form in which words are looked for in it: what looks the same to a reader, or nearly
 * so, is the same. Pure.
 */
#ifndef POSTROAD_FOLD_TEXT_H
#define POSTROAD_FOLD_TEXT_H

#include "span.h"

/*
 * Into out[cap], NUL-terminated; its length, or -1: it does not fit. Without case, compatible characters as one
 * (full-width letters, ligatures), accents apart; invisible characters are left out; blanks, control
 * characters and line ends are one blank; bytes that are no UTF-8 stay.
 */
long fold_text(char *out, size_t cap, struct span in);

#endif
