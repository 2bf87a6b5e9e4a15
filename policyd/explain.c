/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explain: why mail to an address goes where it goes: the owner, the settings and
 * which entry they come from, the rules with their inputs, and what each map
 * answers Postfix.
 *
 * Promises: the answers are made by maps_lookup(), the function that answers
 * Postfix, and are not counted as lookups. Must not decide anything itself.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explain.h"
#include "status.h"
#include "withheld.h"

#define DEPTH_MAX 64 /* levels between an account and the base */

static void
copy(char out[EXPLAIN_NAME_MAX], struct span s)
{
    size_t n = s.n < EXPLAIN_NAME_MAX ? s.n : EXPLAIN_NAME_MAX - 1;

    if (n > 0)
        memcpy(out, s.p, n);
    out[n] = '\0';
}

/* Whether r itself says what is in effect: has the item, or for tag 0 the state. */
static int
says(const struct record *r, int tag, enum record_state state)
{
    struct span ignored;

    return tag ? record_find(r, (enum record_tag)tag, &ignored) : record_state(r) == state;
}

/* Find the entry that says it: the owner's own, or the nearest one upwards. */
static int
is_origin(struct mirror *m, const unsigned char uuid[UUID_LEN], int tag, enum record_state state,
          struct origin *o)
{
    struct record r;

    if (mirror_entry(m, uuid, &r) != 1 || !says(&r, tag, state))
        return 0;
    o->from = record_kind_word(record_kind(&r));
    o->dn = control_dn(m, uuid);
    return 1;
}

static int
is_origin_above(struct mirror *m, uint32_t number, int tag, enum record_state state,
                struct origin *o)
{
    struct mirror_org org;

    for (int depth = 0; depth < DEPTH_MAX && number != 0; depth++) {
        if (mirror_org(m, number, &org) != 1)
            return 0;
        if (is_origin(m, org.uuid, tag, state, o))
            return 1;
        number = org.parent;
    }
    return 0;
}

/* Find the entry that says it: the owner, the nearest one above, or one above the address's domain. */
static void
trace_origin(const struct explain *x, struct mirror *m, int tag, struct origin *o)
{
    const struct mirror_claim *claim = &x->t.claim;
    enum record_state state = x->t.in.state;
    struct mirror_domain d;

    if (is_origin(m, claim->uuid, tag, state, o) ||
        is_origin_above(m, claim->parent, tag, state, o))
        return;
    if (mirror_domain(m, span_of(addr_domain(&x->t.addr)), &d) == 1)
        is_origin_above(m, d.number, tag, state, o);
}

static void
trace_standby(struct explain *x, struct mirror *m)
{
    const struct site *home;

    if (x->t.in.standby.n > 0) {
        copy(x->standby.value, x->t.in.standby);
        trace_origin(x, m, TAG_STANDBY, &x->standby);
        return;
    }
    home = x->t.in.sites ? site_find(x->t.in.sites, x->t.in.home) : NULL;
    if (home && *home->standby) {
        copy(x->standby.value, span_of(home->standby));
        x->standby.from = "site";
    }
}

static void
trace_origins(struct explain *x, struct mirror *m)
{
    struct mirror_domain d;
    const char *name = addr_domain(&x->t.addr);

    if (mirror_domain(m, span_of(name), &d) == 1 && d.primary.n < sizeof x->primary)
        memcpy(x->primary, d.primary.p, d.primary.n);
    if (!x->t.found)
        return;
    copy(x->home.value, x->t.in.home);
    if (x->t.in.home.n > 0)
        trace_origin(x, m, TAG_HOME, &x->home);
    trace_standby(x, m);
    if (x->t.in.state == STATE_UNSET) {
        copy(x->state.value, span_of(record_state_word(STATE_ACTIVE)));
        x->state.from = "default";
        return;
    }
    copy(x->state.value, span_of(record_state_word(x->t.in.state)));
    trace_origin(x, m, 0, &x->state);
}

/* That mail is not forwarded, and who says so; "" otherwise. */
static void
trace_forward(struct explain *x, struct mirror *m)
{
    unsigned char by[UUID_LEN];
    struct record r;

    if (!x->t.found || x->t.claim.kind != KIND_ACCOUNT ||
        withheld_by(m, x->t.claim.uuid, "forward", by) != 1 || mirror_entry(m, by, &r) != 1)
        return;
    copy(x->forward.value, span_of("withheld"));
    x->forward.from = record_kind_word(record_kind(&r));
    x->forward.dn = control_dn(m, by);
}

static json_t *
owner_json(const struct explain *x, struct mirror *m)
{
    const struct mirror_claim *claim = &x->t.claim;
    char uuid[2 * UUID_LEN + 5], *p = uuid;
    struct record r;

    if (mirror_entry(m, claim->uuid, &r) != 1)
        return json_null(); /* nobody, or a catch-all that leads outside */
    for (int i = 0; i < UUID_LEN; i++)
        p += sprintf(p, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", claim->uuid[i]);
    return json_pack("{s:o, s:s, s:s, s:s}", "dn", control_dn(m, claim->uuid), "kind",
                     record_kind_word((enum record_kind)claim->kind), "state",
                     record_state_word((enum record_state)claim->state), "uuid", uuid);
}

static json_t *
origin_json(struct origin *o)
{
    if (!*o->value)
        return json_null();
    return json_pack("{s:o, s:s, s:o}", "value", control_text(span_of(o->value)), "from",
                     *o->from ? o->from : "unknown", "dn", o->dn ? o->dn : json_null());
}

static json_t *
inputs_json(struct explain *x)
{
    return json_pack("{s:b, s:o, s:b, s:b, s:o, s:o, s:o, s:o, s:o}", "domain_ours",
                     x->t.in.domain_ours, "domain",
                     *x->primary ? json_string(x->primary) : json_null(), "found", x->t.found,
                     "proven", x->t.in.proven, "own_site", control_text(x->t.in.own_site), "state",
                     origin_json(&x->state), "home", origin_json(&x->home), "standby",
                     origin_json(&x->standby), "forward", origin_json(&x->forward));
}

/* What Postfix is told, once it has waited: nothing waits here. transport never does. */
static enum socketmap_status
lookup(struct explain *x, enum map_id map, struct span key, char *buf, size_t *n_r,
       struct map_trace *t)
{
    maps_asked(x->c->maps, map == MAP_TRANSPORT ? 0 : MAPS_CANT_WAIT);
    return maps_lookup(x->c->maps, map, key, buf, SOCKETMAP_REPLY_MAX, n_r, t);
}

/* Ask one map as Postfix would, and add what it says. */
static void
add_map(struct explain *x, json_t *list, enum map_id map, struct span key, char *buf)
{
    size_t n = 0;
    enum socketmap_status s = lookup(x, map, key, buf, &n, NULL);
    struct span data = {buf, n};

    json_array_append_new(list, json_pack("{s:s, s:o, s:s, s:o, s:s}", "map", map_name(map), "key",
                                          control_text(key), "status", socketmap_status_word(s),
                                          "data", control_text(data), "why", maps_why(x->c->maps)));
}

/* Every map with the key Postfix would ask; tls once for each hop of the target site. */
static json_t *
ask_maps(struct explain *x, struct span address, char *buf)
{
    static const enum map_id by_address[] = {MAP_TRANSPORT, MAP_MAILBOX, MAP_ALIAS, MAP_SENDER};
    json_t *list = json_array();
    struct site target = {.nhops = 0};

    if (x->t.route.site)
        target = *x->t.route.site;
    for (size_t i = 0; i < sizeof by_address / sizeof *by_address; i++)
        add_map(x, list, by_address[i], address, buf);
    add_map(x, list, MAP_DOMAIN, span_of(addr_domain(&x->t.addr)), buf);
    for (int i = 0; i < target.nhops; i++)
        add_map(x, list, MAP_TLS, span_of(target.hops[i].hop), buf);
    return list;
}

static json_t *
found_out(struct explain *x, struct mirror *m, struct span address, char *buf)
{
    const struct route *r = &x->t.route;
    json_t *out;

    trace_origins(x, m);
    trace_forward(x, m);
    out = json_pack(
        "{s:o, s:s, s:s, s:s, s:o, s:o, s:o, s:s, s:i, s:o, s:s}", "address", control_text(address),
        "canonical", x->t.addr.text, "matched", x->t.matched, "how",
        x->t.found && x->t.how ? x->t.how : "", "owner", owner_json(x, m), "inputs", inputs_json(x),
        "steps", explain_steps(x), "verdict", route_verdict_word(r->verdict), "step", r->step,
        "site", r->site ? json_string(r->site->name) : json_null(), "why", r->why ? r->why : "");
    if (!out)
        return NULL;
    json_object_set_new(out, "mirror", status_mirror_json(x->c, &x->now));
    json_object_set_new(out, "proof", status_proof_json(x->c, &x->now));
    json_object_set_new(out, "maps", ask_maps(x, address, buf));
    return out;
}

static json_t *
look_up(struct explain *x, struct mirror *m, struct span address, char *buf)
{
    size_t n;
    enum socketmap_status status = lookup(x, MAP_MAILBOX, address, buf, &n, &x->t);

    if (status == SOCKETMAP_TEMP && x->t.route.step == 0)
        return control_error(CONTROL_TEMPORARY, "can't tell for now: %s", x->t.why);
    if (x->t.parsed == 0)
        return control_error(CONTROL_USAGE, "not a mail address: there is no @ in it");
    if (x->t.parsed != 1)
        return control_error(CONTROL_USAGE, "not a mail address: malformed or too long");
    return found_out(x, m, address, buf);
}

json_t *
explain_json(struct control *c, struct span address, const struct moment *now)
{
    struct explain x = {.c = c,
                        .now = *now,
                        .home.from = "",
                        .standby.from = "",
                        .state.from = "",
                        .forward.from = ""};
    char *buf = malloc(SOCKETMAP_REPLY_MAX);
    const char *why;
    struct mirror *m = control_mirror(c, &why);
    json_t *out = NULL;

    if (!m)
        out = control_error(CONTROL_TEMPORARY, "the mirror can't be read: %s", why);
    else if (buf)
        out = look_up(&x, m, address, buf);
    if (m)
        control_mirror_end(c);
    free(buf);
    return out;
}
