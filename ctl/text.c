/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * text: output for people, see text.h.
 *
 * Promises: whatever the directory holds, a terminal only ever gets printable
 * characters; alignment is by columns, not bytes. Needs no locale, so that it
 * looks the same from cron and over ssh.
 */
#include <stdlib.h>
#include <string.h>

#include "text.h"

/* One character at s: its bytes, 0 at the end, -1 when it is not UTF-8; *cp its number. */
static int
decode(const char *s, unsigned *cp)
{
    const unsigned char *u = (const unsigned char *)s;
    static const unsigned min[] = {0, 0, 0x80, 0x800, 0x10000};
    int n = u[0] < 0x80 ? 1 : (u[0] & 0xe0) == 0xc0 ? 2 : (u[0] & 0xf0) == 0xe0 ? 3 : 4;

    if (u[0] == 0)
        return 0;
    if (n == 4 && (u[0] & 0xf8) != 0xf0)
        return -1;
    *cp = n == 1 ? u[0] : u[0] & (0xffu >> (n + 1));
    for (int i = 1; i < n; i++) {
        if ((u[i] & 0xc0) != 0x80)
            return -1;
        *cp = *cp << 6 | (u[i] & 0x3f);
    }
    return *cp < min[n] || *cp > 0x10ffff || (*cp & ~0x7ffu) == 0xd800 ? -1 : n;
}

struct range {
    unsigned from, to;
};

static int
within(const struct range *r, size_t n, unsigned cp)
{
    for (size_t i = 0; i < n; i++)
        if (cp >= r[i].from && cp <= r[i].to)
            return 1;
    return 0;
}

/* C0 and C1 controls, and the marks that turn the direction of writing. */
static int
is_control(unsigned cp)
{
    static const struct range r[] = {
        {0, 0x1f}, {0x7f, 0x9f}, {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2066, 0x2069}};

    return within(r, sizeof r / sizeof *r, cp);
}

/* Blocks of Unicode's EastAsianWidth W and F that occur in names; rare scripts may be off by one. */
static int
is_wide(unsigned cp)
{
    static const struct range r[] = {{0x1100, 0x115f},   {0x2e80, 0x303e},  {0x3041, 0xa4cf},
                                     {0xac00, 0xd7a3},   {0xf900, 0xfaff},  {0xfe30, 0xfe6f},
                                     {0xff01, 0xff60},   {0xffe0, 0xffe6},  {0x1f300, 0x1f64f},
                                     {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}};

    return within(r, sizeof r / sizeof *r, cp);
}

static int
is_combining(unsigned cp)
{
    static const struct range r[] = {{0x300, 0x36f}, {0x200b, 0x200d}, {0xfe00, 0xfe0f}};

    return within(r, sizeof r / sizeof *r, cp);
}

size_t
text_width(const char *s)
{
    size_t width = 0;
    unsigned cp;
    int n;

    for (; (n = decode(s, &cp)) != 0; s += n < 0 ? 1 : n)
        width += n < 0 || is_control(cp) ? 1 : is_combining(cp) ? 0 : is_wide(cp) ? 2 : 1;
    return width;
}

void
text_put(FILE *f, const char *s)
{
    unsigned cp;
    int n;

    for (; (n = decode(s, &cp)) != 0; s += n < 0 ? 1 : n)
        if (n < 0 || is_control(cp))
            fputc('?', f);
        else
            fwrite(s, 1, (size_t)n, f);
}

static void
blanks(FILE *f, size_t n)
{
    while (n-- > 0)
        fputc(' ', f);
}

void
text_pad(FILE *f, const char *s, size_t width)
{
    size_t w = text_width(s);

    text_put(f, s);
    blanks(f, w < width ? width - w : 0);
}

const char *
text_age(double seconds, char out[32])
{
    if (seconds < 60)
        snprintf(out, 32, "%.1f s", seconds);
    else if (seconds < 120 * 60)
        snprintf(out, 32, "%.0f min", seconds / 60);
    else if (seconds < 48 * 3600)
        snprintf(out, 32, "%.0f h", seconds / 3600);
    else
        snprintf(out, 32, "%.0f days", seconds / 86400);
    return out;
}

const char *
text_bytes(double n, char out[32])
{
    static const char *const unit[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    int u = 0;

    for (; n >= 1024 && u < 4; u++)
        n /= 1024;
    snprintf(out, 32, u == 0 || n >= 100 ? "%.0f %s" : "%.1f %s", n, unit[u]);
    return out;
}

int
text_row(struct text_table *t, const char *const cells[])
{
    char **cell = reallocarray(t->cell, (t->rows + 1) * t->columns, sizeof *cell);

    if (!cell)
        return -1;
    t->cell = cell;
    cell += t->rows++ * t->columns;
    for (size_t i = 0; i < t->columns; i++)
        cell[i] = strdup(cells[i] ? cells[i] : "");
    return 0;
}

static void
print_cell(const struct text_table *t, size_t col, const char *s, size_t width)
{
    size_t w = text_width(s);

    if (t->right && t->right[col] == 'r') {
        blanks(stdout, w < width ? width - w : 0);
        text_put(stdout, s);
    } else if (col + 1 == t->columns) {
        text_put(stdout, s);
    } else {
        text_pad(stdout, s, width);
    }
}

void
text_table_drop(struct text_table *t)
{
    for (size_t i = 0; i < t->rows * t->columns; i++)
        free(t->cell[i]);
    free(t->cell);
    t->cell = NULL;
    t->rows = 0;
}

void
text_table_end(struct text_table *t, size_t indent)
{
    size_t width[TEXT_COLUMNS] = {0};

    for (size_t i = 0; i < t->rows * t->columns; i++) {
        size_t w = t->cell[i] ? text_width(t->cell[i]) : 0;

        if (w > width[i % t->columns])
            width[i % t->columns] = w;
    }
    for (size_t i = 0; i < t->rows * t->columns; i++) {
        size_t col = i % t->columns;

        blanks(stdout, col == 0 ? indent : 2);
        print_cell(t, col, t->cell[i] ? t->cell[i] : "", width[col]);
        if (col + 1 == t->columns)
            fputc('\n', stdout);
    }
    text_table_drop(t);
}
