/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control_digest: the replies two sites are compared by.
 */
#ifndef POSTROAD_CONTROL_DIGEST_H
#define POSTROAD_CONTROL_DIGEST_H

#include "control.h"

/*
 * {"site", "rules", "current", "domains": [{"name", "digest", "entries"}], "more"}: names in byte order, those
 * above after (p NULL: from the first); "" is what is in no domain. Sites with other rules make other
 * digests of the same entries.
 */
json_t *digest_domains_json(struct control *c, struct span after);
/*
 * {"entries": [{"uuid", "hash", "dn"}], "next"}: entries in the domain's sum, by UUID, those above
 * after; next is the after of the next page, null at the end. hash: 64 bits of the entry's digest.
 */
json_t *digest_entries_json(struct control *c, struct span domain, struct span after);
/*
 * control_parts.c: {"entries": {uuid: {"kind", "state", part: hash, …}}}: of those that are here, by
 * words for people.
 */
json_t *digest_parts_json(struct control *c, json_t *uuids);

#endif
