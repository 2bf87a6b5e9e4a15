/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * accounting_line: see accounting_line.h.
 *
 * Promises: a line is valid JSON in UTF-8 whatever bytes came in, and never longer than
 * ACCOUNTING_LINE_MAX; what is counted by (direction, recipients, bytes) is never cut. Made by hand, for
 * printf(3) would cost more than all else that is done for a message.
 */
#include "accounting_line.h"

#include <stdio.h>
#include <string.h>

#include "attrs_text.h"
#include "audit_line.h"

#define TEXT_MAX 512 /* bytes kept of one text; six times that when all of it must be escaped */

struct out {
    char *p;
    size_t n;
};

static void
put(struct out *o, const char *s, size_t n)
{
    memcpy(o->p + o->n, s, n);
    o->n += n;
}

/* One character of s; returns how many of its bytes were used. */
static size_t
put_character(struct out *o, struct span s)
{
    unsigned char c = (unsigned char)*s.p;
    size_t n = text_utf8(s);
    char text[8];

    if (n == 0 || c < 0x20 || c == 0x7f) {
        snprintf(text, sizeof text, "\\u%04x", n == 0 ? 0xfffdu : (unsigned)c);
        put(o, text, 6);
        return n ? n : 1;
    }
    if (c == '"' || c == '\\')
        put(o, "\\", 1);
    put(o, s.p, n);
    return n;
}

static void
put_key(struct out *o, const char *key)
{
    put(o, ",\"", 2);
    put(o, key, strlen(key));
    put(o, "\":", 2);
}

static void
put_text(struct out *o, const char *key, struct span s, size_t max)
{
    put_key(o, key);
    put(o, "\"", 1);
    if (s.n > max)
        for (s.n = max; s.n > 0 && ((unsigned char)s.p[s.n] & 0xc0) == 0x80;)
            s.n--;
    while (s.n > 0) {
        size_t used = put_character(o, s);

        s.p += used;
        s.n -= used;
    }
    put(o, "\"", 1);
}

static void
put_digits(struct out *o, uint64_t v)
{
    char text[20];
    size_t at = sizeof text;

    do
        text[--at] = (char)('0' + v % 10);
    while ((v /= 10) > 0);
    put(o, text + at, sizeof text - at);
}

static void
put_number(struct out *o, const char *key, uint64_t v)
{
    put_key(o, key);
    put_digits(o, v);
}

static void
put_head(struct out *o, const struct accounting_head *h, const char *what)
{
    static const char log[] = "{\"log\":\"", seq[] = "\",\"seq\":", time[] = ",\"time\":\"";
    char when[AUDIT_TIME];

    audit_time_write(h->wall_ms, when);
    put(o, log, sizeof log - 1);
    put(o, h->log, strnlen(h->log, ACCOUNTING_LOG - 1));
    put(o, seq, sizeof seq - 1);
    put_digits(o, h->seq);
    put(o, time, sizeof time - 1);
    put(o, when, strlen(when));
    put(o, "\"", 1);
    put_text(o, "site", span_of(h->site), 64);
    put_text(o, "what", span_of(what), 32);
}

static size_t
end(struct out *o)
{
    put(o, "}\n", 2);
    return o->n;
}

size_t
accounting_line_mail(char *out, const struct accounting_head *h, const struct accounting_mail *m)
{
    struct out o = {out, 0};

    put_head(&o, h, "mail");
    put_text(&o, "queue", m->queue, ACCOUNTING_QUEUE - 1);
    put_number(&o, "part", m->part);
    put_number(&o, "parts", m->parts);
    put_text(&o, "direction", span_of(direction_word(m->direction)), 32);
    put_text(&o, "login", m->login, 320);
    put_text(&o, "account", m->account, 320);
    put_text(&o, "domain", m->domain, 253);
    put_text(&o, "department", m->department, TEXT_MAX - 1);
    put_number(&o, "recipients", m->recipients);
    put_number(&o, "bytes", m->bytes);
    put_text(&o, "result", span_of(m->held ? "held" : "accepted"), 32);
    return end(&o);
}

size_t
accounting_line_gap(char *out, const struct accounting_head *h, const struct accounting_gap *g)
{
    struct out o = {out, 0};
    char time[AUDIT_TIME];

    audit_time_write(g->since_ms, time);
    put_head(&o, h, "gap");
    put_text(&o, "since", span_of(time), AUDIT_TIME);
    put_number(&o, "messages", g->messages);
    put_number(&o, "recipients", g->recipients);
    put_number(&o, "bytes", g->bytes);
    return end(&o);
}

size_t
accounting_line_doubt(char *out, const struct accounting_head *h, const char *what,
                      const char *queue, uint64_t first, uint64_t last)
{
    struct out o = {out, 0};

    put_head(&o, h, what);
    put_text(&o, "queue", span_of(queue), ACCOUNTING_QUEUE - 1);
    put_number(&o, "first", first);
    put_number(&o, "last", last);
    return end(&o);
}

size_t
accounting_line_text(char *out, struct span s)
{
    struct out o = {out, 0};

    while (s.n > 0) {
        size_t used = put_character(&o, s);

        s.p += used;
        s.n -= used;
    }
    return o.n;
}

int
accounting_line_head(struct span line, char log_r[ACCOUNTING_LOG], uint64_t *seq_r)
{
    char text[64] = "";
    unsigned long long seq;
    int used = 0;

    if (line.n < 30 || line.p[line.n - 1] != '}')
        return -1;
    memcpy(text, line.p, line.n < sizeof text - 1 ? line.n : sizeof text - 1);
    if (sscanf(text, "{\"log\":\"%16[0-9a-f]\",\"seq\":%20llu,\"%n", log_r, &seq, &used) != 2 ||
        used == 0 || strlen(log_r) != ACCOUNTING_LOG - 1 || seq == 0)
        return -1;
    *seq_r = seq;
    return 0;
}
