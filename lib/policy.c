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

static struct span *
attribute(struct policy_request *req, struct span name)
{
#define KNOWN(field)                                                        \
    {                                                                       \
        {#field, sizeof #field - 1}, offsetof(struct policy_request, field) \
    }
    static const struct {
        struct span name;
        size_t at;
    } known[] = {
        KNOWN(request), KNOWN(protocol_state),  KNOWN(policy_context),    KNOWN(client_address),
        KNOWN(sender),  KNOWN(recipient),       KNOWN(ccert_fingerprint), KNOWN(sasl_username),
        KNOWN(size),    KNOWN(recipient_count),
    };
#undef KNOWN

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (span_same(name, known[i].name))
            return (struct span *)((char *)req + known[i].at);
    return NULL;
}

/* One line without its newline. 0, or -1. */
static int
take_line(struct policy_request *req, struct span line)
{
    const char *equals = memchr(line.p, '=', line.n);
    struct span *value;

    if (!equals || equals == line.p || memchr(line.p, '\0', line.n))
        return -1;
    value = attribute(req, (struct span){line.p, (size_t)(equals - line.p)});
    if (value && !value->p)
        *value = (struct span){equals + 1, line.n - (size_t)(equals + 1 - line.p)};
    return 0;
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
            return req->request.p ? (long)at : -1;
        if (take_line(req, line) < 0)
            return -1;
    }
    return n >= POLICY_REQUEST_MAX ? -1 : 0;
}
