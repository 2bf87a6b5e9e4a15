/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mime_scan: see mime_scan.h.
 *
 * Boundaries are not believed: in a message that has parts, each line that begins with "--" may be one, so
 * none that is announced wrongly, twice or not at all hides a part, nor does any depth. What is not a header
 * line inside a header is taken as more of the one before. A CR alone ends a line as LF does. Promises: a
 * part whose headers some mail program would see is seen. What is encoded as a whole can't be looked into,
 * and is a doubt; what is encrypted or Outlook's is told by the name such files have. Must not decode bodies.
 */
#include "mime_scan.h"

#include <strings.h>

#include "mime_type.h"

#define BROKEN_MOST 16

/* --- one header --- */

static struct span
trim(struct span s)
{
    while (s.n > 0 && s.p[0] && strchr(" \t\r\n", s.p[0]))
        s = (struct span){s.p + 1, s.n - 1};
    while (s.n > 0 && s.p[s.n - 1] && strchr(" \t\r\n", s.p[s.n - 1]))
        s.n--;
    return s;
}

static int
is_word(struct span s, const char *word)
{
    return s.n == strlen(word) && strncasecmp(s.p, word, s.n) == 0;
}

static int
begins(struct span s, const char *with)
{
    return s.n >= strlen(with) && strncasecmp(s.p, with, strlen(with)) == 0;
}

static enum mime_field
field_of(struct span name)
{
    name = trim(name);
    return is_word(name, "Content-Type")                ? MIME_TYPE
           : is_word(name, "Content-Disposition")       ? MIME_DISPOSITION
           : is_word(name, "Content-Transfer-Encoding") ? MIME_ENCODING
                                                        : MIME_OTHER;
}

/* Whether a type is surely one of a single part. What is no type at all may be taken for anything. */
static int
is_discrete(struct span type)
{
    static const char *const all[] = {"text/",        "image/", "audio/", "video/",
                                      "application/", "font/",  "model/"};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (begins(type, all[i]))
            return 1;
    return 0;
}

static void
take_type(struct mime_scan *s, struct span value)
{
    const char *sealed = mime_type_sealed(value), *elsewhere = mime_type_elsewhere(value);
    size_t n = 0;

    if (sealed)
        s->sink.name(s->sink.ctx, span_of(sealed), 1);
    if (elsewhere)
        s->sink.doubt(s->sink.ctx, elsewhere);
    value = trim(value);
    while (n < value.n && value.p[n] && !strchr(" \t\r\n;,(\"", value.p[n]))
        n++;
    s->is_typed = 1;
    s->is_digest |= begins(value, "multipart/digest");
    s->is_compound |= !is_discrete((struct span){value.p, n});
    s->is_message |= !is_discrete((struct span){value.p, n}) && !begins(value, "multipart/");
}

static void
stop(struct mime_scan *s, const char *why)
{
    s->sink.doubt(s->sink.ctx, why);
    s->stopped = 1;
}

static void
take_field(struct mime_scan *s, enum mime_field field, struct span value)
{
    if (s->stopped)
        return;
    if (++s->told > MIME_FIELDS) {
        stop(s, "it has too many parts");
        return;
    }
    if (field == MIME_TYPE)
        take_type(s, value);
    if (field == MIME_TYPE || field == MIME_DISPOSITION)
        mime_names(&s->sink, value);
    value = trim(value);
    if (field == MIME_ENCODING)
        s->is_encoded |= begins(value, "base64") || begins(value, "quoted") ||
                         begins(value, "x-") || begins(value, "uu");
}

static void
end_field(struct mime_scan *s)
{
    if (s->value_over && s->field != MIME_OTHER)
        s->sink.doubt(s->sink.ctx, "a header of one of its parts is too long");
    if (s->field != MIME_OTHER)
        take_field(s, s->field, (struct span){s->value, s->value_n});
}

static void
add_value(struct mime_scan *s, struct span text)
{
    size_t room = sizeof s->value - s->value_n;

    if (s->field == MIME_OTHER)
        return;
    s->value_over |= text.n > room;
    if (text.n > room)
        text.n = room;
    memcpy(s->value + s->value_n, text.p, text.n);
    s->value_n += text.n;
}

/* --- a block of headers --- */

static void
begin_block(struct mime_scan *s)
{
    s->in_header = 1;
    s->fields = 0;
    s->field = MIME_OTHER;
    s->value_n = 0;
    s->value_over = s->is_message = s->is_compound = s->is_encoded = s->is_typed = s->skips = 0;
    s->broken = 0;
}

static void
end_block(struct mime_scan *s)
{
    int message;

    end_field(s);
    message = s->is_message || (s->is_digest && !s->is_typed);
    if (s->is_compound && s->is_encoded)
        s->sink.doubt(s->sink.ctx, "parts are encoded as a whole");
    begin_block(s);
    s->in_header = s->skips = message;
}

/* How long the name of a header is that a line begins with; 0: it does not. */
static size_t
header_name(struct span line)
{
    size_t n = 0;

    while (n < line.n && line.p[n] > ' ' && line.p[n] < 0x7F && line.p[n] != ':')
        n++;
    for (size_t at = n; n > 0 && at < line.n; at++)
        if (line.p[at] != ' ' && line.p[at] != '\t')
            return line.p[at] == ':' ? n : 0;
    return 0;
}

/* Some programs end the header here, some go on: as it is so far, and with this. */
static void
broken_line(struct mime_scan *s, struct span line)
{
    if (s->field == MIME_OTHER)
        return;
    end_field(s);
    if (++s->broken > BROKEN_MOST)
        stop(s, "a header of one of its parts is broken");
    add_value(s, line);
}

static void
header_line(struct mime_scan *s, struct span line)
{
    size_t name = header_name(line);
    const char *colon = name ? memchr(line.p, ':', line.n) : NULL;

    if (s->fields > 0 && (*line.p == ' ' || *line.p == '\t')) {
        add_value(s, line);
    } else if (colon) {
        end_field(s);
        s->field = field_of((struct span){line.p, name});
        s->value_n = 0;
        s->value_over = s->line_over;
        s->broken = 0;
        s->fields++;
        add_value(s, (struct span){colon + 1, line.n - (size_t)(colon + 1 - line.p)});
    } else if (s->fields > 0) {
        broken_line(s, line);
    } else if (!begins(line, "From ")) {
        s->skips = 0; /* a text begins for some programs, for others headers may follow */
    }
    s->value_over |= s->line_over;
}

/* "begin 644 name": a file without any MIME, which some programs show as one. */
static void
take_uuencoded(struct mime_scan *s, struct span line)
{
    size_t at = begins(line, "begin-base64 ") ? 13 : begins(line, "begin ") ? 6 : 0, digits = at;

    while (at > 0 && at < line.n && line.p[at] >= '0' && line.p[at] <= '7')
        at++;
    if (at == 0 || at - digits < 3 || at - digits > 4 || at >= line.n || line.p[at] != ' ')
        return;
    line = trim((struct span){line.p + at, line.n - at});
    if (line.n > 0)
        s->sink.name(s->sink.ctx, line, 1);
}

/* Encrypted text without any MIME. */
static void
take_armour(struct mime_scan *s, struct span line)
{
    if (begins(line, "-----BEGIN PGP MESSAGE"))
        s->sink.name(s->sink.ctx, span_of("encrypted.pgp"), 1);
}

static void
take_line(struct mime_scan *s)
{
    struct span line = {s->line, s->line_n};

    take_armour(s, line);
    if (s->looks && line.n >= 2 && line.p[0] == '-' && line.p[1] == '-') {
        if (s->in_header)
            end_block(s);
        begin_block(s);
    } else if (s->in_header && line.n > 0) {
        header_line(s, line);
    } else if (s->in_header && !(s->fields == 0 && s->skips)) {
        end_block(s);
    }
    if (line.n > 6 && (*line.p == 'b' || *line.p == 'B'))
        take_uuencoded(s, line);
    s->line_n = 0;
    s->line_over = 0;
}

/* --- the message --- */

void
mime_scan_begin(struct mime_scan *s, const struct mime_sink *sink)
{
    s->sink = *sink;
    s->line_n = 0;
    s->line_over = s->after_cr = s->looks = s->stopped = 0;
    s->told = 0;
    s->is_digest = 0;
    begin_block(s);
}

void
mime_scan_header(struct mime_scan *s, struct span name, struct span value)
{
    enum mime_field field = field_of(name);

    if (field != MIME_OTHER)
        take_field(s, field, value);
}

void
mime_scan_headers_end(struct mime_scan *s)
{
    s->looks = s->is_compound;
    end_block(s);
}

/* A line's end is at one of the next n bytes: where, or NULL. */
static const char *
line_end(const char *p, size_t n)
{
    const char *lf = memchr(p, '\n', n);
    const char *cr = memchr(p, '\r', lf ? (size_t)(lf - p) : n);

    return cr ? cr : lf;
}

static void
add_line(struct mime_scan *s, const char *p, size_t n)
{
    size_t room = sizeof s->line - s->line_n;

    s->line_over |= n > room;
    n = n > room ? room : n;
    memcpy(s->line + s->line_n, p, n);
    s->line_n += n;
}

void
mime_scan_body(struct mime_scan *s, struct span bytes)
{
    const char *p = bytes.p, *end = p + bytes.n;

    while (p < end && !s->stopped) {
        const char *stop_at;

        if (s->after_cr && *p == '\n') {
            s->after_cr = 0;
            p++;
            continue;
        }
        s->after_cr = 0;
        stop_at = line_end(p, (size_t)(end - p));
        add_line(s, p, (size_t)((stop_at ? stop_at : end) - p));
        if (!stop_at)
            return;
        s->after_cr = *stop_at == '\r';
        take_line(s);
        p = stop_at + 1;
    }
}

void
mime_scan_end(struct mime_scan *s)
{
    if (s->line_n > 0 && !s->stopped)
        take_line(s);
    if (s->in_header && !s->stopped)
        end_field(s);
}
