/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rows of t/tables/csv.tbl, and that what is written is read as the same: any
 * value, with any separator; and that nothing written begins like a formula.
 */
#include <stdlib.h>

#include "csv.h"
#include "tap.h"

#define FIELDS 8

/* \n \r \t \xNN; returns the length. */
static size_t
unescape(char *s)
{
    static const char letters[] = "nrt", bytes[] = "\n\r\t";
    char *out = s, *in = s;

    while (*in) {
        const char *letter = in[0] == '\\' && in[1] ? strchr(letters, in[1]) : NULL;
        unsigned byte;

        if (letter) {
            *out++ = bytes[letter - letters];
            in += 2;
        } else if (in[0] == '\\' && in[1] == 'x' && sscanf(in + 2, "%2x", &byte) == 1) {
            *out++ = (char)byte;
            in += 4;
        } else {
            *out++ = *in++;
        }
    }
    *out = '\0';
    return (size_t)(out - s);
}

/* The records as the table writes them. */
static void
describe(char *s, size_t n, char separator, char *out, size_t cap)
{
    struct span f[FIELDS];
    size_t fields, used = 0;
    const char *why;
    long got;

    out[0] = '\0';
    while ((got = csv_record(s, n, separator, f, FIELDS, &fields, &why)) != 0) {
        used += (size_t)snprintf(out + used, cap - used, "%s", used ? "/" : "");
        if (got < 0) {
            snprintf(out + used, cap - used, "bad: %s", why);
            return;
        }
        if (fields == 0)
            used += (size_t)snprintf(out + used, cap - used, "-");
        for (size_t i = 0; i < fields && i < FIELDS; i++) {
            struct span v = csv_plain(f[i]);

            used += (size_t)snprintf(out + used, cap - used, "[%.*s]", (int)v.n, v.p);
        }
        s += got;
        n -= (size_t)got;
    }
}

static void
check_row(int line, char *written, char *want, char *separator)
{
    char got[1024], what[64], *exact;
    size_t n = unescape(written);

    unescape(want);
    if (separator)
        unescape(separator);
    exact = malloc(n + 1); /* so that sanitizers see one byte too far */
    memcpy(exact, written, n);
    describe(exact, n, separator ? *separator : ',', got, sizeof got);
    snprintf(what, sizeof what, "csv.tbl line %d", line);
    is_str(got, want, what);
    free(exact);
}

static void
table(const char *path)
{
    FILE *f = fopen(path, "r");
    char row[1024];
    int line = 0;

    if (!ok(f != NULL, "%s is there", path))
        return;
    while (fgets(row, sizeof row, f)) {
        char *column[3] = {NULL}, *save = NULL;

        line++;
        row[strcspn(row, "\n")] = '\0';
        if (!*row || *row == '#')
            continue;
        column[0] = strtok_r(row, "\t", &save);
        column[1] = strtok_r(NULL, "\t", &save);
        column[2] = strtok_r(NULL, "\t", &save);
        check_row(line, column[0], column[1], column[2]);
    }
    fclose(f);
}

static void
round_trip(const char *value, char separator)
{
    char out[256], what[300];
    struct span f[2];
    size_t fields;
    const char *why;
    long n = csv_field(span_of(value), separator, out, sizeof out);
    int formula =
        n > 0 && (strchr("=+-@\t", out[0]) || (out[0] == '"' && strchr("=+-@\t", out[1])));

    snprintf(what, sizeof what, "written and read again: %s", value);
    ok(n >= 0 && !formula, "no formula: %s", value);
    if (n == 0) /* an empty line is no record */
        return;
    ok(csv_record(out, (size_t)n, separator, f, 2, &fields, &why) == n && fields == 1 &&
           span_same(csv_plain(f[0]), span_of(value)),
       "%s", what);
}

int
main(void)
{
    static const char *const values[] = {
        "",      "a", "a,b;c\td", "\"",  "a\"b\"", "=1",   "'=1",  "''", "'t x", " a ",  "a\r\nb",
        "+86 1", "-", "@x",       "'+-", "''''=x", "\t=x", "\x01", "陈", "'\"",  "=\",;"};
    static const char separators[] = ",;\t";
    struct span f[2];
    size_t fields;
    const char *why;
    char small[4], five[] = "a,b,c,d,e\n";

    table("t/tables/csv.tbl");
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        for (const char *s = separators; *s; s++)
            round_trip(values[i], *s);
    ok(csv_field(span_of("abc"), ',', small, sizeof small) == -1, "what does not fit is refused");
    ok(csv_record(five, strlen(five), ',', f, 2, &fields, &why) == 10 && fields == 5,
       "more fields than there is room for are counted");
    ok(csv_separator("a;b;c\n1,2,3,4,5", 15) == ';', "semicolons part the fields");
    ok(csv_separator("a,\"b;;;;\"\n", 10) == ',', "what is in quotes does not count");
    ok(csv_separator("a\tb", 3) == '\t', "tabs do");
    ok(csv_separator("address", 7) == ',', "one column: the comma");
    return tap_done();
}
