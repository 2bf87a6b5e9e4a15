/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * from_header: one pass over the bytes, which knows in which kind of text it is, and three
 * collectors of what stands behind an '@': of plain text, of quotes, of comments.
 *
 * Promises: every '@' of the field is looked at, encoded words' too, so that no
 * nesting, quoting or break hides a domain; only which kind it is depends on syntax, and
 * what never ends (a quote, a comment) is taken for plain text. Must not decide
 * whose a domain is.
 */
#include "from_header.h"

#include <string.h>
#include <strings.h>

#include "mime_words.h"

#define CUTS 3 /* names that one name may be the beginning of */

enum place { PLAIN, QUOTED, COMMENT, PLACES };

/* What stands behind an '@', as far as it may be a domain. */
struct collector {
    char text[ADDR_MAX + 1];
    size_t n;
    int on, gap; /* gap: a blank came; only a dot goes on after it */
    int angle;   /* it is between angle brackets */
    int cuts;
};

struct scan {
    struct from_header *f;
    struct collector at[PLACES];
    struct from_domain found[FROM_DOMAINS]; /* of this field; loose ones until their part ends */
    int loose[FROM_DOMAINS];
    unsigned n;
    int angle, part_has_angle; /* now in one; this part of the list has an address in one */
    unsigned part;             /* where in found this part of the list begins */
    int address;               /* the field has an address */
    unsigned char before[2];   /* of a character of three bytes */
};

/* --- domains --- */

/* Whether a character is shown as nothing; its length. All of them may stand in the midst of a name. */
static size_t
invisible(const char *s, size_t n)
{
    static const char *const shown_as_nothing[] = {
        "\xc2\xad",     "\xe2\x80\x8b", "\xe2\x80\x8c", "\xe2\x80\x8d", "\xe2\x80\x8e",
        "\xe2\x80\x8f", "\xe2\x80\xaa", "\xe2\x80\xab", "\xe2\x80\xac", "\xe2\x80\xad",
        "\xe2\x80\xae", "\xe2\x81\xa0", "\xe2\x81\xa6", "\xe2\x81\xa7", "\xe2\x81\xa8",
        "\xe2\x81\xa9", "\xef\xbb\xbf",
    };

    for (size_t i = 0; i < sizeof shown_as_nothing / sizeof *shown_as_nothing; i++) {
        size_t len = strlen(shown_as_nothing[i]);

        if (n >= len && memcmp(s, shown_as_nothing[i], len) == 0)
            return len;
    }
    return 0;
}

/* The canonical name of what is shown of text; 0 when it is none. */
static int
canon(const char *text, size_t n, char out[ADDR_DOMAIN_MAX + 1])
{
    char shown[ADDR_MAX + 1];
    size_t len = 0;

    for (size_t i = 0, skip; i < n; i += skip) {
        skip = invisible(text + i, n - i);
        if (skip == 0) {
            shown[len++] = text[i];
            skip = 1;
        }
    }
    while (len > 0 && shown[len - 1] == '.')
        len--;
    return len > 0 && addr_domain_canon(shown, len, out) > 0;
}

static void
found(struct scan *s, enum place place, const char *text, size_t n)
{
    struct from_domain *d = &s->found[s->n];
    int loose = place == PLAIN && !s->at[place].angle;

    if (s->n == FROM_DOMAINS) {
        s->f->more = 1;
        return;
    }
    if (!canon(text, n, d->name))
        return;
    d->place = place == PLAIN && !loose ? FROM_ADDRESS : FROM_TEXT;
    s->address |= d->place == FROM_ADDRESS;
    s->part_has_angle |= d->place == FROM_ADDRESS;
    for (unsigned i = 0; i < s->n; i++)
        if (strcmp(s->found[i].name, d->name) == 0 &&
            (s->found[i].place == FROM_ADDRESS ||
             (s->found[i].place == d->place && s->loose[i] == loose)))
            return;
    s->loose[s->n++] = loose;
}

static void
stop(struct scan *s, enum place place)
{
    struct collector *c = &s->at[place];

    if (c->on && c->n > 0)
        found(s, place, c->text, c->n);
    c->on = c->gap = c->cuts = 0;
    c->n = 0;
}

/* Where programs may disagree about what belongs to a name, both are names. */
static void
cut(struct scan *s, enum place place)
{
    struct collector *c = &s->at[place];

    if (c->n > 0 && c->cuts < CUTS && memchr(c->text, '.', c->n - 1)) {
        c->cuts++;
        found(s, place, c->text, c->n);
    }
}

static int
is_name(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c >= 0x80;
}

static void
begin(struct scan *s, enum place place)
{
    struct collector *c = &s->at[place];

    stop(s, place);
    c->on = 1;
    c->angle = s->angle;
}

/* One byte that stands in a domain, if one is being collected. */
static void
collect(struct scan *s, enum place place, unsigned char b)
{
    struct collector *c = &s->at[place];
    int high = b >= 0x80, was_high = c->n > 0 && (unsigned char)c->text[c->n - 1] >= 0x80;

    if (!c->on)
        return;
    if (c->gap && c->n > 0 && b != '.' && c->text[c->n - 1] != '.')
        stop(s, place);
    else if (c->gap)
        cut(s, place);
    c->gap = 0;
    if (!c->on)
        return;
    if (high && !was_high)
        cut(s, place);
    if (c->n == ADDR_MAX) {
        stop(s, place);
        return;
    }
    c->text[c->n++] = (char)b;
}

/* '@' also comes as U+FF0B + 0x15, full width, and U+FE6B, small. */
static int
is_at(const struct scan *s, unsigned char b)
{
    return b == '@' || (s->before[0] == 0xef && ((s->before[1] == 0xbc && b == 0xa0) ||
                                                 (s->before[1] == 0xb9 && b == 0xab)));
}

/* One byte of what is shown. */
static void
show(struct scan *s, enum place place, unsigned char b)
{
    struct collector *c = &s->at[place];

    if (is_at(s, b)) {
        if (b != '@' && c->n >= 2)
            c->n -= 2; /* its first two bytes were collected */
        begin(s, place);
    } else if (is_name(b)) {
        collect(s, place, b);
    } else if (b == ' ' || b == '\t' || b == '\r' || b == '\n') {
        c->gap = 1;
    } else if (b < 0x20 || b == 0x7f) {
        cut(s, place); /* some end here, some show nothing and go on */
    } else {
        stop(s, place);
    }
    s->before[0] = s->before[1];
    s->before[1] = b;
}

/* --- encoded words --- */

static int
is_latin(struct span charset)
{
    static const char *const names[] = {"iso-8859-1", "iso-8859-15", "windows-1252"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == charset.n && strncasecmp(names[i], charset.p, charset.n) == 0)
            return 1;
    return 0;
}

/* Its length, or 0: none begins here. */
static size_t
show_word(struct scan *s, enum place place, const char *p, size_t n)
{
    char bytes[FROM_BYTES];
    struct mime_word w;
    size_t len = mime_word_at(p, n, &w), shown;
    int latin = len > 0 && is_latin(w.charset);

    if (len == 0)
        return 0;
    shown = mime_word_bytes(&w, bytes);
    for (size_t i = 0; i < shown; i++) {
        unsigned char b = (unsigned char)bytes[i];

        if (latin && b >= 0x80) {
            show(s, place, (unsigned char)(0xc0 | b >> 6));
            b = 0x80 | (b & 0x3f);
        }
        show(s, place, b);
    }
    return len + mime_word_gap(p + len, n - len);
}

/* --- the field's syntax --- */

/* Into list, each name once. 0, or -1: there is no room. */
static int
add_once(struct from_domain *list, unsigned *n, const struct from_domain *d)
{
    for (unsigned i = 0; i < *n; i++) {
        if (strcmp(list[i].name, d->name) != 0)
            continue;
        if (d->place == FROM_ADDRESS)
            list[i].place = FROM_ADDRESS;
        return 0;
    }
    if (*n == FROM_DOMAINS)
        return -1;
    if (&list[*n] != d)
        list[*n] = *d;
    ++*n;
    return 0;
}

/*
 * A part of the list ends: without an address in angle brackets what stood in it loose was the address,
 * without that, too, its name is all there is to be shown.
 */
static void
end_part(struct scan *s)
{
    int any_loose = 0;
    unsigned n;

    stop(s, PLAIN);
    s->angle = 0;
    n = s->n;
    s->n = 0;
    for (unsigned i = s->part; i < n; i++)
        any_loose |= s->loose[i];
    for (unsigned i = 0; i < n; i++) {
        if (!s->part_has_angle && (s->loose[i] || (!any_loose && i >= s->part))) {
            s->found[i].place = FROM_ADDRESS;
            s->address = 1;
        }
        s->loose[i] = 0;
        add_once(s->found, &s->n, &s->found[i]);
    }
    s->part_has_angle = 0;
    s->part = s->n;
}

/* Structure in plain text; 1 when b was such. */
static int
plain_special(struct scan *s, char b)
{
    if (b == '<') {
        stop(s, PLAIN);
        s->angle = 1;
    } else if (b == '>') {
        stop(s, PLAIN);
        s->angle = 0;
    } else if ((b == ',' || b == ';') && !s->angle) {
        end_part(s);
    } else {
        return 0;
    }
    return 1;
}

/* Where a quote or comment that begins at p ends, behind its last byte; NULL: nowhere. */
static const char *
closed(const char *p, const char *end)
{
    char close = *p == '(' ? ')' : '"';
    int depth = 1;

    for (const char *q = p + 1; q < end; q++) {
        if (*q == '\\')
            q++;
        else if (*q == close && --depth == 0)
            return q + 1;
        else if (*q == '(' && close == ')')
            depth++;
    }
    return NULL;
}

/* The inside of a quote or comment: all of it is text. */
static void
show_inside(struct scan *s, enum place place, const char *p, const char *end)
{
    while (p < end) {
        size_t word = *p == '=' ? show_word(s, place, p, (size_t)(end - p)) : 0;

        if (word == 0 && *p == '\\' && p + 1 < end)
            p++;
        if (word == 0)
            show(s, place, (unsigned char)*p);
        p += word ? word : 1;
    }
    stop(s, place);
}

static void
scan_field(struct scan *s, const char *p, const char *end)
{
    int quotes = 1, comments = 1; /* 0: one was found that does not end */

    while (p < end && s->n < FROM_DOMAINS) {
        int quote = quotes && *p == '"', comment = comments && *p == '(';
        const char *close = quote || comment ? closed(p, end) : NULL;
        size_t word = *p == '=' ? show_word(s, PLAIN, p, (size_t)(end - p)) : 0;

        quotes &= !quote || close;
        comments &= !comment || close;
        if (close) {
            /* In the midst of a domain some programs leave quotes out. */
            for (const char *q = p + 1; quote && s->at[PLAIN].on && q < close - 1; q++)
                show(s, PLAIN, (unsigned char)*q);
            s->at[PLAIN].gap |= comment;
            show_inside(s, quote ? QUOTED : COMMENT, p + 1, close - 1);
            p = close;
        } else if (word > 0) {
            p += word;
        } else {
            if (!plain_special(s, *p) && *p != '\\')
                show(s, PLAIN, (unsigned char)*p);
            p++;
        }
    }
    s->f->more |= p < end;
    end_part(s);
}

/* --- the message --- */

void
from_header_begin(struct from_header *f)
{
    f->n = f->fields = 0;
    f->bytes = 0;
    f->more = 0;
}

void
from_header_add(struct from_header *f, const char *value, size_t n)
{
    struct scan s = {.f = f};
    size_t room = FROM_BYTES - f->bytes;

    f->fields++;
    f->more |= n > room;
    n = n > room ? room : n;
    f->bytes += n;
    scan_field(&s, value, value + n);
    for (unsigned i = 0; i < s.n; i++) {
        if (!s.address)
            s.found[i].place = FROM_ADDRESS; /* there is nothing else to show */
        f->more |= add_once(f->domain, &f->n, &s.found[i]) < 0;
    }
}
