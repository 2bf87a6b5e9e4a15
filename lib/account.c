/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * account: write and read the packed record of one directory entry.
 *
 * Promises: the same bytes on every machine (little-endian, no padding); what
 * record_check let pass is never read beyond its end, whatever it holds; the
 * builder never writes beyond its buffer and says at the end when it had to stop.
 * Must not: allocate, or keep anything between calls.
 *
 * Header: version u8, kind u8, state u8, zero u8, parent u32, created u64.
 */
#include "account.h"

enum { AT_VERSION = 0, AT_KIND = 1, AT_STATE = 2, AT_ZERO = 3, AT_PARENT = 4, AT_CREATED = 8 };
enum { ITEM_HEAD = 3, VALUE_MAX = 65535 };

static void
le_write(unsigned char *p, uint64_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        p[i] = (unsigned char)(v >> (8 * i));
}

static uint64_t
le_read(const unsigned char *p, unsigned bytes)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < bytes; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

void
record_begin(struct record_builder *b, unsigned char *buf, size_t cap, enum record_kind kind,
             enum record_state state, uint64_t created)
{
    *b = (struct record_builder){.buf = buf, .cap = cap < RECORD_MAX ? cap : RECORD_MAX};
    if (b->cap < RECORD_HEADER) {
        b->full = 1;
        return;
    }
    buf[AT_VERSION] = RECORD_VERSION;
    buf[AT_KIND] = (unsigned char)kind;
    buf[AT_STATE] = (unsigned char)state;
    buf[AT_ZERO] = 0;
    le_write(buf + AT_PARENT, 0, 4);
    le_write(buf + AT_CREATED, created, 8);
    b->n = RECORD_HEADER;
}

void
record_add(struct record_builder *b, enum record_tag tag, struct span value)
{
    unsigned char *item;

    if (b->full || value.n > VALUE_MAX || b->cap - b->n < ITEM_HEAD + value.n) {
        b->full = 1;
        return;
    }
    item = b->buf + b->n;
    item[0] = (unsigned char)tag;
    le_write(item + 1, value.n, 2);
    if (value.n > 0)
        memcpy(item + ITEM_HEAD, value.p, value.n);
    b->n += ITEM_HEAD + value.n;
}

int
record_end(struct record_builder *b, struct record *r)
{
    if (b->full)
        return -1;
    *r = (struct record){b->buf, b->n};
    return 0;
}

int
record_check(const unsigned char *p, size_t n)
{
    size_t pos = RECORD_HEADER;

    if (n < RECORD_HEADER || n > RECORD_MAX || p[AT_VERSION] != RECORD_VERSION || p[AT_ZERO] != 0 ||
        p[AT_KIND] == KIND_NONE || p[AT_KIND] > KIND_LAST || p[AT_STATE] > STATE_LAST)
        return -1;
    while (pos < n) {
        if (n - pos < ITEM_HEAD || p[pos] == 0)
            return -1;
        pos += ITEM_HEAD + le_read(p + pos + 1, 2);
    }
    return pos == n ? 0 : -1;
}

enum record_kind
record_kind(const struct record *r)
{
    return (enum record_kind)r->p[AT_KIND];
}

enum record_state
record_state(const struct record *r)
{
    return (enum record_state)r->p[AT_STATE];
}

uint64_t
record_created(const struct record *r)
{
    return le_read(r->p + AT_CREATED, 8);
}

uint32_t
record_parent(const struct record *r)
{
    return (uint32_t)le_read(r->p + AT_PARENT, 4);
}

void
record_set_parent(unsigned char *buf, uint32_t parent)
{
    le_write(buf + AT_PARENT, parent, 4);
}

void
record_set_state(unsigned char *buf, enum record_state state)
{
    buf[AT_STATE] = (unsigned char)state;
}

int
record_next(const struct record *r, size_t *pos, enum record_tag *tag, struct span *value)
{
    const unsigned char *item;

    if (*pos == 0)
        *pos = RECORD_HEADER;
    if (*pos >= r->n)
        return 0;
    item = r->p + *pos;
    *tag = (enum record_tag)item[0];
    *value = (struct span){(const char *)item + ITEM_HEAD, (size_t)le_read(item + 1, 2)};
    *pos += ITEM_HEAD + value->n;
    return 1;
}

int
record_find(const struct record *r, enum record_tag tag, struct span *value)
{
    size_t pos = 0;
    enum record_tag t;

    while (record_next(r, &pos, &t, value))
        if (t == tag)
            return 1;
    *value = (struct span){NULL, 0};
    return 0;
}

/* 1 when s is the lower-case word, compared without case. */
static int
word_is(struct span s, const char *word)
{
    size_t i;

    for (i = 0; i < s.n && word[i] != '\0'; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if ((c >= 'A' && c <= 'Z' ? c + 32 : c) != (unsigned char)word[i])
            return 0;
    }
    return i == s.n && word[i] == '\0';
}

static const char *const state_words[STATE_LAST + 1] = {"", "active", "suspended", "disabled",
                                                        "moving"};
static const char *const kind_words[KIND_LAST + 1] = {"none",       "account", "list",   "domain",
                                                      "department", "site",    "server", "other"};

int
record_state_parse(struct span word)
{
    for (int s = STATE_ACTIVE; s <= STATE_LAST; s++)
        if (word_is(word, state_words[s]))
            return s;
    return -1;
}

const char *
record_state_word(enum record_state s)
{
    return (unsigned)s <= STATE_LAST ? state_words[s] : "";
}

const char *
record_kind_word(enum record_kind k)
{
    return (unsigned)k <= KIND_LAST ? kind_words[k] : "none";
}
