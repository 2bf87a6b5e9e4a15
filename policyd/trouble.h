/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trouble: what the directory's content makes an administrator's business: addresses
 * that several entries claim, and accounts whose mailbox is on its way to another site.
 */
#ifndef POSTROAD_TROUBLE_H
#define POSTROAD_TROUBLE_H

#include "control.h"

/* Addresses claimed by several entries that were told of in the log; owned by role control. */
struct duplicates {
    char **address; /* in the mirror's order */
    size_t n;
    int cut; /* there are more than are looked at, and that was told */
};

/* At every beat: log each address several entries claim when it appears, and when it is gone. */
void duplicates_watch(struct duplicates *d, struct control *c);
void duplicates_free(struct duplicates *d);

/*
 * One address or domain name that several claim: who has it ("winner"), the DNs of all who claim it,
 * best first, and of those who don't get it ("losers") what it takes to mend it: dn, kind, name
 * (its primary address or domain name, or null) and how ("primary", "alias", or "domain"). At most max of each.
 */
json_t *duplicate_json(struct mirror *m, struct span name, unsigned claims, size_t max);

/* Accounts in state moving: {"count":…, "list":[{"dn":…,"mail":…}]}, at most max in the list. */
json_t *moving_json(struct mirror *m, size_t max);

uint64_t moving_count(struct mirror *m);

#endif
