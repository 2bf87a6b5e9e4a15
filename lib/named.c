/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * named: see named.h. An address is compared with the primary one: who looks people up has resolved
 * aliases and extensions before. Must not know where people are looked up.
 */
#include "named.h"

#include <stdio.h>

int
named_parse(struct named *n, struct span text)
{
    const char *slash = memchr(text.p, '/', text.n);
    size_t len = slash ? (size_t)(slash - text.p) : text.n;
    struct addr a;

    *n = (struct named){.account = ""};
    if (memchr(text.p, '@', len)) {
        if (addr_parse(&a, text.p, text.n, "") != 1)
            return -1;
        memcpy(n->account, a.text, sizeof n->account);
        return 0;
    }
    if (addr_domain_canon(text.p, len, n->domain) <= 0)
        return -1;
    if (slash)
        snprintf(n->department, sizeof n->department, "%.*s", (int)(text.n - len - 1), slash + 1);
    return slash && (!*n->department || text.n - len > sizeof n->department) ? -1 : 0;
}

/* Whether path is that of department, or of one below it. */
static int
is_below(const char *path, const char *department)
{
    size_t n = strlen(department);

    return strncmp(path, department, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

int
named_is(const struct named *n, const char *account, const char *domain, const char *department)
{
    if (*n->account)
        return strcmp(n->account, account) == 0;
    return strcmp(n->domain, domain) == 0 &&
           (!*n->department || is_below(department, n->department));
}
