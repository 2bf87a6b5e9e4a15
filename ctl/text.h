/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * text: what people read: columns that stay aligned with Chinese names in them,
 * durations and sizes in words, nothing that could steer the terminal.
 */
#ifndef POSTROAD_TEXT_H
#define POSTROAD_TEXT_H

#include <stddef.h>
#include <stdio.h>

/* Columns s takes on a terminal: wide characters count two, combining ones none. */
size_t text_width(const char *s);
/* Print s, control characters and broken UTF-8 as '?'. */
void text_put(FILE *f, const char *s);
/* The same, filled up with blanks to width columns. */
void text_pad(FILE *f, const char *s, size_t width);

/* "0.3 s", "4 min", "3 h", "12 days": into out, returned. */
const char *text_age(double seconds, char out[32]);
/* "1.5 MiB" */
const char *text_bytes(double n, char out[32]);

/* A table: rows of cells, first row the heading; the last column is not padded. */
#define TEXT_COLUMNS 8
struct text_table {
    size_t columns, rows;
    char **cell;       /* rows * columns, owned */
    const char *right; /* one character a column, 'r': align right */
};
/* Add a row of t->columns strings; they are copied. 0, or -1 without memory. */
int text_row(struct text_table *t, const char *const cells[]);
/* Print it, each line after indent blanks, and empty it. */
void text_table_end(struct text_table *t, size_t indent);
/* Empty it without printing; nothing happens when it is empty. */
void text_table_drop(struct text_table *t);

#endif
