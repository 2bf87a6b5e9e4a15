/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * access_share: whom folders of a mailbox may be shared with (setting access.share).
 */
#ifndef POSTROAD_ACCESS_SHARE_H
#define POSTROAD_ACCESS_SHARE_H

#include "access_decide.h"

struct access_shared {
    enum access_verdict verdict;
    int rule;         /* of postroad-rights(7); 0: the setting decided */
    const char *why;  /* fixed words */
    const char *text; /* of no: for people */
};

/*
 * Whether actor, in the mailbox of target, may let identifier in: an account's name, with or
 * without "user=", or "$group", "group=…", "anyone", "authenticated", "owner"; a "-" before it is
 * no matter. age_ms, work: as for access_decide.
 */
void access_share(const struct conf *conf, struct mirror *m, int64_t age_ms, struct span actor,
                  struct span target, struct span identifier, struct rights_answer *work,
                  struct access_shared *out);

#endif
