/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as a stream of policy requests: what is consumed ends with an empty line, no shorter
 * piece of it was a request, and each value lies inside it and ends at a newline.
 */
#include <string.h>

#include "fuzz.h"
#include "policy.h"

static void
lies_inside(struct span s, const char *p, long used)
{
    if (!s.p)
        return;
    must(s.p > p && s.p[-1] == '=' && s.p + s.n < p + used && s.p[s.n] == '\n');
    must(!memchr(s.p, '\n', s.n) && !memchr(s.p, '\0', s.n));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    const char *p = (const char *)bytes;
    struct policy_request r;
    long used;

    while ((used = policy_parse(p, n, &r)) > 0) {
        must((size_t)used <= n && used >= 2 && p[used - 1] == '\n' && p[used - 2] == '\n');
        must(policy_parse(p, (size_t)used, &r) == used);
        must(r.request.p != NULL);
        lies_inside(r.request, p, used);
        lies_inside(r.protocol_state, p, used);
        lies_inside(r.policy_context, p, used);
        lies_inside(r.client_address, p, used);
        lies_inside(r.sender, p, used);
        lies_inside(r.recipient, p, used);
        lies_inside(r.ccert_fingerprint, p, used);
        must(policy_parse(p, (size_t)used - 1, &r) == 0);
        p += used;
        n -= (size_t)used;
    }
    must(used == 0 || used == -1);
    return 0;
}
