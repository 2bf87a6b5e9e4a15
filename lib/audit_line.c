/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * audit_line: records of the audit log, written and read.
 *
 * Promises: a line is valid JSON in valid UTF-8, without a control byte, of at most
 * AUDIT_LINE_MAX bytes, whatever a stranger put into the fields; what was cut or
 * replaced is named in the line itself, so nobody takes it for the whole. Reading
 * accepts keys it does not know. Must not: allocate, tell the time.
 */
#include "audit_line.h"

#include <inttypes.h>
#include <stdio.h>

#include "attrs_text.h"
#include "digest.h"

#define HASH_TAIL 75 /* bytes of ,"hash":"<64>"} */

static const struct {
    const char *name;
    size_t max; /* bytes kept */
} fields[AUDIT_FIELDS] = {[AUDIT_ACTION] = {"action", 32},    [AUDIT_ACTOR] = {"actor", 320},
                          [AUDIT_TARGET] = {"target", 320},   [AUDIT_SERVICE] = {"service", 32},
                          [AUDIT_REMOTE] = {"remote", 64},    [AUDIT_SESSION] = {"session", 128},
                          [AUDIT_MAILBOX] = {"mailbox", 768}, [AUDIT_UID] = {"uid", 512},
                          [AUDIT_DETAIL] = {"detail", 768},   [AUDIT_WHY] = {"why", 256},
                          [AUDIT_REASON] = {"reason", 512}};

/* --- time --- */

/* Days since 1970 of a date, counted in years that begin in March. */
static int64_t
days_of(int64_t y, int64_t m, int64_t d)
{
    int64_t era_day;

    y -= m <= 2;
    era_day = 365 * y + y / 4 - y / 100 + y / 400 + (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;
    return era_day - 719468;
}

/* v as n digits. */
static void
put_part(char *out, int n, int64_t v)
{
    for (; n > 0; v /= 10)
        out[--n] = (char)('0' + v % 10);
}

void
audit_time_write(int64_t wall_ms, char out[AUDIT_TIME])
{
    const int64_t last = 253402300799999;
    int64_t t = wall_ms < 0 ? 0 : wall_ms > last ? last : wall_ms;
    int64_t day = t / 86400000, ms = t % 86400000, y = 1970 + day / 366;
    int m = 12;

    while (days_of(y + 1, 1, 1) <= day)
        y++;
    while (days_of(y, m, 1) > day)
        m--;
    memcpy(out, "yyyy-mm-ddThh:mm:ss.mmmZ", AUDIT_TIME);
    put_part(out, 4, y);
    put_part(out + 5, 2, m);
    put_part(out + 8, 2, day - days_of(y, m, 1) + 1);
    put_part(out + 11, 2, ms / 3600000);
    put_part(out + 14, 2, ms / 60000 % 60);
    put_part(out + 17, 2, ms / 1000 % 60);
    put_part(out + 20, 3, ms % 1000);
}

int64_t
audit_time_parse(struct span s)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:dd.dddZ";
    int64_t n[7] = {0}; /* year, month … milliseconds */
    int part = 0;

    if (s.n != sizeof shape - 1)
        return -1;
    for (size_t i = 0; i < s.n; i++) {
        if (shape[i] != 'd') {
            if (s.p[i] != shape[i])
                return -1;
            part++;
        } else if (s.p[i] < '0' || s.p[i] > '9') {
            return -1;
        } else {
            n[part] = n[part] * 10 + (s.p[i] - '0');
        }
    }
    if (n[0] < 1970 || n[1] < 1 || n[1] > 12 || n[2] < 1 || n[2] > 31 || n[3] > 23 || n[4] > 59 ||
        n[5] > 60)
        return -1;
    return (((days_of(n[0], n[1], n[2]) * 24 + n[3]) * 60 + n[4]) * 60 + n[5]) * 1000 + n[6];
}

/* --- writing --- */

struct out {
    char *p;
    size_t n;
};

static void
put(struct out *o, const char *s)
{
    size_t n = strlen(s);

    memcpy(o->p + o->n, s, n);
    o->n += n;
}

static void
put_escaped(struct out *o, unsigned c)
{
    char text[8];

    snprintf(text, sizeof text, "\\u%04x", c & 0xffff);
    put(o, text);
}

/* One character of s; 1 when its bytes had to be replaced. *used_r: bytes of it. */
static int
put_character(struct out *o, struct span s, size_t *used_r)
{
    unsigned char c = (unsigned char)*s.p;
    size_t n = text_utf8(s);

    *used_r = n ? n : 1;
    if (n == 0) {
        put_escaped(o, 0xfffd);
        return 1;
    }
    if (c < 0x20 || c == 0x7f) {
        put_escaped(o, c);
    } else if (n == 2 && c == 0xc2 && (unsigned char)s.p[1] < 0xa0) {
        put_escaped(o, (unsigned char)s.p[1]); /* control characters of Latin 1 */
    } else {
        if (c == '"' || c == '\\')
            o->p[o->n++] = '\\';
        memcpy(o->p + o->n, s.p, n);
        o->n += n;
    }
    return 0;
}

/* How much of s is kept: whole characters, and of a set of UIDs whole numbers. */
static size_t
kept(struct span s, enum audit_field f)
{
    size_t n = fields[f].max;

    if (s.n <= n)
        return s.n;
    if (f == AUDIT_UID) {
        const char *comma = memrchr(s.p, ',', n);

        return comma ? (size_t)(comma - s.p) : n;
    }
    for (int i = 0; i < 4 && n > 0 && ((unsigned char)s.p[n] & 0xc0) == 0x80; i++)
        n--;
    return n;
}

enum { MARK_CUT = 1, MARK_REPLACED = 2 };

static void
put_field(struct out *o, enum audit_field f, struct span s, unsigned marks[AUDIT_FIELDS])
{
    size_t n = kept(s, f), used;

    marks[f] = n < s.n ? MARK_CUT : 0;
    if (s.n == 0)
        return;
    put(o, ",\"");
    put(o, fields[f].name);
    put(o, "\":\"");
    for (size_t i = 0; i < n; i += used)
        if (put_character(o, (struct span){s.p + i, n - i}, &used))
            marks[f] |= MARK_REPLACED;
    put(o, "\"");
}

/* Which fields are not as they were, by name. */
static void
put_marks(struct out *o, const char *key, const unsigned marks[AUDIT_FIELDS], unsigned mark)
{
    int n = 0;

    for (int f = 0; f < AUDIT_FIELDS; f++) {
        if (!(marks[f] & mark))
            continue;
        put(o, n++ ? "," : key);
        put(o, fields[f].name);
    }
    if (n)
        put(o, "\"");
}

static void
put_fields(struct out *o, const struct audit_record *r)
{
    const struct span text[AUDIT_FIELDS] = {span_of(r->action), r->actor,   r->target,  r->service,
                                            r->remote,          r->session, r->mailbox, r->uid,
                                            r->detail,          r->why,     r->reason};
    unsigned marks[AUDIT_FIELDS];
    char rule[32];

    for (int f = 0; f < AUDIT_FIELDS; f++)
        put_field(o, (enum audit_field)f, text[f], marks);
    snprintf(rule, sizeof rule, ",\"rule\":%d", r->rule);
    if (r->rule > 0)
        put(o, rule);
    put_marks(o, ",\"cut\":\"", marks, MARK_CUT);
    put_marks(o, ",\"replaced\":\"", marks, MARK_REPLACED);
}

size_t
audit_line_write(char *out, uint64_t seq, int64_t wall_ms, struct span site,
                 const struct audit_record *r, const char prev[AUDIT_HASH], char hash_r[AUDIT_HASH])
{
    struct out o = {out, 0};
    char head[96], time[AUDIT_TIME];
    size_t used;

    audit_time_write(wall_ms, time);
    snprintf(head, sizeof head, "{\"seq\":%" PRIu64 ",\"time\":\"%s\",\"site\":\"", seq, time);
    put(&o, head);
    site.n = site.n < 64 ? site.n : 64;
    for (size_t i = 0; i < site.n; i += used)
        put_character(&o, (struct span){site.p + i, site.n - i}, &used);
    put(&o, "\"");
    put_fields(&o, r);
    put(&o, ",\"prev\":\"");
    put(&o, prev);
    put(&o, "\"");
    digest_bytes((struct span){out, o.n}, hash_r);
    put(&o, ",\"hash\":\"");
    put(&o, hash_r);
    put(&o, "\"}\n");
    return o.n;
}

/* --- reading --- */

/* A string's inside, at *p behind its opening quote; *p then stands behind the closing one. */
static int
take_string(const char **p, const char *end, struct span *s_r)
{
    const char *start = *p;

    for (const char *q = start; q < end; q++) {
        if (*q == '"') {
            *s_r = (struct span){start, (size_t)(q - start)};
            *p = q + 1;
            return 0;
        }
        if ((unsigned char)*q < 0x20)
            return -1;
        q += *q == '\\';
    }
    return -1;
}

static int
take_number(const char **p, const char *end, uint64_t *n_r)
{
    const char *q = *p;
    uint64_t n = 0;

    for (; q < end && *q >= '0' && *q <= '9'; q++) {
        if (n > (UINT64_MAX - 9) / 10)
            return -1;
        n = n * 10 + (uint64_t)(*q - '0');
    }
    if (q == *p)
        return -1;
    *p = q;
    *n_r = n;
    return 0;
}

static int
take_hash(struct span s, char out[AUDIT_HASH])
{
    if (s.n != AUDIT_HASH - 1)
        return -1;
    memcpy(out, s.p, s.n);
    out[s.n] = '\0';
    return strspn(out, "0123456789abcdef") == s.n ? 0 : -1;
}

/* What the member of this name and value says. */
static int
take_member(struct audit_line *a, struct span key, struct span text, uint64_t number)
{
    if (span_same(key, span_of("seq")))
        a->seq = number;
    else if (span_same(key, span_of("time")))
        return (a->wall_ms = audit_time_parse(text)) < 0 ? -1 : 0;
    else if (span_same(key, span_of("prev")))
        return take_hash(text, a->prev);
    else if (span_same(key, span_of("hash")))
        return take_hash(text, a->hash);
    for (int f = 0; f < AUDIT_FIELDS; f++)
        if (span_same(key, span_of(fields[f].name)))
            a->field[f] = text;
    return 0;
}

static int
take_members(struct audit_line *a, const char *p, const char *end)
{
    for (;;) {
        struct span key, text = {"", 0};
        uint64_t number = 0;

        if (p == end || *p++ != '"' || take_string(&p, end, &key) < 0 || p == end || *p++ != ':' ||
            p == end)
            return -1;
        if (*p == '"' ? (p++, take_string(&p, end, &text)) : take_number(&p, end, &number))
            return -1;
        if (take_member(a, key, text, number) < 0)
            return -1;
        if (p == end)
            return 0;
        if (*p++ != ',')
            return -1;
    }
}

int
audit_line_parse(struct span line, struct audit_line *a_r)
{
    char hash[AUDIT_HASH];

    memset(a_r, 0, sizeof *a_r);
    if (line.n < HASH_TAIL + 2 || line.n >= AUDIT_LINE_MAX || line.p[0] != '{' ||
        line.p[line.n - 1] != '}' || memcmp(line.p + line.n - HASH_TAIL, ",\"hash\":\"", 9) != 0)
        return -1;
    if (take_members(a_r, line.p + 1, line.p + line.n - 1) < 0 || a_r->seq == 0 || !*a_r->prev ||
        !*a_r->hash)
        return -1;
    digest_bytes((struct span){line.p, line.n - HASH_TAIL}, hash);
    a_r->whole = strcmp(hash, a_r->hash) == 0;
    return 0;
}

/* The code of \uXXXX at p, -1: it is none. */
static int
unicode_escape(const char *p, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    int code = 0;

    if (n < 6 || p[1] != 'u')
        return -1;
    for (int i = 2; i < 6; i++) {
        const char *d = p[i] ? strchr(digits, p[i]) : NULL;

        if (!d)
            return -1;
        code = code << 4 | (int)(d - digits);
    }
    return code;
}

size_t
audit_line_text(struct span raw, char *out, size_t cap)
{
    size_t n = 0;

    for (size_t i = 0; i < raw.n;) {
        char c[4] = {raw.p[i]};
        size_t len = 1, used = 1;

        if (raw.p[i] == '\\' && i + 1 < raw.n) {
            int code = unicode_escape(raw.p + i, raw.n - i);

            used = code < 0 ? 2 : 6;
            c[0] = code < 0 ? raw.p[i + 1] : (char)code;
            if (code >= 0x800) {
                len = 3;
                memcpy(c, "\xef\xbf\xbd", 3);
            } else if (code >= 0x80) {
                len = 2;
                c[0] = (char)(0xc0 | code >> 6);
                c[1] = (char)(0x80 | (code & 0x3f));
            }
        }
        if (n + len >= cap)
            break;
        memcpy(out + n, c, len);
        n += len;
        i += used;
    }
    out[n] = '\0';
    return n;
}
