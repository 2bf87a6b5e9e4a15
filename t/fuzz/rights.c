/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as a DN: what is below what agrees with taking off one RDN after the other,
 * and an action, level or right is only what its own word says.
 */
#include <string.h>

#include "fuzz.h"
#include "rights.h"

/* Whether top is dn, or what it stands below at some depth. */
static int
is_ancestor(struct span dn, struct span top)
{
    for (; dn.n > top.n; dn = rights_parent(dn))
        must(rights_parent(dn).n < dn.n);
    return span_same(dn, top);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct span dn = {(const char *)data, n};
    int action = rights_action_parse(dn), level = rights_level_parse(dn);

    if (n > 2048)
        return 0;
    must(rights_below(dn, dn) && rights_below(dn, (struct span){NULL, 0}));
    for (size_t i = 0; i < n; i++) {
        struct span top = {dn.p + i, n - i};

        must(rights_below(dn, top) == is_ancestor(dn, top));
        must(i == 0 || !rights_below(top, dn));
    }
    must(rights_in_tree(RIGHTS_ACCOUNT, dn, rights_parent(dn)) == (n > 0));
    must(!rights_in_tree(RIGHTS_CONTAINER, dn, rights_parent(dn)));
    must(action < 0 || span_same(span_of(rights_action_word((enum rights_action)action)), dn) ||
         span_same(dn, span_of("grant:role")));
    must(level < 0 || strlen(rights_level_word((enum rights_level)level)) == n);
    return 0;
}
