/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table: how a C test reads one of t/tables. Lines that are empty or begin with # are for the reader.
 * A table that is not there, has no rows or too long ones is a failure.
 */
#ifndef POSTROAD_TABLE_H
#define POSTROAD_TABLE_H

#include <ctype.h>

#include "tap.h"

#define TABLE_LINE 1024

static inline char *
table_trim(char *s)
{
    char *end = s + strlen(s);

    while (isspace((unsigned char)*s))
        s++;
    while (end > s && isspace((unsigned char)end[-1]))
        *--end = '\0';
    return s;
}

/* The n columns of a row, between bars: 1, or 0 when it has more or less. */
static inline int
table_columns(char *row, char *column[], int n)
{
    for (int i = 0; i < n; i++) {
        char *bar = strchr(row, '|');

        if ((bar == NULL) != (i == n - 1))
            return 0;
        if (bar)
            *bar = '\0';
        column[i] = table_trim(row);
        row = bar + 1;
    }
    return 1;
}

static int table_number; /* of the line that is read */

/* Call row for each: how many there were. */
static inline int
table_each(const char *path, void (*row)(char *line))
{
    FILE *in = fopen(path, "r");
    char line[TABLE_LINE];
    int rows = 0;

    table_number = 0;
    while (in && fgets(line, sizeof line, in)) {
        table_number++;
        if (!strchr(line, '\n'))
            ok(0, "%s line %d: too long, or without an end", path, table_number);
        line[strcspn(line, "\n")] = '\0';
        if (*line == '\0' || *line == '#')
            continue;
        row(line);
        rows++;
    }
    if (in)
        fclose(in);
    ok(rows > 0, "%s has %d rows", path, rows);
    return rows;
}

#endif
