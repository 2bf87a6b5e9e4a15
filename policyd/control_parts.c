/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control_parts: what single entries are made of, as hashes, for `postroad compare` to say
 * not only that an entry differs, but in what. Read-only, bounded; tells no values.
 */
#include "control_digest.h"
#include "fnv.h"
#include "uuid.h"

#define PARTS_MAX 100 /* entries in one request */

static const char *const words[TAG_LAST + 1] = {
    [TAG_RDN] = "RDN",
    [TAG_MAIL] = "address",
    [TAG_ALIAS] = "further addresses",
    [TAG_FORWARD] = "forwards",
    [TAG_HOME] = "home site",
    [TAG_STANDBY] = "standby site",
    [TAG_DENY] = "functions withheld",
    [TAG_QUOTA] = "quota",
    [TAG_ROLE] = "role",
    [TAG_SCOPE] = "scope",
    [TAG_RIGHT] = "rights",
    [TAG_NEXTHOP] = "next hops",
    [TAG_FINGERPRINT] = "certificates",
    [TAG_DESIRED] = "desired state",
    [TAG_MEMBER] = "members",
    [TAG_MEMBER_DN] = "members by DN",
    [TAG_SENDER] = "who may write to it",
    [TAG_CATCHALL] = "catch-all",
    [TAG_DOMAIN] = "domain names",
    [TAG_OWNER_DN] = "owners",
    [TAG_NAME] = "name",
    [TAG_HOST] = "host",
    [TAG_LIMIT] = "limits",
    [TAG_DELEGATE] = "delegates",
};

static uint64_t
hash_of(struct span s)
{
    uint64_t h = fnv64(FNV64, s.p, s.n);

    return h ^ h >> 29;
}

/* Name -> hash of its values, whatever their order. */
static json_t *
parts_of(const struct record *r)
{
    json_t *out = json_pack("{s:s, s:s}", "kind", record_kind_word(record_kind(r)), "state",
                            record_state_word(record_state(r)));
    uint64_t sum[TAG_LAST + 1] = {0};
    enum record_tag tag;
    struct span value;
    size_t pos = 0;

    while (record_next(r, &pos, &tag, &value))
        if (tag <= TAG_LAST)
            sum[tag] += hash_of(value) | 1;
    for (int t = 0; t <= TAG_LAST; t++)
        if (sum[t] && words[t])
            json_object_set_new(out, words[t], json_integer((json_int_t)(sum[t] >> 1)));
    return out;
}

json_t *
digest_parts_json(struct control *c, json_t *uuids)
{
    json_t *entries, *one;
    const char *why;
    struct mirror *m;
    size_t i;

    if (json_array_size(uuids) > PARTS_MAX)
        return control_error(CONTROL_USAGE, "more than %d entries at once", PARTS_MAX);
    m = control_mirror(c, &why);
    if (!m)
        return control_error(CONTROL_TEMPORARY, "%s", why);
    entries = json_object();
    json_array_foreach(uuids, i, one)
    {
        struct span text = {json_string_value(one), json_string_length(one)};
        unsigned char uuid[UUID_LEN];
        struct record r;

        if (text.p && uuid_parse(text, uuid) >= 0 && mirror_entry(m, uuid, &r) == 1)
            json_object_set_new(entries, text.p, parts_of(&r));
    }
    control_mirror_end(c);
    return json_pack("{s:o}", "entries", entries);
}
