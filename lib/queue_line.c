/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * queue_line: a state machine over the lines of postqueue -j: objects whose members of interest are
 * strings and numbers; whatever else is in them, lists of recipients first of all, is passed over.
 *
 * Promises: memory does not grow with the line; a value too long for its place makes a line bad, but
 * for the sender, who is whatever a stranger wrote and loses its end. Must not guess: a message
 * without a queue, an id, a time or a size is no message.
 */
#include "queue_line.h"

#include <string.h>

enum state {
    START,     /* between messages */
    NAME_NEXT, /* a member's name, or the end */
    NAME,
    COLON,
    VALUE_NEXT,
    STRING,
    WORD, /* a number, true, false, null */
    SKIP, /* inside a list or an object */
    SKIP_STRING,
    COMMA
};

enum have { HAVE_QUEUE = 1, HAVE_ID = 2, HAVE_TIME = 4, HAVE_SIZE = 8, HAVE_ALL = 15 };

void
queue_line_begin(struct queue_line *l)
{
    memset(l, 0, sizeof *l);
}

int
queue_line_between(const struct queue_line *l)
{
    return l->state == START;
}

static int
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int
is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static int
is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

int
queue_id_is(const char *id, size_t n)
{
    size_t i = 0;

    if (n == 0 || n > QUEUE_ID_MAX)
        return 0;
    while (i < n && (is_digit(id[i]) || is_letter(id[i])))
        i++;
    return i == n && !(n == 3 && (id[0] | 32) == 'a' && (id[1] | 32) == 'l' && (id[2] | 32) == 'l');
}

/* --- values --- */

static void
put_byte(struct queue_line *l, char c)
{
    if (l->value_n < sizeof l->value)
        l->value[l->value_n++] = c;
}

static void
put_code(struct queue_line *l, uint32_t c)
{
    if (c < 0x80) {
        put_byte(l, (char)c);
        return;
    }
    if (c < 0x800) {
        put_byte(l, (char)(0xc0 | c >> 6));
    } else if (c < 0x10000) {
        put_byte(l, (char)(0xe0 | c >> 12));
        put_byte(l, (char)(0x80 | (c >> 6 & 0x3f)));
    } else {
        put_byte(l, (char)(0xf0 | c >> 18));
        put_byte(l, (char)(0x80 | (c >> 12 & 0x3f)));
        put_byte(l, (char)(0x80 | (c >> 6 & 0x3f)));
    }
    put_byte(l, (char)(0x80 | (c & 0x3f)));
}

/* A half of a pair waits for its other half; halves that belong to nothing are left out. */
static void
take_unicode(struct queue_line *l)
{
    uint32_t c = l->code, high = l->high;

    l->high = 0;
    if (c >= 0xd800 && c < 0xdc00)
        l->high = c;
    else if (c >= 0xdc00 && c < 0xe000 && high)
        put_code(l, 0x10000 + ((high - 0xd800) << 10) + (c - 0xdc00));
    else if (c < 0xdc00 || c >= 0xe000)
        put_code(l, c);
}

static int
hex_digit(struct queue_line *l, char c)
{
    char low = (char)(c | 32);

    if (!is_digit(c) && (low < 'a' || low > 'f'))
        return -1;
    l->code = l->code << 4 | (uint32_t)(is_digit(c) ? c - '0' : low - 'a' + 10);
    if (--l->digits == 0)
        take_unicode(l);
    return 0;
}

static int
escaped(struct queue_line *l, char c)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    const char *at = c ? strchr(from, c) : NULL;

    l->escape = 0;
    if (c == 'u') {
        l->digits = 4;
        l->code = 0;
        return 0;
    }
    if (!at && c != '"' && c != '\\' && c != '/')
        return -1;
    put_byte(l, at ? to[at - from] : c);
    return 0;
}

/* 1: the string is at its end. */
static int
string_byte(struct queue_line *l, char c)
{
    if (l->digits > 0)
        return hex_digit(l, c);
    if (l->escape)
        return escaped(l, c);
    if (c == '"')
        return 1;
    if (c == '\\')
        l->escape = 1;
    else if ((unsigned char)c < 0x20)
        return -1;
    else
        put_byte(l, c);
    return 0;
}

static int
keep(char *out, size_t cap, const struct queue_line *l)
{
    if (l->value_n >= cap)
        return -1;
    memcpy(out, l->value, l->value_n);
    out[l->value_n] = '\0';
    return 0;
}

static int
number(const struct queue_line *l, uint64_t *out)
{
    uint64_t v = 0;

    if (l->value_n == 0 || l->value_n > 18)
        return -1;
    for (size_t i = 0; i < l->value_n; i++) {
        if (!is_digit(l->value[i]))
            return -1;
        v = v * 10 + (uint64_t)(l->value[i] - '0');
    }
    *out = v;
    return 0;
}

static int
key_is(const struct queue_line *l, const char *name)
{
    return strlen(name) == l->key_n && memcmp(l->key, name, l->key_n) == 0;
}

static void
keep_sender(struct queue_line *l)
{
    size_t n = l->value_n < QUEUE_SENDER_MAX ? l->value_n : QUEUE_SENDER_MAX;

    memcpy(l->entry.sender, l->value, n);
    l->entry.sender[n] = '\0';
}

static int
string_value(struct queue_line *l)
{
    struct queue_entry *e = &l->entry;

    if (key_is(l, "sender"))
        keep_sender(l);
    if (key_is(l, "queue_name")) {
        l->have |= HAVE_QUEUE;
        return keep(e->queue, sizeof e->queue, l);
    }
    if (!key_is(l, "queue_id"))
        return 0;
    l->have |= HAVE_ID;
    return queue_id_is(l->value, l->value_n) ? keep(e->id, sizeof e->id, l) : -1;
}

static int
word_value(struct queue_line *l)
{
    uint64_t v;

    if (key_is(l, "message_size")) {
        l->have |= HAVE_SIZE;
        return number(l, &l->entry.bytes);
    }
    if (!key_is(l, "arrival_time"))
        return 0;
    l->have |= HAVE_TIME;
    if (number(l, &v) < 0)
        return -1;
    l->entry.arrival_s = (int64_t)v;
    return 0;
}

/* --- the line --- */

static int
value_begins(struct queue_line *l, char c)
{
    l->value_n = 0;
    l->high = 0;
    if (c == '"') {
        l->state = STRING;
    } else if (c == '[' || c == '{') {
        l->state = SKIP;
        l->depth = 1;
    } else if (is_digit(c) || is_letter(c) || c == '-') {
        l->state = WORD;
        put_byte(l, c);
    } else {
        return -1;
    }
    return 0;
}

static int
skip_byte(struct queue_line *l, char c)
{
    if (l->state == SKIP_STRING) {
        if (l->escape)
            l->escape = 0;
        else if (c == '\\')
            l->escape = 1;
        else if (c == '"')
            l->state = SKIP;
        return 0;
    }
    if (c == '"')
        l->state = SKIP_STRING;
    else if (c == '[' || c == '{')
        l->depth++;
    else if (c == ']' || c == '}')
        l->depth--;
    if (l->depth == 0)
        l->state = COMMA;
    return l->depth > 16 ? -1 : 0;
}

static int
name_byte(struct queue_line *l, char c)
{
    if (c == '"') {
        l->state = COLON;
        return 0;
    }
    if (c == '\\' || l->key_n == sizeof l->key)
        return -1;
    l->key[l->key_n++] = c;
    return 0;
}

/* Between the members of an object. 1: the object is at its end. */
static int
next_byte(struct queue_line *l, char c)
{
    if (is_space(c))
        return 0;
    if (l->state == COLON && c == ':') {
        l->state = VALUE_NEXT;
        return 0;
    }
    if (l->state == COMMA && c == ',') {
        l->state = NAME_NEXT;
        return 0;
    }
    if (l->state == NAME_NEXT && c == '"') {
        l->state = NAME;
        l->key_n = 0;
        return 0;
    }
    if (l->state != COMMA || c != '}' || l->have != HAVE_ALL)
        return -1;
    l->state = START;
    return 1;
}

static int
start_byte(struct queue_line *l, char c)
{
    if (is_space(c))
        return 0;
    if (c != '{')
        return -1;
    queue_line_begin(l);
    l->state = NAME_NEXT;
    return 0;
}

/* A number ends with what comes after it. */
static int
word_byte(struct queue_line *l, char c)
{
    if (is_digit(c) || is_letter(c) || c == '.' || c == '+' || c == '-') {
        put_byte(l, c);
        return 0;
    }
    if (word_value(l) < 0)
        return -1;
    l->state = COMMA;
    return next_byte(l, c);
}

static int
take_byte(struct queue_line *l, char c)
{
    int rc;

    switch (l->state) {
    case START:
        return start_byte(l, c);
    case NAME:
        return name_byte(l, c);
    case VALUE_NEXT:
        return is_space(c) ? 0 : value_begins(l, c);
    case STRING:
        rc = string_byte(l, c);
        if (rc <= 0)
            return rc;
        l->state = COMMA;
        return string_value(l);
    case WORD:
        return word_byte(l, c);
    case SKIP:
    case SKIP_STRING:
        return skip_byte(l, c);
    default:
        return next_byte(l, c);
    }
}

long
queue_line_take(struct queue_line *l, const char *p, size_t n, int *whole_r)
{
    *whole_r = 0;
    for (size_t i = 0; i < n; i++) {
        int rc = take_byte(l, p[i]);

        if (rc < 0)
            return -1;
        if (rc > 0) {
            *whole_r = 1;
            return (long)(i + 1);
        }
    }
    return (long)n;
}
