/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control_digest: what `postroad compare` asks two sites: the digest of each domain,
 * and, entry by entry, what the digest of one domain is made of.
 *
 * Promises: read-only; each reply is a page, with bounded work for it, so that a
 * directory of any size holds nobody up. It goes over the control socket, to those
 * who may ask there, as it names people.
 */
#include "control_digest.h"

#include <stdio.h>

#include "feed.h"
#include "status.h"
#include "status.h"
#include "uuid.h"

#define PAGE_DOMAINS 10000
#define PAGE_ENTRIES 2000
#define CURRENT_MS   5000
#define PAGE_LOOKED  50000 /* entries looked at for one page */

/* What an entry's digest depends on besides the entry: sites that differ in it can't be compared. */
static json_t *
rules_json(const struct conf *conf)
{
    char text[UUID_TEXT_LEN + 1], error[128];
    const struct span none = {"", 0};
    struct feed f;

    if (feed_open(&f, conf, error, sizeof error) < 0)
        return json_null();
    feed_fingerprint(&f, none, none, text);
    feed_close(&f);
    return json_string(text);
}

/* --- domains --- */

struct domains {
    json_t *list;
    struct span after;
    int more;
};

static int
is_above(struct span a, struct span b)
{
    int c = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

    return c ? c > 0 : a.n > b.n;
}

static int
on_domain(void *ctx, struct span name, const struct digest *d)
{
    struct domains *w = ctx;
    char hex[2 * DIGEST_LEN + 1];

    if (w->after.p && !is_above(name, w->after))
        return 0;
    if (json_array_size(w->list) == PAGE_DOMAINS) {
        w->more = 1;
        return 1;
    }
    digest_hex(d, hex);
    json_array_append_new(w->list, json_pack("{s:o, s:s, s:I}", "name", control_text(name),
                                             "digest", hex, "entries", (json_int_t)d->count));
    return 0;
}

/* Whether the mirror holds what the directory held a moment ago. */
static int
is_current(const struct control *c)
{
    const struct board *b = &c->env->board;
    uint64_t phase = board_get(b, BOARD_SYNC, BOARD_SYNC_PHASE);
    int64_t proof = status_proof_ms(b);

    if (*c->env->conf->directory.ldif)
        return phase == PHASE_LOADED;
    return phase == PHASE_PERSIST && proof > 0 && control_now().mono_ms - proof < CURRENT_MS;
}

json_t *
digest_domains_json(struct control *c, struct span after)
{
    const char *why;
    struct mirror *m = control_mirror(c, &why);
    struct domains w = {json_array(), after, 0};
    struct mirror_info info;
    int complete;

    if (m) {
        complete = mirror_info(m, &info) == 0 && info.complete;
        mirror_each_digest(m, on_domain, &w);
        control_mirror_end(c);
    }
    if (!m || !complete) {
        json_decref(w.list);
        return control_error(CONTROL_TEMPORARY, "%s", m ? "the mirror was never filled" : why);
    }
    return json_pack("{s:s, s:o, s:b, s:o, s:b}", "site", c->env->conf->site, "rules",
                     rules_json(c->env->conf), "current", is_current(c), "domains", w.list, "more",
                     w.more);
}

/* --- entries --- */

struct entries {
    struct mirror *m;
    json_t *list;
    struct span domain;
    unsigned looked;
    unsigned char last[UUID_LEN];
};

static json_t *
entry_json(struct mirror *m, const unsigned char uuid[UUID_LEN], const struct record *r)
{
    char text[UUID_TEXT_LEN + 1], hash[17], dn[MIRROR_DN_MAX];
    struct digest d = {0};
    long n = mirror_dn_of(m, uuid, dn, sizeof dn);
    struct span name = {dn, n > 0 ? (size_t)n : 0};

    uuid_text(uuid, text);
    digest_update(&d, uuid, r, 1);
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)d.lane[0]);
    return json_pack("{s:s, s:s, s:o}", "uuid", text, "hash", hash, "dn", control_text(name));
}

static int
on_entry(void *ctx, const unsigned char uuid[UUID_LEN], const struct record *r)
{
    struct entries *w = ctx;
    struct span domain;

    if (w->looked++ == PAGE_LOOKED || json_array_size(w->list) == PAGE_ENTRIES)
        return 1;
    memcpy(w->last, uuid, UUID_LEN);
    if (digest_domain(r, &domain) && span_same(domain, w->domain))
        json_array_append_new(w->list, entry_json(w->m, uuid, r));
    return 0;
}

json_t *
digest_entries_json(struct control *c, struct span domain, struct span after)
{
    unsigned char from[UUID_LEN];
    char next[UUID_TEXT_LEN + 1];
    const char *why;
    struct entries w = {.domain = domain};
    int end;

    if (after.p && uuid_parse(after, from) < 0)
        return control_error(CONTROL_USAGE, "after is no UUID");
    w.m = control_mirror(c, &why);
    if (!w.m)
        return control_error(CONTROL_TEMPORARY, "%s", why);
    w.list = json_array();
    end = mirror_each_entry(w.m, after.p ? from : NULL, on_entry, &w);
    control_mirror_end(c);
    if (end < 0) {
        json_decref(w.list);
        return control_error(CONTROL_TEMPORARY, "the mirror can't be read");
    }
    uuid_text(w.last, next);
    return json_pack("{s:o, s:o}", "entries", w.list, "next",
                     end ? json_null() : json_string(next));
}
