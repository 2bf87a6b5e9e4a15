/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * import_read: from the bytes of a CSV file to lines with a person each.
 *
 * What can't be a table of people (another encoding than UTF-8, a column nobody
 * knows, a quote that never ends) refuses the file as a whole, before anything is
 * asked or changed: nobody can say what such a line meant. A value that makes no
 * sense refuses its line.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "attrs_text.h"
#include "csv.h"
#include "import.h"

#define FILE_MAX    (256u << 20)
#define COLUMNS_MAX 64
#define PASSWORD    USER_FIELDS       /* columns that are no field of a person */
#define IGNORED     (USER_FIELDS + 1) /* its heading is empty, and so must be what is below */

struct table {
    struct import *im;
    char *text; /* the whole file */
    char *at;
    size_t left;
    unsigned line;
    char separator;
    int column[COLUMNS_MAX]; /* enum user_field, PASSWORD or IGNORED */
    size_t ncolumns;
};

void
import_refuse(struct import_line *l, const char *fmt, ...)
{
    va_list ap;

    if (l->fate != FATE_OPEN)
        return;
    l->fate = FATE_REFUSED;
    va_start(ap, fmt);
    if (vasprintf(&l->why, fmt, ap) < 0)
        l->why = NULL;
    va_end(ap);
}

void
import_free(struct import *im)
{
    for (size_t i = 0; i < im->n; i++) {
        struct import_line *l = &im->lines[i];

        user_clear(&l->u);
        if (l->password)
            explicit_bzero(l->password, strlen(l->password));
        free(l->password);
        free(l->why);
        free(l->dn);
        free(l->there_dn);
    }
    free(im->lines);
    im->lines = NULL;
    im->n = 0;
}

/* --- the file --- */

static int
bad_file(const struct table *t, unsigned line, const char *fmt, ...)
{
    char why[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    return ctl_fail(t->im->ctl, CTL_USAGE, "%s:%u: %s\n  Nothing was done.", t->im->file, line,
                    why);
}

static int
slurp(struct table *t)
{
    FILE *f = strcmp(t->im->file, "-") == 0 ? stdin : fopen(t->im->file, "re");
    size_t cap = 0, got = 1;

    while (f && got > 0 && t->left <= FILE_MAX) {
        if (t->left == cap) {
            char *more = realloc(t->text, (cap = cap ? cap * 2 : 65536) + 1);

            if (!more)
                break;
            t->text = more;
        }
        got = fread(t->text + t->left, 1, cap - t->left, f);
        t->left += got;
    }
    t->at = t->text;
    if (f && got == 0 && !ferror(f) && t->left <= FILE_MAX) {
        if (f != stdin)
            fclose(f);
        return CTL_DONE;
    }
    ctl_fail(t->im->ctl, CTL_USAGE, "%s: %s", t->im->file,
             t->left > FILE_MAX ? "more than 256 MiB" : strerror(errno));
    if (f && f != stdin)
        fclose(f);
    return CTL_USAGE;
}

/* Another encoding is told by its first bytes, or by the first byte that can't be UTF-8. */
static int
check_encoding(struct table *t)
{
    struct span rest;
    size_t n;

    if (t->left >= 2 && (memcmp(t->at, "\xff\xfe", 2) == 0 || memcmp(t->at, "\xfe\xff", 2) == 0))
        return bad_file(t, 1, "this is UTF-16: save it as \"CSV UTF-8\"");
    if (t->left >= 3 && memcmp(t->at, "\xef\xbb\xbf", 3) == 0) {
        t->at += 3;
        t->left -= 3;
    }
    rest = (struct span){t->at, t->left};
    for (unsigned line = 1; rest.n > 0; rest.p += n, rest.n -= n) {
        line += *rest.p == '\n';
        if (!(n = text_utf8(rest)))
            return bad_file(t, line, "this is no UTF-8: save it as \"CSV UTF-8\"");
    }
    return CTL_DONE;
}

static unsigned
newlines(const char *s, size_t n)
{
    unsigned lines = 0;

    for (size_t i = 0; i < n; i++)
        lines += s[i] == '\n' || (s[i] == '\r' && (i + 1 == n || s[i + 1] != '\n'));
    return lines;
}

/* One record, counted in lines. 1, 0 the end, -1 after saying why. */
static int
record(struct table *t, struct span f[COLUMNS_MAX], size_t *n, unsigned *line_r)
{
    const char *why;
    long got = csv_record(t->at, t->left, t->separator, f, COLUMNS_MAX, n, &why);

    *line_r = t->line;
    if (got < 0)
        bad_file(t, t->line, "in the record that begins here, %s", why);
    if (got <= 0)
        return got < 0 ? -1 : 0;
    t->at += got;
    t->left -= (size_t)got;
    t->line++;
    for (size_t i = 0; i < *n && i < COLUMNS_MAX; i++)
        t->line += newlines(f[i].p, f[i].n);
    return 1;
}

/* --- the heading --- */

static int
bad_column(const struct table *t, struct span name)
{
    char known[512] = "";
    size_t n = 0;

    for (int f = 0; f < USER_FIELDS; f++)
        n += (size_t)snprintf(known + n, sizeof known - n, "%s ",
                              user_field_name((enum user_field)f));
    snprintf(known + n, sizeof known - n, "password");
    return bad_file(t, 1, "\"%.*s\" is no column I know, which are: %s",
                    (int)(name.n < 60 ? name.n : 60), name.p, known);
}

static int
heading(struct table *t)
{
    struct span f[COLUMNS_MAX];
    unsigned line;
    int got = record(t, f, &t->ncolumns, &line), has_address = 0;

    if (got < 0)
        return CTL_USAGE;
    if (got == 0 || t->ncolumns == 0)
        return bad_file(t, 1, "the first line must name the columns: address,name,department");
    if (t->ncolumns > COLUMNS_MAX)
        return bad_file(t, 1, "more than %d columns", COLUMNS_MAX);
    for (size_t i = 0; i < t->ncolumns; i++) {
        while (f[i].n > 0 && f[i].p[0] == ' ')
            f[i].p++, f[i].n--;
        while (f[i].n > 0 && f[i].p[f[i].n - 1] == ' ')
            f[i].n--;
        t->column[i] = f[i].n == 0 ? IGNORED : user_field_find(f[i].p, f[i].n);
        if (f[i].n == 8 && strncasecmp(f[i].p, "password", 8) == 0)
            t->column[i] = PASSWORD;
        if (t->column[i] < 0)
            return bad_column(t, f[i]);
        for (size_t j = 0; j < i; j++)
            if (t->column[j] == t->column[i] && t->column[i] != IGNORED)
                return bad_file(t, 1, "column \"%.*s\" is there twice", (int)f[i].n, f[i].p);
        has_address |= t->column[i] == USER_ADDRESS;
    }
    return has_address ? CTL_DONE : bad_file(t, 1, "there is no column \"address\"");
}

/* --- the lines --- */

static struct import_line *
new_line(struct import *im, unsigned number)
{
    struct import_line *l;

    if (im->n == im->cap) {
        size_t cap = im->cap ? im->cap * 2 : 256;

        if (!(l = realloc(im->lines, cap * sizeof *l)))
            return NULL;
        im->lines = l;
        im->cap = cap;
    }
    l = &im->lines[im->n++];
    memset(l, 0, sizeof *l);
    l->line = number;
    return l;
}

/* Several values in one field: parted by blanks, commas, semicolons or line ends, not inside quotes. */
static void
set_several(struct import_line *l, enum user_field f, struct span v)
{
    char error[640];
    int in_quotes = 0;
    size_t start = 0;

    for (size_t i = 0; i <= v.n; i++) {
        int part = i == v.n || (!in_quotes && strchr(" ,;\t\r\n", v.p[i]));

        if (!part) {
            in_quotes ^= v.p[i] == '"';
            continue;
        }
        if (i > start && user_set(&l->u, f, v.p + start, i - start, error, sizeof error) < 0)
            import_refuse(l, "%s", error);
        start = i + 1;
    }
}

static void
set_value(struct import_line *l, int column, struct span v)
{
    char error[640];

    if (column == IGNORED && v.n > 0)
        import_refuse(l, "there is a value in a column without a heading");
    else if (v.n == 0 || column == IGNORED)
        return;
    else if (column == PASSWORD && v.n > 1024)
        import_refuse(l, "password: is longer than 1024 bytes");
    else if (column == PASSWORD)
        l->password = strndup(v.p, v.n);
    else if (user_field_many((enum user_field)column))
        set_several(l, (enum user_field)column, v);
    else if (user_set(&l->u, (enum user_field)column, v.p, v.n, error, sizeof error) < 0)
        import_refuse(l, "%s", error);
}

static int
lines(struct table *t)
{
    struct span f[COLUMNS_MAX];
    struct import_line *l;
    unsigned number;
    size_t n;
    int got;

    while ((got = record(t, f, &n, &number)) > 0) {
        if (n == 0)
            continue;
        if (!(l = new_line(t->im, number)))
            return ctl_fail(t->im->ctl, CTL_TEMPORARY, "no memory");
        if (n != t->ncolumns)
            import_refuse(l, "has %zu fields, the heading %zu", n, t->ncolumns);
        for (size_t i = 0; i < n && i < t->ncolumns; i++)
            set_value(l, t->column[i], t->column[i] == PASSWORD ? f[i] : csv_plain(f[i]));
        if (!l->u.value[USER_ADDRESS])
            import_refuse(l, "address: is missing");
    }
    return got == 0 ? CTL_DONE : CTL_USAGE;
}

int
import_read(struct import *im)
{
    struct table t = {.im = im, .line = 1};
    size_t all;
    int code = slurp(&t);

    all = t.left;
    if (code == CTL_DONE)
        code = check_encoding(&t);
    if (code == CTL_DONE) {
        t.separator = csv_separator(t.at, t.left);
        code = heading(&t);
    }
    if (code == CTL_DONE)
        code = lines(&t);
    if (t.text)
        explicit_bzero(t.text, all); /* there may be passwords in it */
    free(t.text);
    return code;
}
