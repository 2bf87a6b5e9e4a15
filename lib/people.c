/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * people: see people.h.
 *
 * The mirror is read, not policyd asked: no map names departments, and what is read here
 * never hangs. Promises: a mirror that is not there, damaged or being replaced is
 * "can't tell". One lock around all: a look takes microseconds. Must not decide which way
 * mail goes: that is route_decide's. The states that only hold mail for a while (moving,
 * suspended) are not looked at.
 */
#include "people.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "guard_spoof.h"
#include "mirror.h"
#include "people_line.h"

#define CHECK_MS  1000 /* between looks whether the store is still the one we opened */
#define DEPTH_MAX 32   /* departments above one another */

/* For an answer of the process that has the mirror; and for one of which there was none. */
#define PATIENCE_MS 10000
#define AGAIN_MS    500

/* Lists in one another, and all of them: from there on a list is very large. */
#define NEST_MOST  16
#define LISTS_MOST 1000

#define CONTAINERS 64  /* kept */
#define NAME_ROOM  256 /* for a site's or host's name */

/* What those inherit who are in a department or domain. */
struct container {
    uint32_t number;
    char home[NAME_ROOM], standby[NAME_ROOM];
    char domain[ADDR_DOMAIN_MAX + 1], department[PEOPLE_DEPARTMENT];
};

struct people {
    const struct conf *conf;
    pthread_mutex_t lock;
    struct mirror *mirror;
    struct site_table *sites;
    uint64_t structure;           /* when sites was filled, and containers emptied */
    struct container *containers; /* CONTAINERS of them, in their numbers' places; number 0: none */
    uint64_t asked_at;            /* structure when people_spoof_actions looked */
    int asked;
    unsigned actions;         /* what it saw last */
    int have_sites, complete; /* complete: the store was filled once */
    int borrowed;             /* the mirror, and the read it is in */
    int64_t checked_ms;
    int line; /* to the process that has the mirror; -1: that is us */
    uint64_t asked_n;
    int64_t silent_ms; /* it gave no answer then; 0: it does */
};

struct people *
people_new(const struct conf *conf)
{
    struct people *p = calloc(1, sizeof *p);

    if (!p)
        return NULL;
    p->conf = conf;
    p->checked_ms = -CHECK_MS;
    p->line = -1;
    p->sites = calloc(1, sizeof *p->sites);
    p->containers = calloc(CONTAINERS, sizeof *p->containers);
    pthread_mutex_init(&p->lock, NULL);
    if (!p->sites || !p->containers)
        people_free(&p);
    return p;
}

struct people *
people_over(const struct conf *conf, struct mirror *mirror)
{
    struct people *p = people_new(conf);

    if (p) {
        p->mirror = mirror;
        p->borrowed = 1;
    }
    return p;
}

struct people *
people_apart(const struct conf *conf, int fd)
{
    struct people *p = people_new(conf);

    if (p)
        p->line = fd;
    return p;
}

void
people_free(struct people **pp)
{
    struct people *p = *pp;

    *pp = NULL;
    if (!p)
        return;
    if (!p->borrowed)
        mirror_close(&p->mirror);
    pthread_mutex_destroy(&p->lock);
    free(p->sites);
    free(p->containers);
    free(p);
}

static int64_t
coarse_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Have the store open that sync writes, if there is one. */
static void
keep(struct people *p)
{
    int64_t now = coarse_ms();
    char error[256];

    if (now - p->checked_ms < CHECK_MS)
        return;
    p->checked_ms = now;
    if (p->mirror && (mirror_replaced(p->mirror) || mirror_missing(p->mirror)))
        mirror_close(&p->mirror);
    if (p->mirror)
        return;
    p->have_sites = p->complete = p->asked = 0;
    p->mirror = mirror_open(p->conf->state_dir, (size_t)p->conf->mirror.size, error, sizeof error);
}

static int
is_complete(struct mirror *m)
{
    struct mirror_info info;

    return mirror_info(m, &info) == 0 && info.complete;
}

/* 1 when the address has an owner that receives mail. */
static int
claim_at(struct people *p, const char *text, size_t n, struct mirror_claim *c)
{
    int found = mirror_claim(p->mirror, (struct span){text, n}, c);

    return found == 1 ? c->kind == KIND_ACCOUNT || c->kind == KIND_LIST : found;
}

/* As maps do: the address, without its extension, the same two at the domain's primary name. */
static int
claim(struct people *p, const struct addr *a, const struct mirror_domain *d, struct mirror_claim *c)
{
    char primary[ADDR_DOMAIN_MAX + 1], text[ADDR_MAX + 1];
    int found = claim_at(p, a->text, a->len, c);

    span_keep(primary, sizeof primary, d->primary);
    for (int i = 0; i < 3 && found == 0; i++) {
        int keep_ext = i == 1, n;

        if ((i > 0 && !d->is_alias) || (!keep_ext && a->base == a->at))
            continue;
        n = addr_rewrite(a, keep_ext, i > 0 ? primary : NULL, text);
        found = n < 0 ? 0 : claim_at(p, text, (size_t)n, c);
    }
    return found;
}

/* --- departments --- */

/* In front of what is in out: "name", or "name/…". A name that does not fit any more is left out. */
static void
put_in_front(char out[PEOPLE_DEPARTMENT], struct span name)
{
    char text[PEOPLE_DEPARTMENT];
    size_t n = 0, rest = strlen(out);

    for (size_t i = 0; i < name.n && n + 2 < sizeof text; i++) {
        if (name.p[i] == '/')
            text[n++] = '\\';
        text[n++] = name.p[i];
    }
    if (n + rest + 2 > PEOPLE_DEPARTMENT)
        return;
    memmove(out + n + (rest > 0), out, rest + 1);
    memcpy(out, text, n);
    if (rest > 0)
        out[n] = '/';
}

/* The departments from number upwards, below their domain, and which domain that is. 0, or -1. */
static int
find_department(struct people *p, uint32_t number, struct container *out)
{
    struct mirror_org org;
    struct record r;
    struct span rdn;

    for (int depth = 0; depth < DEPTH_MAX; depth++) {
        int found = mirror_org(p->mirror, number, &org);

        if (found <= 0)
            return found;
        if (depth == 0) {
            span_keep(out->domain, sizeof out->domain, org.domain);
            span_keep(out->home, sizeof out->home, org.home);
            span_keep(out->standby, sizeof out->standby, org.standby);
        }
        if (org.kind == KIND_DOMAIN)
            return 0;
        if (org.kind == KIND_DEPARTMENT && mirror_entry(p->mirror, org.uuid, &r) == 1 &&
            record_find(&r, TAG_RDN, &rdn)) {
            const char *is = memchr(rdn.p, '=', rdn.n);

            if (is)
                put_in_front(out->department,
                             (struct span){is + 1, rdn.n - (size_t)(is + 1 - rdn.p)});
        }
        number = org.parent;
    }
    return 0;
}

/* Kept while no department changes: each message and recipient asks. NULL: it can't be read. */
static const struct container *
container(struct people *p, uint32_t number)
{
    struct container *c = &p->containers[number % CONTAINERS];

    if (c->number == number && number != 0)
        return c;
    *c = (struct container){0};
    if (find_department(p, number, c) < 0 || mirror_failed(p->mirror))
        return NULL;
    c->number = number;
    return c;
}

/* --- the way --- */

static int
sites(struct people *p)
{
    uint64_t now = mirror_structure(p->mirror);

    if (p->have_sites && now == p->structure)
        return 0;
    memset(p->containers, 0, CONTAINERS * sizeof *p->containers);
    site_table_init(p->sites);
    p->have_sites = mirror_sites(p->mirror, p->sites) == 0;
    p->structure = now;
    return p->have_sites ? 0 : -1;
}

static int
describe(struct people *p, const struct mirror_claim *c, struct person *out)
{
    const struct container *above = sites(p) < 0 ? NULL : container(p, c->parent);
    struct route_input in = {.domain_ours = 1, .found = 1, .state = STATE_ACTIVE};
    struct record r;
    struct span mail;

    if (!above)
        return -1;
    in.kind = (enum record_kind)c->kind;
    out->is_list = in.kind == KIND_LIST;
    in.home = c->home.n > 0 ? c->home : span_of(above->home);
    in.standby = c->standby.n > 0 ? c->standby : span_of(above->standby);
    in.own_site = span_of(p->conf->site);
    in.sites = p->sites;
    out->verdict = route_decide(&in).verdict;
    if (mirror_entry(p->mirror, c->uuid, &r) != 1)
        return -1;
    if (record_find(&r, TAG_MAIL, &mail))
        span_keep(out->account, sizeof out->account, mail);
    memcpy(out->domain, above->domain, strlen(above->domain) + 1);
    memcpy(out->department, above->department, strlen(above->department) + 1);
    return 0;
}

static int
find(struct people *p, const struct addr *a, struct person *out)
{
    struct mirror_domain d;
    struct mirror_claim c;
    int found = mirror_domain(p->mirror, span_of(addr_domain(a)), &d);

    if (found <= 0)
        return found;
    out->verdict = ROUTE_UNKNOWN;
    span_keep(out->domain, sizeof out->domain, d.primary);
    found = claim(p, a, &d, &c);
    if (found == 1 && describe(p, &c, out) < 0)
        return -1;
    return found;
}

/* --- members of a list --- */

struct counting {
    struct people *p;
    int64_t n, most;
    unsigned lists; /* looked into, on the way */
};

static int count_members(struct counting *c, const unsigned char uuid[UUID_LEN], int depth);

/* One member: 1, or what is in it when it is a list. 0, or -1. */
static int
count_member(struct counting *c, enum record_tag tag, struct span value, int depth)
{
    unsigned char uuid[UUID_LEN];
    struct mirror_claim claimed;
    struct record r;
    struct addr a;
    int found = 0;

    if (tag == TAG_MEMBER_DN) {
        found = mirror_by_dn(c->p->mirror, value, uuid);
    } else if (addr_parse(&a, value.p, value.n, c->p->conf->recipient_delimiter) == 1) {
        found = claim_at(c->p, a.text, a.len, &claimed);
        if (found == 1)
            memcpy(uuid, claimed.uuid, UUID_LEN);
    }
    if (found == 1)
        found = mirror_entry(c->p->mirror, uuid, &r);
    if (found == 1 && record_kind(&r) == KIND_LIST)
        return count_members(c, uuid, depth + 1);
    c->n++;
    return found < 0 ? -1 : 0;
}

/* What is nested too deep, or in itself, counts as very many. */
static int
count_members(struct counting *c, const unsigned char uuid[UUID_LEN], int depth)
{
    enum record_tag tag;
    struct span value;
    struct record r;
    size_t pos = 0;
    int found = mirror_entry(c->p->mirror, uuid, &r);

    if (depth > NEST_MOST || ++c->lists > LISTS_MOST)
        c->n = c->most + 1;
    while (found == 1 && c->n <= c->most && record_next(&r, &pos, &tag, &value))
        if ((tag == TAG_MEMBER || tag == TAG_MEMBER_DN) && count_member(c, tag, value, depth) < 0)
            return -1;
    return found < 0 ? -1 : 0;
}

/* --- for everybody --- */

/* Lock and read; 1, or 0: nothing can be told. */
static int
begin(struct people *p)
{
    pthread_mutex_lock(&p->lock);
    if (!p->borrowed)
        keep(p);
    if (!p->mirror || (!p->borrowed && mirror_begin(p->mirror) < 0))
        return 0;
    p->complete = p->complete || is_complete(p->mirror);
    return 1;
}

/* began: what begin said. found, or -1 when it can't be relied on. */
static int
end(struct people *p, int began, int found)
{
    if (began) {
        if (mirror_failed(p->mirror))
            found = -1;
        if (!p->borrowed)
            mirror_end(p->mirror);
        if (!p->borrowed && mirror_damaged(p->mirror))
            mirror_close(&p->mirror);
    }
    pthread_mutex_unlock(&p->lock);
    return found;
}

/*
 * One that gave no answer is asked again each second, with less patience: the lock is held meanwhile, and
 * thousands who wait for it one after the other would wait longer than Postfix does.
 */
static int
ask_patiently(struct people *p, enum people_asks what, struct span text, int64_t most,
              struct people_answer *out)
{
    int64_t now = coarse_ms();
    int rc;

    if (p->silent_ms && now - p->silent_ms < CHECK_MS)
        return -1;
    rc = people_line_ask(p->line, &p->asked_n, p->silent_ms ? AGAIN_MS : PATIENCE_MS, what, text,
                         most, out);
    p->silent_ms = rc < 0 ? coarse_ms() : 0;
    return rc;
}

/* Of the process that has the mirror: 0, or -1. */
static int
ask(struct people *p, enum people_asks what, struct span text, int64_t most,
    struct people_answer *out)
{
    int rc;

    pthread_mutex_lock(&p->lock);
    rc = ask_patiently(p, what, text, most, out);
    if (rc == 0 && what == PEOPLE_ACTIONS)
        p->actions = (unsigned)out->rc;
    if (what == PEOPLE_ACTIONS)
        out->rc = p->actions;
    pthread_mutex_unlock(&p->lock);
    return rc;
}

int64_t
people_members(struct people *p, struct span address, int64_t most)
{
    struct counting c = {.p = p, .most = most};
    struct people_answer a;
    struct mirror_claim owner;
    int found = -1, began;

    if (p->line >= 0)
        return ask(p, PEOPLE_MEMBERS, address, most, &a) < 0 ? -1 : a.rc;
    began = begin(p);
    if (began)
        found = claim_at(p, address.p, address.n, &owner);
    if (found == 1 && owner.kind == KIND_LIST)
        found = count_members(&c, owner.uuid, 0);
    found = end(p, began, found);
    return found < 0 ? -1 : c.n;
}

static int
ask_who(struct people *p, struct span address, struct person *out)
{
    struct people_answer a;

    *out = (struct person){.verdict = ROUTE_UNSURE};
    if (ask(p, PEOPLE_FIND, address, 0, &a) < 0)
        return -1;
    *out = a.is.person;
    return (int)a.rc;
}

int
people_find(struct people *p, struct span address, struct person *out)
{
    struct addr a;
    int found = -1, began;

    *out = (struct person){.verdict = ROUTE_OUTSIDE};
    if (addr_parse(&a, address.p, address.n, p->conf->recipient_delimiter) != 1)
        return 0;
    if (p->line >= 0)
        return ask_who(p, address, out);
    began = begin(p);
    if (began && p->complete)
        found = find(p, &a, out);
    found = end(p, began, found);
    if (found < 0)
        *out = (struct person){.verdict = ROUTE_UNSURE};
    return found;
}

static int
find_domain(struct people *p, struct span name, struct people_domain *out)
{
    struct mirror_domain d;
    struct span spoof;
    struct record r;
    int found = mirror_domain(p->mirror, name, &d);

    if (found <= 0)
        return found;
    if (mirror_entry(p->mirror, d.uuid, &r) != 1)
        return -1;
    span_keep(out->primary, sizeof out->primary, d.primary);
    if (record_find(&r, TAG_SPOOF, &spoof))
        span_keep(out->spoof, sizeof out->spoof, spoof);
    return 1;
}

int
people_domain(struct people *p, struct span name, struct people_domain *out)
{
    struct people_answer a;
    int found = -1, began;

    *out = (struct people_domain){.primary = ""};
    if (p->line >= 0) {
        if (ask(p, PEOPLE_DOMAIN, name, 0, &a) < 0)
            return -1;
        *out = a.is.domain;
        return (int)a.rc;
    }
    began = begin(p);
    if (began && p->complete)
        found = find_domain(p, name, out);
    return end(p, began, found);
}

struct asking {
    struct mirror *mirror;
    unsigned actions;
};

static int
says(void *ctx, struct span name)
{
    struct asking *w = ctx;
    struct mirror_domain d;
    struct span spoof;
    struct record r;
    int action = -1;

    if (mirror_domain(w->mirror, name, &d) == 1 && mirror_entry(w->mirror, d.uuid, &r) == 1 &&
        record_find(&r, TAG_SPOOF, &spoof))
        action = spoof_action_parse(spoof);
    w->actions |= action >= 0 ? 1u << action : 0;
    return 0;
}

unsigned
people_spoof_actions(struct people *p)
{
    struct people_answer a;
    struct asking w = {NULL, 0};
    unsigned actions;
    int began;

    if (p->line >= 0) {
        ask(p, PEOPLE_ACTIONS, span_of(""), 0, &a);
        return (unsigned)a.rc;
    }
    began = begin(p);
    w.mirror = p->mirror;
    if (began && p->complete && !(p->asked && p->asked_at == mirror_structure(p->mirror))) {
        p->asked_at = mirror_structure(p->mirror);
        p->asked =
            mirror_each_domain(p->mirror, span_of(""), says, &w) >= 0 && !mirror_failed(p->mirror);
        p->actions = p->asked ? w.actions : p->actions | w.actions;
    }
    actions = p->actions;
    end(p, began, 0);
    return actions;
}
