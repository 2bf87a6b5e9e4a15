/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cold_rows: which rows an address, a domain or a site has in the cold tables.
 *
 * Every value is an answer of maps_lookup(), so a table says what policyd said when it was
 * written. A row stands only for what an exact address settles: lists, extensions,
 * catch-alls and accounts with forwards depend on other entries, and unknown addresses
 * on a proof, so they have none and are asked for at the socket.
 */
#include "cold.h"

#include "beat.h"

static const enum map_id maps_of[COLD_N] = {
    [COLD_TRANSPORT] = MAP_TRANSPORT, [COLD_MAILBOX] = MAP_MAILBOX, [COLD_ALIAS] = MAP_ALIAS,
    [COLD_DOMAIN] = MAP_DOMAIN,       [COLD_PEER] = MAP_PEER,       [COLD_TLS] = MAP_TLS};

static const struct span none = {NULL, 0};

enum map_id
cold_map(enum cold_id id)
{
    return maps_of[id];
}

/* --- batches --- */

static int
flush_one(struct cold *c, enum cold_id id)
{
    struct cold_batch *b = &c->batch[id];
    size_t changed, n = b->n;
    int rc;

    b->n = b->used = 0;
    if (n == 0)
        return 0;
    beat_step();
    rc = cold_table_write(c->table[id], b->rows, n, COLD_WAIT_MS, &changed);
    beat_now();
    board_add(&c->env->board, BOARD_COLD_WRITTEN, changed);
    return rc < 0 ? cold_fail(c, cold_table_error(c->table[id])) : 0;
}

int
cold_flush(struct cold *c)
{
    int rc = 0;

    for (int id = 0; id < COLD_N; id++)
        rc = flush_one(c, id) < 0 ? -1 : rc;
    return rc;
}

static struct span
keep(struct cold_batch *b, struct span s)
{
    struct span kept = {b->text + b->used, s.n};

    memcpy(b->text + b->used, s.p, s.n);
    b->used += s.n;
    return kept;
}

/* The row of key: value, or none. Postfix asks in lower case. */
static int
add(struct cold *c, enum cold_id id, struct span key, struct span value)
{
    struct cold_batch *b = &c->batch[id];
    struct cold_row *row;

    if ((b->n == COLD_ROWS || b->used + key.n + value.n > COLD_TEXT) && flush_one(c, id) < 0)
        return -1;
    row = &b->rows[b->n++];
    row->key = keep(b, key);
    for (char *p = b->text + b->used - key.n; p < b->text + b->used; p++)
        *p = *p >= 'A' && *p <= 'Z' ? (char)(*p | 0x20) : *p;
    row->value = value.p ? keep(b, value) : none;
    return 0;
}

/* --- addresses --- */

static enum socketmap_status
look(struct cold *c, enum cold_id id, struct span key, struct span *value, struct map_trace *trace)
{
    size_t n;
    enum socketmap_status s =
        maps_lookup(c->maps, maps_of[id], key, c->out, sizeof(c->out), &n, trace);

    *value = s == SOCKETMAP_OK ? (struct span){c->out, n} : none;
    return s;
}

/* Whether the answers to this key are settled by the account that has this very address. */
static int
is_settled(const struct map_trace *t, struct span key)
{
    return t->found && t->in.kind == KIND_ACCOUNT && strcmp(t->how, "address") == 0 &&
           span_same(key, (struct span){t->addr.text, t->addr.len});
}

/* Mail to an account without forwards goes to its primary address: perhaps the one asked for. */
static int
add_alias(struct cold *c, struct span address, const struct map_trace *trace)
{
    struct span value = none;

    if (trace && !trace->claim.forwards &&
        look(c, COLD_ALIAS, address, &value, NULL) == SOCKETMAP_NOTFOUND)
        value = address;
    return add(c, COLD_ALIAS, address, value);
}

int
cold_add_address(struct cold *c, struct span address, unsigned tables)
{
    struct map_trace trace;
    struct span transport, value = none;
    enum socketmap_status s = look(c, COLD_TRANSPORT, address, &transport, &trace);
    int known = s == SOCKETMAP_OK && is_settled(&trace, address);

    if (s == SOCKETMAP_TEMP)
        return cold_fail(c, trace.why);
    if (tables & 1u << COLD_TRANSPORT && add(c, COLD_TRANSPORT, address, known ? transport : none))
        return -1;
    if (known)
        look(c, COLD_MAILBOX, address, &value, NULL);
    if (tables & 1u << COLD_MAILBOX && add(c, COLD_MAILBOX, address, value) < 0)
        return -1;
    return tables & 1u << COLD_ALIAS ? add_alias(c, address, value.p ? &trace : NULL) : 0;
}

/* --- domains and sites --- */

int
cold_add_domain(struct cold *c, struct span name)
{
    struct map_trace trace;
    struct span value;

    if (look(c, COLD_DOMAIN, name, &value, &trace) == SOCKETMAP_TEMP)
        return cold_fail(c, trace.why);
    return add(c, COLD_DOMAIN, name, value);
}

static int
add_site_row(struct cold *c, enum cold_id id, const char *key)
{
    struct map_trace trace;
    struct span value;

    if (look(c, id, span_of(key), &value, &trace) == SOCKETMAP_TEMP)
        return cold_fail(c, trace.why);
    return add(c, id, span_of(key), value);
}

/* Call fn for each key of a site's table until it returns non-zero. */
static int
each_site_key(struct cold *c, enum cold_id id,
              int (*fn)(struct cold *, enum cold_id, const char *, const void *), const void *ctx)
{
    const struct site_table *t = maps_sites(c->maps);
    int rc = 0;

    for (unsigned i = 0; i < t->n; i++) {
        const struct site *s = &t->sites[i];

        for (unsigned k = 0; !rc && id == COLD_TLS && k < s->nhops; k++)
            rc = fn(c, id, s->hops[k].hop, ctx);
        for (unsigned k = 0; !rc && id == COLD_PEER && k < s->nprints; k++)
            rc = fn(c, id, s->prints[k], ctx);
    }
    return rc;
}

static int
add_site_key(struct cold *c, enum cold_id id, const char *key, const void *unused)
{
    (void)unused;
    return add_site_row(c, id, key);
}

int
cold_add_sites(struct cold *c)
{
    return each_site_key(c, COLD_TLS, add_site_key, NULL) < 0 ||
                   each_site_key(c, COLD_PEER, add_site_key, NULL) < 0
               ? -1
               : 0;
}

static int
is_key(struct cold *c, enum cold_id id, const char *key, const void *wanted)
{
    const struct span *w = wanted;

    (void)c;
    (void)id;
    for (size_t i = 0; i < w->n; i++)
        if (w->p[i] != (key[i] >= 'A' && key[i] <= 'Z' ? (key[i] | 0x20) : key[i]))
            return 0;
    return key[w->n] == '\0';
}

int
cold_add_site_key(struct cold *c, enum cold_id id, struct span key)
{
    return each_site_key(c, id, is_key, &key) ? 0 : add(c, id, key, none);
}
