/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * csv: comma-separated values (RFC 4180) as spreadsheets write and read them: any
 * one separator, CRLF or LF, quoted fields with line ends in them. Pure; works in
 * the caller's buffer.
 *
 * A field that a spreadsheet would take for a formula (= + - @ or a control
 * character first) is written with an apostrophe in front, and read without it.
 */
#ifndef POSTROAD_CSV_H
#define POSTROAD_CSV_H

#include <stddef.h>

#include "span.h"

/*
 * The next record of n bytes at s, which is all there is left. Its fields, without quotes, are made in
 * place: at most max into fields, *nfields_r says how many there are, even beyond max. An empty line
 * has none. Returns the bytes consumed; 0 when n is 0; -1 and *why_r, a fixed text: a quote inside a
 * field that has none around, text after a closing quote, a quote that is never closed, a NUL byte.
 */
long csv_record(char *s, size_t n, char separator, struct span fields[], size_t max,
                size_t *nfields_r, const char **why_r);

/* The one of , ; and tab that stands most often outside quotes in the first line. */
char csv_separator(const char *s, size_t n);

/* What is left of a field without the mark that kept it from being a formula. */
struct span csv_plain(struct span field);
/* The field as it is to be written, marked and quoted as need be, into out. The length, or -1: too long. */
long csv_field(struct span value, char separator, char *out, size_t cap);

#endif
