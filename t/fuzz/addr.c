/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as an address: what parses is within its limits and is its own canonical form. */
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct addr a, again;
    char out[ADDR_MAX + 1], domain[ADDR_DOMAIN_MAX + 1];
    int r = addr_parse(&a, (const char *)data, n, "+-");

    must((r == 0) == (n == 0 || !memchr(data, '@', n)));
    if (addr_domain_canon((const char *)data, n, domain) > 0)
        must(addr_domain_canon(domain, strlen(domain), out) > 0 && strcmp(domain, out) == 0);
    if (r != 1)
        return 0;
    must(a.len <= ADDR_MAX && strlen(a.text) == a.len && a.text[a.at] == '@');
    must(a.base > 0 && a.base <= a.at && strlen(addr_domain(&a)) <= ADDR_DOMAIN_MAX);
    must(addr_parse(&again, a.text, a.len, "+-") == 1);
    must(again.at == a.at && again.base == a.base && strcmp(again.text, a.text) == 0);
    must(addr_rewrite(&a, 1, NULL, out) == a.len && strcmp(out, a.text) == 0);
    return 0;
}
