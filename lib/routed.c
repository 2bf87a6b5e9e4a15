/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * routed: see routed.h.
 *
 * The outer domain goes first, then "site!" in front, then the last '%' becomes '@', as
 * trivial-rewrite(8) does it. Promises: what is longer than an address has none inside. Must not
 * decide whose a domain is, so it finds one where Postfix may see none.
 */
#include "routed.h"

static struct span
without_domain(struct span address)
{
    const char *at = address.n ? memrchr(address.p, '@', address.n) : NULL;

    return at ? (struct span){address.p, (size_t)(at - address.p)} : address;
}

int
routed_inner(struct span address, char out[ADDR_MAX + 1], size_t *n_r)
{
    struct span local = without_domain(address);
    const char *bang, *percent;
    size_t site = 0;

    if (local.n == 0 || local.n > ADDR_MAX)
        return 0;
    bang = memchr(local.p, '!', local.n);
    percent = memrchr(local.p, '%', local.n);
    memcpy(out, local.p, local.n);
    if (memchr(local.p, '@', local.n)) {
        /* It is one as it stands. */
    } else if (bang) {
        site = (size_t)(bang - local.p);
        memcpy(out, bang + 1, local.n - site - 1);
        out[local.n - site - 1] = '@';
        memcpy(out + local.n - site, local.p, site);
    } else if (percent) {
        out[percent - local.p] = '@';
    } else {
        return 0;
    }
    out[local.n] = '\0';
    *n_r = local.n;
    return 1;
}
