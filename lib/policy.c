/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy: requests of the policy delegation protocol, out of bytes.
 *
 * Promises: the spans handed out point into the caller's buffer and hold neither a
 * newline nor a NUL; what can't become a request is bad as soon as that shows, so
 * nobody has to keep more than POLICY_REQUEST_MAX bytes. Goes over the bytes once, for
 * smtpd asks with near thirty attributes for each recipient. Must not read, log,
 * allocate or keep state: a caller that got 0 comes again with more bytes.
 */
#include "policy.h"

#include "byte_marks.h"

#define IS(name, text) (memcmp((name).p, text, sizeof(text) - 1) == 0)

/* Where the value of that attribute goes; NULL: it is none of ours, as most of a request's are not. */
static struct span *
attribute(struct policy_request *req, struct span name)
{
    switch (name.n) {
    case sizeof("size") - 1:
        return IS(name, "size") ? &req->size : NULL;
    case sizeof("sender") - 1:
        return IS(name, "sender") ? &req->sender : NULL;
    case sizeof("request") - 1:
        return IS(name, "request") ? &req->request : NULL;
    case sizeof("recipient") - 1:
        return IS(name, "recipient") ? &req->recipient : NULL;
    case sizeof("sasl_username") - 1:
        return IS(name, "sasl_username") ? &req->sasl_username : NULL;
    case sizeof("protocol_state") - 1: /* as long as policy_context and client_address */
        return IS(name, "protocol_state")   ? &req->protocol_state
               : IS(name, "policy_context") ? &req->policy_context
               : IS(name, "client_address") ? &req->client_address
                                            : NULL;
    case sizeof("recipient_count") - 1:
        return IS(name, "recipient_count") ? &req->recipient_count : NULL;
    case sizeof("ccert_fingerprint") - 1:
        return IS(name, "ccert_fingerprint") ? &req->ccert_fingerprint : NULL;
    default:
        return NULL;
    }
}

/* Where we are in a request: the line that has begun, and its first '=', once that was seen. */
struct scan {
    const char *line, *equals;
};

/* A line with its newline at end. 1 it ends the request; 0 go on; -1 bad. */
static inline int
take_line(struct policy_request *req, const struct scan *s, const char *end)
{
    struct span *value;

    if (end == s->line)
        return req->request.p ? 1 : -1;
    if (!s->equals || s->equals == s->line || end - s->line >= POLICY_LINE_MAX)
        return -1;
    value = attribute(req, (struct span){s->line, (size_t)(s->equals - s->line)});
    if (value && !value->p)
        *value = (struct span){s->equals + 1, (size_t)(end - s->equals - 1)};
    return 0;
}

/* The lines that end in a block, by the marks of what is in it. >0: the request ends before that place; 0, -1. */
static inline long
take_block(struct policy_request *req, struct scan *s, const char *block, uint64_t newlines,
           uint64_t equals)
{
    for (; newlines; newlines &= newlines - 1) {
        int at = __builtin_ctzll(newlines), what;

        if (!s->equals && equals && __builtin_ctzll(equals) < at)
            s->equals = block + __builtin_ctzll(equals);
        if ((what = take_line(req, s, block + at)) != 0)
            return what < 0 ? -1 : at + 1;
        *s = (struct scan){block + at + 1, NULL};
        equals &= ~UINT64_C(1) << at;
    }
    if (!s->equals && equals)
        s->equals = block + __builtin_ctzll(equals);
    return 0;
}

static int
has_nul(const char *buf, size_t n)
{
    return n > 0 && memchr(buf, '\0', n);
}

long
policy_parse(const char *buf, size_t n, struct policy_request *req)
{
    size_t room = n < POLICY_REQUEST_MAX ? n : POLICY_REQUEST_MAX, at;
    struct scan s = {buf, NULL};
    char last[BYTE_MARKS] = "";
    long end = 0;

    *req = (struct policy_request){.request = {NULL, 0}};
    for (at = 0; at < room && end == 0; at += BYTE_MARKS) {
        const char *block = buf + at;
        uint64_t present = UINT64_MAX;

        if (room - at < BYTE_MARKS) {
            memcpy(last, block, room - at);
            block = last;
            present = (UINT64_C(1) << (room - at)) - 1;
        }
        end = take_block(req, &s, buf + at, byte_marks(block, '\n') & present,
                         byte_marks(block, '=') & present);
    }
    if (end > 0)
        end += (long)(at - BYTE_MARKS);
    else if (end == 0 && (n >= POLICY_REQUEST_MAX || buf + room - s.line >= POLICY_LINE_MAX))
        end = -1;
    return end < 0 || has_nul(buf, end > 0 ? (size_t)end : (size_t)(s.line - buf)) ? -1 : end;
}
