/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * from_header: the rows of t/tables/from.tbl, and what a table can't show: that it is bounded,
 * and finds a domain wherever it stands.
 */
#include <stdlib.h>

#include "from_header.h"
#include "table.h"

/* Undo \xNN in place; returns the length. Other backslashes stay. */
static size_t
unescape(char *s)
{
    char *out = s, *in = s;

    while (*in) {
        unsigned byte;

        if (in[0] == '\\' && in[1] == 'x' && sscanf(in + 2, "%2x", &byte) == 1) {
            *out++ = (char)byte;
            in += 4;
        } else {
            *out++ = *in++;
        }
    }
    return (size_t)(out - s);
}

static const char *
list(const struct from_header *f, enum from_place place)
{
    static char text[2][4096];
    char *out = text[place];

    *out = '\0';
    for (unsigned i = 0; i < f->n; i++)
        if (f->domain[i].place == place)
            snprintf(out + strlen(out), 4096 - strlen(out), "%s%s", *out ? " " : "",
                     f->domain[i].name);
    return *out ? out : "-";
}

static void
row(char *text)
{
    char *bar = strstr(text, " | "), *second = bar ? strstr(bar + 3, " | ") : NULL, what[64];
    struct from_header f;

    snprintf(what, sizeof what, "from.tbl line %d", table_number);
    if (!second) {
        ok(0, "%s: unreadable", what);
        return;
    }
    *bar = *second = '\0';
    from_header_begin(&f);
    text = table_trim(text);
    while (text && strcmp(text, "(none)") != 0) {
        char *next = strstr(text, " // ");

        if (next)
            *next = '\0';
        from_header_add(&f, text, unescape(text));
        text = next ? next + 4 : NULL;
    }
    is_str(list(&f, FROM_ADDRESS), table_trim(bar + 3), what);
    is_str(list(&f, FROM_TEXT), table_trim(second + 3), "  in text");
    is_int(f.more, 0, "  all of it");
}

/* n times what, then last. */
static struct from_header
many(const char *what, unsigned n, const char *last)
{
    size_t len = strlen(what), size = n * len + strlen(last);
    char *text = malloc(size + 1);
    struct from_header f;

    for (unsigned i = 0; i < n; i++)
        memcpy(text + i * len, what, len);
    memcpy(text + n * len, last, strlen(last));
    from_header_begin(&f);
    from_header_add(&f, text, size);
    free(text);
    return f;
}

static void
test_bounds(void)
{
    static char large[10 << 20];
    char text[64];
    struct from_header f = many("a@one.example, ", 1000, "b@corp.example");

    is_str(list(&f, FROM_ADDRESS), "one.example corp.example", "a thousand authors of one domain");
    is_int(f.more, 0, "are not too many");
    f = many("a@one.example <b@two.example>,", 500, "b@corp.example");
    is_str(list(&f, FROM_ADDRESS), "two.example corp.example", "nor with names like addresses");
    is_str(list(&f, FROM_TEXT), "one.example", "which are told apart");
    f = many("(", 16000, "b@corp.example");
    is_str(list(&f, FROM_ADDRESS), "corp.example", "comments that never end");
    f = many("=?a?q?", 2600, "b@corp.example");
    is_str(list(&f, FROM_ADDRESS), "corp.example", "encoded words that never do");
    f = many("\\\"(", 5000, "b@corp.example");
    is_str(list(&f, FROM_ADDRESS), "corp.example", "nonsense");
    f = many("x", FROM_BYTES, "b@corp.example");
    ok(f.more && f.n == 0, "what is too long is said to be");

    from_header_begin(&f);
    for (int i = 0; i < 40; i++) {
        snprintf(text, sizeof text, "a@d%d.example", i);
        from_header_add(&f, text, strlen(text));
    }
    ok(f.more && f.n == FROM_DOMAINS && f.fields == 40, "as are too many domains in many fields");
    from_header_begin(&f);
    for (int i = 0; i < 40; i++)
        snprintf(large + strlen(large), 32, "a@d%d.example, ", i);
    from_header_add(&f, large, strlen(large));
    ok(f.more && f.n == FROM_DOMAINS, "and in one");
    memset(large, ',', sizeof large);
    from_header_begin(&f);
    from_header_add(&f, large, sizeof large);
    from_header_add(&f, large, sizeof large);
    ok(f.more && f.bytes == FROM_BYTES, "ten megabytes");
}

int
main(void)
{
    table_each("t/tables/from.tbl", row);
    test_bounds();
    return tap_done();
}
