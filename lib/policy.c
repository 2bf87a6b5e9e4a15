/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy: requests of the policy delegation protocol, out of bytes.
 *
 * Promises: the spans handed out point into the caller's buffer and hold neither a
 * newline nor a NUL; what can't become a request is bad as soon as that shows, so
 * nobody has to keep more than POLICY_REQUEST_MAX bytes. Must not read, log,
 * allocate or keep state: a caller that got 0 comes again with more bytes.
 */
#include "policy.h"

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

/* One line without its newline. 0, or -1. */
static int
take_line(struct policy_request *req, struct span line)
{
    const char *equals = memchr(line.p, '=', line.n);
    struct span *value;

    if (!equals || equals == line.p)
        return -1;
    value = attribute(req, (struct span){line.p, (size_t)(equals - line.p)});
    if (value && !value->p)
        *value = (struct span){equals + 1, line.n - (size_t)(equals + 1 - line.p)};
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
    size_t at = 0, room = n < POLICY_REQUEST_MAX ? n : POLICY_REQUEST_MAX;

    *req = (struct policy_request){.request = {NULL, 0}};
    while (at < room) {
        size_t most = room - at < POLICY_LINE_MAX ? room - at : POLICY_LINE_MAX;
        const char *end = memchr(buf + at, '\n', most);
        struct span line = {buf + at, end ? (size_t)(end - buf) - at : most};

        if (!end && most == POLICY_LINE_MAX)
            return -1;
        if (!end)
            break;
        at += line.n + 1;
        if (line.n == 0)
            return req->request.p && !has_nul(buf, at) ? (long)at : -1;
        if (take_line(req, line) < 0)
            return -1;
    }
    return n >= POLICY_REQUEST_MAX || has_nul(buf, at) ? -1 : 0;
}
