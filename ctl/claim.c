/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * claim: see claim.h. The mirror is asked through the daemon, many addresses at
 * once; the server by one search for many.
 *
 * Must not take silence for "free": without the daemon the server's answer alone
 * counts, and that is said; without the server nothing is known at all.
 */
#include "claim.h"

#include <stdio.h>
#include <string.h>

#include "addr.h"
#include "attrs.h"

#define BATCH_BYTES  48000 /* of addresses in a question to the daemon, which takes 65,536 */
#define BATCH_SERVER 50    /* addresses in one search, if they fit into the filter */
#define FILTER_BYTES (512u << 10)

/* --- the mirror --- */

/* 1 asked, 0 nobody could be asked. */
static int
ask_mirror(const struct ctl *ctl, const char *const addresses[], size_t n, claim_fn *fn, void *ctx)
{
    json_t *list = json_array(), *reply, *row;
    size_t i;
    int ok;

    for (i = 0; i < n; i++)
        json_array_append_new(list, json_string(addresses[i]));
    if (daemon_ask_quietly(ctl, json_pack("{s:s, s:o}", "verb", "taken", "addresses", list),
                           &reply) < 0)
        return 0;
    ok = json_is_true(json_object_get(reply, "ok"));
    json_array_foreach(json_object_get(reply, "taken"), i, row)
    {
        const char *address = NULL, *dn = NULL, *kind = "", *how = "";

        if (json_unpack(row, "{s:s, s:s, s:s, s:s}", "address", &address, "dn", &dn, "kind", &kind,
                        "how", &how) == 0)
            fn(ctx, address, dn, kind, how);
    }
    json_decref(reply);
    return ok;
}

/* --- the server --- */

/* The attributes with addresses, of accounts and lists, each handed to fn. */
static void
each_attribute(const struct conf *conf, int lists, void (*fn)(void *, const char *, int), void *ctx)
{
    struct conf_class map[CLASS_N];

    memcpy(map, conf->directory.map, sizeof map);
    if (attrs_preset(conf->directory.preset, map) < 0)
        return;
    for (int class = CLASS_ACCOUNT; class <= (lists ? CLASS_LIST : CLASS_ACCOUNT); class ++) {
        for (size_t i = 0; i < map[class].address.n; i++)
            fn(ctx, map[class].address.v[i], 1);
        for (size_t i = 0; i < map[class].alias.n; i++)
            fn(ctx, map[class].alias.v[i], 0);
    }
}

struct names {
    const char *attr[4 * CONF_LIST_MAX + 1];
    int primary[4 * CONF_LIST_MAX];
    size_t n;
};

static void
on_attribute(void *ctx, const char *name, int primary)
{
    struct names *names = ctx;

    for (size_t i = 0; i < names->n; i++)
        if (strcmp(names->attr[i], name) == 0)
            return;
    names->primary[names->n] = primary;
    names->attr[names->n++] = name;
}

static void
names_of(const struct conf *conf, int lists, struct names *names)
{
    names->n = 0;
    each_attribute(conf, lists, on_attribute, names);
    names->attr[names->n] = NULL;
}

/* Append to a filter; what does not fit any more makes *n as large as cap. */
static void
append(char *out, size_t cap, size_t *n, const char *a, const char *b, const char *c)
{
    int more = *n < cap ? snprintf(out + *n, cap - *n, "%s%s%s", a, b, c) : 0;

    *n += more > 0 ? (size_t)more : 0;
}

/* "(attr=address)" for each attribute. */
static void
append_address(const struct names *names, const char *address, char *out, size_t cap, size_t *n)
{
    char value[3 * ADDR_MAX + 1];

    if (dir_filter_escape(address, value, sizeof value) < 0) {
        *n = cap;
        return;
    }
    for (size_t i = 0; i < names->n; i++) {
        append(out, cap, n, "(", names->attr[i], "=");
        append(out, cap, n, value, ")", "");
    }
}

int
claim_account_filter(const struct conf *conf, const char *address, char *out, size_t cap)
{
    struct conf_class map[CLASS_N];
    struct names names;
    size_t n = 0;

    memcpy(map, conf->directory.map, sizeof map);
    if (attrs_preset(conf->directory.preset, map) < 0)
        return -1;
    names_of(conf, 0, &names);
    append(out, cap, &n, "(&", map[CLASS_ACCOUNT].filter, "(|");
    append_address(&names, address, out, cap, &n);
    append(out, cap, &n, "))", "", "");
    return n < cap ? 0 : -1;
}

struct asked {
    const char *const *addresses;
    size_t n;
    const struct names *names;
    claim_fn *fn;
    void *ctx;
};

static const char *
kind_of(const struct dir_entry *e)
{
    return dir_has(e, "objectClass", "postroadList")      ? "list"
           : dir_has(e, "objectClass", "postroadAccount") ? "account"
                                                          : "entry";
}

/* Which of the addresses the entry has: in any spelling that means the same. */
static int
on_entry(void *ctx, const struct dir_entry *e)
{
    const struct asked *a = ctx;
    struct addr value;

    for (size_t i = 0; i < a->names->n; i++) {
        const struct dir_attr *attr = dir_attr(e, a->names->attr[i]);

        for (size_t j = 0; attr && j < attr->n; j++) {
            if (addr_parse(&value, attr->v[j].p, attr->v[j].n, "") != 1)
                continue;
            for (size_t k = 0; k < a->n; k++)
                if (strcmp(a->addresses[k], value.text) == 0)
                    a->fn(a->ctx, a->addresses[k], e->dn, kind_of(e),
                          a->names->primary[i] ? "primary" : "alias");
        }
    }
    return 0;
}

/* As many of the addresses as one search can ask for; *asked_r: how many that were. */
static int
ask_server(struct dir *d, const char *const addresses[], size_t n, claim_fn *fn, void *ctx,
           size_t *asked_r)
{
    static char filter[FILTER_BYTES];
    struct names names;
    struct asked asked = {addresses, 0, &names, fn, ctx};
    size_t used = 0, before;

    names_of(dir_ctl(d)->conf, 1, &names);
    append(filter, sizeof filter, &used, "(|", "", "");
    while (asked.n < n && asked.n < BATCH_SERVER) {
        before = used;
        append_address(&names, addresses[asked.n], filter, sizeof filter - 2, &used);
        if (used >= sizeof filter - 2) { /* this one is for the next search */
            used = before;
            break;
        }
        asked.n++;
    }
    filter[used] = '\0';
    append(filter, sizeof filter, &used, ")", "", "");
    if ((*asked_r = asked.n) == 0)
        return dir_refuse(d, CTL_NO, "too many attributes have addresses in this directory");
    on_attribute(&names, "objectClass", 0);
    names.attr[names.n] = NULL;
    return dir_search(d, dir_base(d), DIR_SUB, filter, names.attr, on_entry, &asked);
}

int
claim_each_mirror(const struct ctl *ctl, const char *const addresses[], size_t n, claim_fn *fn,
                  void *ctx)
{
    int asked = 1;

    for (size_t i = 0, batch; asked && i < n; i += batch) {
        size_t bytes = 0;

        for (batch = 0; i + batch < n && bytes < BATCH_BYTES - 2 * ADDR_MAX; batch++)
            bytes += 2 * strlen(addresses[i + batch]) + 3; /* JSON may put escapes in */
        asked = ask_mirror(ctl, addresses + i, batch, fn, ctx);
    }
    return asked;
}

int
claim_each_server(struct dir *d, const char *const addresses[], size_t n, claim_fn *fn, void *ctx)
{
    int code = CTL_DONE;

    for (size_t i = 0, asked; code == CTL_DONE && i < n; i += asked)
        code = ask_server(d, addresses + i, n - i, fn, ctx, &asked);
    return code;
}

void
claim_say_without_mirror(const struct ctl *ctl)
{
    static int said;

    if (!said++ && !ctl->json)
        fprintf(
            stderr,
            "postroad: note: postroad-policyd can't be asked, so only the directory server was: "
            "an address\n  that you may not see there would not be noticed\n");
}

/* --- one question --- */

struct taken {
    const char *own;
    char text[1024];
    int n;
};

static void
on_taken(void *ctx, const char *address, const char *dn, const char *kind, const char *how)
{
    struct taken *t = ctx;

    (void)how;
    if (t->own && dir_dn_same(dn, t->own))
        return;
    if (t->n++ == 0)
        snprintf(t->text, sizeof t->text, "%s is taken already, by the %s %s", address, kind, dn);
}

int
claim_free(struct dir *d, const char *const addresses[], size_t n, const char *own_dn)
{
    struct taken t = {own_dn, "", 0};
    int mirror = claim_each_mirror(dir_ctl(d), addresses, n, on_taken, &t);
    int code = claim_each_server(d, addresses, n, on_taken, &t);

    if (code != CTL_DONE)
        return code;
    if (t.n > 0)
        return dir_refuse(d, CTL_NO, "%s", t.text);
    if (!mirror)
        claim_say_without_mirror(dir_ctl(d));
    return CTL_DONE;
}
