/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control_taken: answers `postroad` before it gives somebody an address: is it
 * claimed by any entry of the mirror, of whatever domain, kind or state?
 *
 * Promises: a claim that can't be looked up is an error, never "free". Must not be
 * taken for the directory's own word: between the answer and the change, another
 * administrator may be faster.
 */
#include "control_taken.h"

#include <string.h>

#include "status.h"

struct taken {
    struct mirror *m;
    json_t *rows;
    struct span asked; /* as it was written */
};

static int
on_claim(void *ctx, const struct mirror_claim *claim)
{
    struct taken *t = ctx;
    char dn[MIRROR_DN_MAX];
    long n = mirror_dn_of(t->m, claim->uuid, dn, sizeof dn);
    struct span s = {dn, n > 0 ? (size_t)n : 0};

    json_array_append_new(t->rows, json_pack("{s:o, s:o, s:s, s:s}", "address",
                                             control_text(t->asked), "dn", control_text(s), "kind",
                                             record_kind_word((enum record_kind)claim->kind), "how",
                                             claim->how == CLAIM_PRIMARY ? "primary" : "alias"));
    return 0;
}

/* Both the address itself and what it is at the domain's primary name. */
static void
look(struct taken *t, const struct addr *a)
{
    char primary[ADDR_DOMAIN_MAX + 1], text[ADDR_MAX + 1];
    struct mirror_domain d;

    mirror_each_claim(t->m, span_of(a->text), on_claim, t);
    if (mirror_domain(t->m, span_of(addr_domain(a)), &d) != 1 || !d.is_alias ||
        d.primary.n >= sizeof primary)
        return;
    memcpy(primary, d.primary.p, d.primary.n);
    primary[d.primary.n] = '\0';
    if (addr_rewrite(a, 1, primary, text) > 0)
        mirror_each_claim(t->m, span_of(text), on_claim, t);
}

static void
look_all(struct taken *t, json_t *addresses, json_t *bad)
{
    struct addr a;
    json_t *one;
    size_t i;

    json_array_foreach(addresses, i, one)
    {
        t->asked = (struct span){json_string_value(one), json_string_length(one)};
        if (t->asked.p && addr_parse(&a, t->asked.p, t->asked.n, "") == 1)
            look(t, &a);
        else
            json_array_append(bad, one);
    }
}

json_t *
taken_json(struct control *c, json_t *addresses)
{
    struct mirror_info info;
    const char *why;
    struct taken t = {control_mirror(c, &why), NULL, {NULL, 0}};
    json_t *bad;
    int usable;

    if (!t.m)
        return control_error(CONTROL_TEMPORARY, "the mirror can't be read: %s", why);
    t.rows = json_array();
    bad = json_array();
    usable = mirror_info(t.m, &info) == 0 && info.complete;
    if (usable)
        look_all(&t, addresses, bad);
    usable = usable && !mirror_failed(t.m);
    control_mirror_end(c);
    if (usable)
        return json_pack("{s:o, s:o}", "taken", t.rows, "bad", bad);
    json_decref(t.rows);
    json_decref(bad);
    return control_error(CONTROL_TEMPORARY, "the mirror was never filled, or can't be read");
}
