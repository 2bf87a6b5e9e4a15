/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hold_parse: reads a rule of milter.moderate; see hold_rule.h.
 *
 * Parts are separated by blanks; values of one part by commas; 'single quotes' keep blanks, commas and
 * what else has a meaning. Promises: a rule that is not fully understood is an error, with what may have
 * been meant; one without a condition is one too, as it would hold all mail.
 */
#include <stdarg.h>
#include <stdio.h>

#include "fold_text.h"
#include "hold_rule.h"
#include "nearest.h"

struct parsing {
    struct hold_rule *r;
    const char *part, *end; /* the part being read */
    struct span value;      /* of it */
    char *error;
    size_t error_n;
    unsigned seen; /* which parts there were, bit by bit */
};

static int fail(struct parsing *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int
fail(struct parsing *p, const char *fmt, ...)
{
    int n = *p->r->name ? snprintf(p->error, p->error_n, "rule \"%s\": ", p->r->name) : 0;
    va_list ap;

    if (n < 0 || (size_t)n >= p->error_n)
        return -1;
    va_start(ap, fmt);
    vsnprintf(p->error + n, p->error_n - (size_t)n, fmt, ap);
    va_end(ap);
    return -1;
}

/* --- pieces --- */

/* The next of the values between commas, without quotes, into out; its length; -1 there is none; -2 wrong. */
static int
next_value(struct span *rest, char *out, size_t cap)
{
    size_t n = 0;
    int quoted = 0;

    if (!rest->p)
        return -1;
    while (rest->n > 0 && (quoted || *rest->p != ',')) {
        if (*rest->p == '\'')
            quoted = !quoted;
        else if (n + 1 < cap)
            out[n++] = *rest->p;
        else
            return -2;
        rest->p++;
        rest->n--;
    }
    out[n] = '\0';
    *rest = rest->n > 0 ? (struct span){rest->p + 1, rest->n - 1} : (struct span){NULL, 0};
    return n > 0 ? (int)n : -2;
}

static int64_t
number(struct span text, const char *units, const int64_t *factors, int64_t most)
{
    int64_t n = 0;
    size_t at = 0;

    while (at < text.n && text.p[at] >= '0' && text.p[at] <= '9' && n <= most)
        n = 10 * n + (text.p[at++] - '0');
    if (at == 0 || n > most)
        return -1;
    if (at + 1 == text.n && strchr(units, text.p[at])) {
        int64_t factor = factors[strchr(units, text.p[at]) - units];

        return n > most / factor ? -1 : n * factor;
    }
    return at == text.n && *factors == 1 ? n : -1;
}

int64_t
hold_duration(struct span text)
{
    static const int64_t seconds[] = {1, 60, 3600, 86400, 7 * 86400};
    int64_t n = text.n > 0 && strchr("smhdw", text.p[text.n - 1])
                    ? number(text, "smhdw", seconds, HOLD_EXPIRE_S)
                    : -1;

    return n > 0 ? n : -1;
}

/* --- one part each --- */

static int
take_who(struct parsing *p, struct named *named, unsigned *n)
{
    char value[1024];
    int len;

    while ((len = next_value(&p->value, value, sizeof value)) > 0) {
        if (*n == HOLD_WHO)
            return fail(p, "\"%.*s\" names more than %d", (int)(p->end - p->part), p->part,
                        HOLD_WHO);
        if (named_parse(&named[(*n)++], (struct span){value, (size_t)len}) < 0)
            return fail(p, "\"%.80s\" is no address, domain or domain/department", value);
    }
    return len == -1 ? 0
                     : fail(p, "\"%.*s\" holds an empty or too long value", (int)(p->end - p->part),
                            p->part);
}

static int
take_from(struct parsing *p)
{
    return take_who(p, p->r->from, &p->r->froms);
}

static int
take_to(struct parsing *p)
{
    return take_who(p, p->r->to, &p->r->tos);
}

static int
take_direction(struct parsing *p)
{
    static const char *const words[] = {"inside", "local", "handoff", "inbound", "outbound", NULL};
    static const unsigned bits[] = {1u << DIRECTION_LOCAL | 1u << DIRECTION_HANDOFF |
                                        1u << DIRECTION_UNKNOWN,
                                    1u << DIRECTION_LOCAL, 1u << DIRECTION_HANDOFF,
                                    1u << DIRECTION_INBOUND, 1u << DIRECTION_OUTBOUND};
    char value[64];
    int len;

    while ((len = next_value(&p->value, value, sizeof value)) > 0) {
        unsigned i = 0;

        while (words[i] && strcmp(words[i], value) != 0)
            i++;
        if (!words[i]) {
            const char *near = nearest_word(value, words);

            return fail(p, "no direction is \"%.40s\"%s%s%s", value,
                        near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
        }
        p->r->directions |= bits[i];
    }
    return len == -1 ? 0 : fail(p, "a direction is missing");
}

static int
take_members(struct parsing *p)
{
    static const int64_t one[] = {1};

    p->r->members = number(p->value, "", one, 100000000);
    return p->r->members >= 0
               ? 0
               : fail(p, "\"%.*s\" is no number of members", (int)p->value.n, p->value.p);
}

static int
take_size(struct parsing *p)
{
    static const int64_t bytes[] = {1, 1 << 10, 1 << 20, 1 << 30};

    p->r->size = number(p->value, "BKMG", bytes, 1LL << 40);
    return p->r->size >= 0 ? 0
                           : fail(p, "\"%.*s\" is no size; write bytes, or 20M (K, M, G)",
                                  (int)p->value.n, p->value.p);
}

/* Values into words, one behind the other; with is_type as ends of names. */
static int
take_words(struct parsing *p, char words[HOLD_WORDS], int is_type)
{
    char value[256];
    size_t n = 0;
    int len;

    while ((len = next_value(&p->value, value, sizeof value)) > 0) {
        const char *word = is_type && *value == '.' ? value + 1 : value;
        long folded = fold_text(words + n, HOLD_WORDS - 1 - n, span_of(word));

        if (folded <= 0)
            return fail(p, folded < 0 ? "\"%.*s\" holds too much" : "\"%.*s\" holds an empty word",
                        (int)(p->end - p->part), p->part);
        if (is_type && strpbrk(word, "/\\ *") && strcmp(word, "*") != 0)
            return fail(p, "\"%.40s\" is no end of a file's name, such as exe", value);
        n += (size_t)folded + 1;
        words[n] = '\0';
    }
    return len == -1 ? 0
                     : fail(p, "\"%.*s\" holds an empty or too long value", (int)(p->end - p->part),
                            p->part);
}

static int
take_subject(struct parsing *p)
{
    return take_words(p, p->r->subject, 0);
}

static int
take_attachment(struct parsing *p)
{
    char *types = p->r->attachment;

    if (take_words(p, types, 1) < 0)
        return -1;
    /* Any is any, whatever else is named. */
    for (const char *type = types; *type; type += strlen(type) + 1)
        if (strcmp(type, "*") == 0)
            memcpy(types, "*\0", 3);
    return 0;
}

static int
take_expire(struct parsing *p)
{
    p->r->expire_s = hold_duration(p->value);
    return p->r->expire_s > 0 ? 0
                              : fail(p, "\"%.*s\" is no time, such as 90m, 12h, 5d or 2w",
                                     (int)p->value.n, p->value.p);
}

static int
take_on_expire(struct parsing *p)
{
    static const char *const words[] = {"reject", "approve", "keep", NULL};
    char value[32] = "";
    int found = next_value(&p->value, value, sizeof value) > 0 ? held_on_expire_find(value) : -1;
    const char *near = nearest_word(value, words);

    p->r->on_expire = (enum held_on_expire)(found < 0 ? 0 : found);
    return found >= 0 && !p->value.p
               ? 0
               : fail(p, "on-expire is reject, approve or keep%s%s%s",
                      near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

/* --- the rule --- */

static const char *const keys[] = {"from",    "to",         "direction", "list-members", "size",
                                   "subject", "attachment", "expire",    "on-expire",    NULL};
#define CONDITIONS 7 /* the first of them; the others are options */
static int (*const takers[])(struct parsing *) = {take_from,       take_to,     take_direction,
                                                  take_members,    take_size,   take_subject,
                                                  take_attachment, take_expire, take_on_expire};

static int
take_part(struct parsing *p)
{
    char key[32] = "";
    size_t n = strcspn(p->part, "=> \t");
    unsigned i = 0;
    const char *near;

    snprintf(key, sizeof key, "%.*s", (int)(n < sizeof key ? n : sizeof key - 1), p->part);
    while (keys[i] && strcmp(keys[i], key) != 0)
        i++;
    near = keys[i] ? NULL : nearest_word(key, keys);
    if (!keys[i] || p->part + n >= p->end)
        return fail(p, "\"%.*s\" is no condition%s%s%s", (int)(p->end - p->part), p->part,
                    near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    if ((p->part[n] == '>') != (i == 3 || i == 4))
        return fail(p, "write \"%s%c...\"", key, i == 3 || i == 4 ? '>' : '=');
    if (p->seen >> i & 1)
        return fail(p, "\"%s\" stands there twice; separate values by commas", key);
    p->seen |= 1u << i;
    p->value = (struct span){p->part + n + 1, (size_t)(p->end - p->part) - n - 1};
    return takers[i](p);
}

/* The end of the part at text; NULL: a quote is not closed. */
static const char *
part_end(const char *text)
{
    int quoted = 0;

    while (*text && (quoted || (*text != ' ' && *text != '\t'))) {
        quoted ^= *text == '\'';
        text++;
    }
    return quoted ? NULL : text;
}

static int
take_name(struct parsing *p, const char *text, const char **rest_r)
{
    size_t n = 0;

    while ((text[n] >= '0' && text[n] <= '9') || (text[n] >= 'a' && text[n] <= 'z') ||
           (text[n] >= 'A' && text[n] <= 'Z') || (n > 0 && (text[n] == '-' || text[n] == '_')))
        n++;
    if (n == 0 || text[n] != ':')
        return fail(
            p, "\"%.60s\" does not begin with a name of letters, digits, - and _, and \":\"", text);
    if (n >= sizeof p->r->name)
        return fail(p, "the name of \"%.60s\" is longer than %d bytes", text, HOLD_NAME - 1);
    memcpy(p->r->name, text, n);
    *rest_r = text + n + 1;
    return 0;
}

int
hold_rule_parse(struct hold_rule *r, const char *text, char *error, size_t error_n)
{
    struct parsing p = {.r = r, .error = error, .error_n = error_n};
    size_t n;

    memset(r, 0, sizeof *r);
    r->members = r->size = -1;
    if (take_name(&p, text, &text) < 0)
        return -1;
    for (text += strspn(text, " \t"); *text; text = p.end + strspn(p.end, " \t")) {
        unsigned before = p.seen;

        p.part = text;
        p.end = part_end(text);
        if (!p.end)
            return fail(&p, "a quote is not closed: %.60s", text);
        if (take_part(&p) < 0)
            return -1;
        n = strlen(r->text);
        if (((p.seen ^ before) >> CONDITIONS) > 0)
            continue;
        if (n + (size_t)(p.end - text) + 2 > sizeof r->text)
            return fail(&p, "its conditions are longer than %d bytes", HOLD_TEXT - 1);
        snprintf(r->text + n, sizeof r->text - n, "%s%.*s", n > 0 ? " " : "", (int)(p.end - text),
                 text);
    }
    return *r->text ? 0 : fail(&p, "it has no condition, and would hold all mail");
}
