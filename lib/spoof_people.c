/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spoof_people: see spoof_people.h. A word of the directory's that is no action counts as none: the
 * configuration's default holds then.
 */
#include "spoof_people.h"

#include <string.h>

int
spoof_people_domain(void *ctx, struct span name, struct spoof_domain *out)
{
    struct people_domain d;
    int found = people_domain(ctx, name, &d);

    if (found == 1) {
        memcpy(out->primary, d.primary, sizeof out->primary);
        out->action = spoof_action_parse(span_of(d.spoof));
    }
    return found;
}
