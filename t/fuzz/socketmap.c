/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as a stream of requests, and the keys in it as data of replies: what is consumed was
 * a whole netstring, no shorter piece of it was, and a reply reads back as it was written.
 */
#include <string.h>

#include "fuzz.h"
#include "socketmap.h"

static void
reply_and_back(struct span key, enum socketmap_status status)
{
    static char out[SOCKETMAP_WIRE_MAX];
    enum socketmap_status got;
    struct span payload, data;
    long n = socketmap_reply(out, sizeof out, status, key);

    must(n > 0 && netstring_parse(out, (size_t)n, SOCKETMAP_REPLY_MAX, &payload) == n);
    must(socketmap_reply_parse(payload, &got, &data) == 0);
    must(got == status && data.n == key.n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    const char *p = (const char *)bytes;
    struct socketmap_request req;
    long used;

    while ((used = socketmap_parse(p, n, &req)) > 0) {
        must((size_t)used <= n && p[used - 1] == ',');
        must(socketmap_parse(p, (size_t)used - 1, &req) == 0);
        must(socketmap_parse(p, (size_t)used, &req) == used);
        if (req.name.p) {
            must(req.name.n > 0 && req.name.n <= 64 && req.name.p > p);
            must(req.key.p + req.key.n == p + used - 1);
            reply_and_back(req.key, (enum socketmap_status)(req.key.n % 4));
        }
        p += used;
        n -= (size_t)used;
    }
    return 0;
}
