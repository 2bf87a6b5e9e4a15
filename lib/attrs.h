/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * attrs: from a directory entry's attributes to a packed record, by the
 * configured map of classes and attribute names (directory.map, presets).
 *
 * What makes no sense (a state nobody knows, an address that is none) is left
 * out of the record and reported in words; it never makes mail bounce: an
 * unknown state counts as active, unless it is unreadable altogether. Pure.
 */
#ifndef POSTROAD_ATTRS_H
#define POSTROAD_ATTRS_H

#include <stddef.h>

#include "account.h"
#include "conf.h"
#include "filter.h"

/*
 * Fill the unset parts of map from the preset (postroad, iredmail, univention, laser). What it
 * fills in is static: map is a copy of the configuration's, and is not to be freed by conf_free.
 * -1: no such preset.
 */
int attrs_preset(const char *preset, struct conf_class map[CLASS_N]);

/* The functions that can be withheld (postroadDeny), blank-separated. */
extern const char attrs_deny_words[];

/*
 * Make a DN canonical for comparing: lower case, no optional blanks. Given by the directory
 * files, which have the LDAP library; returns the length, or -1 when it is no DN.
 */
typedef long attrs_dn_fn(struct span dn, char *out, size_t cap);

/*
 * Pack e (its RDN as written in rdn) into buf. Always succeeds in making a record unless it does
 * not fit (-1: too large). complaint: one sentence about what was left out, "" when all was well;
 * always valid UTF-8 without control bytes. An entry that several classes match is of the first.
 * created comes from createTimestamp among the attributes (generalized time), 0 without.
 * quota_unit: bytes in one unit of the quota attributes; postroadQuota is always in bytes.
 */
int attrs_pack(const struct conf_class map[CLASS_N], const struct entry_view *e, struct span rdn,
               int quota_unit, attrs_dn_fn *dn, unsigned char *buf, size_t cap, struct record *r,
               char *complaint, size_t complaint_n);

/*
 * Add the values of `member` as TAG_MEMBER_DN to r, which attrs_pack has just made of e in buf: for the
 * group of administrators, which is of no class that has members. 0; -1: they don't fit, r is as it was.
 */
int attrs_pack_members(const struct entry_view *e, attrs_dn_fn *dn, unsigned char *buf, size_t cap,
                       struct record *r);

/*
 * The attributes a search must ask for, each once, NULL-terminated. One malloc'd block, names
 * included: free() it. NULL: no memory.
 */
const char **attrs_wanted(const struct conf_class map[CLASS_N]);

#endif
