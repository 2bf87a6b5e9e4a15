/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * access_request: reading the fields of a request, writing those of its answer. What
 * does not fit makes the answer no line, which access_answer() sees. Must not know any
 * word.
 */
#include "access_request.h"

#include <stdio.h>

struct span
request_field(const struct request *r, const char *key)
{
    struct span value;

    tabline_get(r->line, key, &value);
    return value;
}

struct span
request_needed(struct request *r, const char *key)
{
    struct span value = request_field(r, key);

    if (value.n == 0 && !r->bad)
        r->bad = "a field that is needed is missing or empty";
    return value;
}

void
request_say(struct request *r, const char *word)
{
    tabline_begin(&r->out, r->out.buf, r->out.cap, word);
}

void
request_text(struct request *r, const char *key, const char *text)
{
    tabline_add_some(&r->out, key, span_of(text));
}

void
request_number(struct request *r, const char *key, long long n)
{
    char text[24];

    snprintf(text, sizeof text, "%lld", n);
    request_text(r, key, text);
}

void
request_ok(struct request *r)
{
    r->verdict = ACCESS_YES;
    request_say(r, "ok");
}

void
request_unsure(struct request *r, const char *why)
{
    r->verdict = ACCESS_UNSURE;
    request_say(r, "unsure");
    request_text(r, "why", why);
}

void
request_no(struct request *r, int rule, const char *why, const char *text)
{
    r->verdict = ACCESS_NO;
    request_say(r, "no");
    request_number(r, "rule", rule);
    request_text(r, "why", why);
    request_text(r, "text", text);
}
