/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * attrs: one directory entry made into a record, by one table that says which
 * attribute becomes which item and how its values are read.
 *
 * Promises: every entry gives a record, unless it is too large for one. A value
 * that can't be read is reported; it never turns into "no such user", nor into
 * another home: a home that can't be read stays in the record as a site nobody
 * knows, so that its mail waits. The same entry gives the same record everywhere.
 * Must not: follow DNs, or look at other entries.
 */
#include "attrs.h"

#include "addr.h"
#include "attrs_take.h"
#include "attrs_text.h"

/*
 * Which of an attribute's values. Providers send them in any order, so where one of them is special
 * it is the least in byte order that can be used, the same at every site: LEAST takes the least and
 * complains of more than one, ANY the least without complaint, MAIN all of them, beginning with it.
 */
enum pick { EACH, LEAST, ANY, MAIN };

struct row {
    enum record_kind kind; /* KIND_NONE: any that has a map */
    const char *fixed;     /* the attribute's name; NULL: list says */
    size_t list;           /* offset of the conf_list in struct conf_class */
    enum record_tag tag;
    enum pick pick;
    taker *take;
    const char *words; /* take_word: what may stand there, blank-separated */
};

/* --- the table --- */

#define USABLE_TRIES 64

#define LIST_AT(field) NULL, offsetof(struct conf_class, field)
#define FIXED(name)    name, 0

const char attrs_deny_words[] = "imap pop submission send-external receive-external forward share "
                                "create-folder expunge password";

static const struct row rows[] = {
    {KIND_NONE, LIST_AT(address), TAG_MAIL, MAIN, take_mail, NULL},
    {KIND_NONE, LIST_AT(alias), TAG_ALIAS, EACH, take_alias, NULL},
    {KIND_NONE, LIST_AT(forward), TAG_FORWARD, EACH, take_written, NULL},
    {KIND_NONE, LIST_AT(home_site), TAG_HOME, LEAST, take_place, NULL},
    {KIND_NONE, LIST_AT(home_host), TAG_HOME, LEAST, take_place, NULL},
    {KIND_NONE, LIST_AT(standby), TAG_STANDBY, LEAST, take_place, NULL},
    {KIND_NONE, LIST_AT(deny), TAG_DENY, EACH, take_word, attrs_deny_words},
    {KIND_NONE, LIST_AT(quota), TAG_QUOTA, LEAST, take_quota, NULL},
    {KIND_NONE, LIST_AT(member), TAG_MEMBER, EACH, take_written, NULL},
    {KIND_NONE, LIST_AT(member_dn), TAG_MEMBER_DN, EACH, take_dn, NULL},
    {KIND_NONE, LIST_AT(sender), TAG_SENDER, EACH, take_text, NULL},
    {KIND_NONE, LIST_AT(catch_all), TAG_CATCHALL, LEAST, take_canonical, NULL},
    {KIND_NONE, LIST_AT(name), TAG_NAME, ANY, take_text, NULL},
    {KIND_LIST, FIXED("owner"), TAG_OWNER_DN, EACH, take_dn, NULL},
    {KIND_LIST, FIXED("postroadDelegate"), TAG_DELEGATE, EACH, take_canonical, NULL},
    {KIND_ACCOUNT, FIXED("postroadDelegate"), TAG_DELEGATE, EACH, take_canonical, NULL},
    {KIND_ACCOUNT, FIXED("postroadLimit"), TAG_LIMIT, EACH, take_limit, NULL},
    {KIND_DEPARTMENT, FIXED("postroadLimit"), TAG_LIMIT, EACH, take_limit, NULL},
    {KIND_DOMAIN, FIXED("postroadLimit"), TAG_LIMIT, EACH, take_limit, NULL},
    {KIND_DOMAIN, FIXED("postroadSpoof"), TAG_SPOOF, LEAST, take_word, "off tag quarantine reject"},
    {KIND_ACCOUNT, FIXED("postroadRole"), TAG_ROLE, LEAST, take_word,
     "system super domain department"},
    {KIND_ACCOUNT, FIXED("postroadScope"), TAG_SCOPE, EACH, take_dn, NULL},
    {KIND_ACCOUNT, FIXED("postroadRight"), TAG_RIGHT, EACH, take_word,
     "read-mail write-mail approve audit"},
    {KIND_SITE, FIXED("postroadStandbySite"), TAG_STANDBY, LEAST, take_place, NULL},
    {KIND_SITE, FIXED("postroadDesiredState"), TAG_DESIRED, LEAST, take_word, "up failed-over"},
    {KIND_SERVER, FIXED("postroadDesiredState"), TAG_DESIRED, LEAST, take_word, "up drain down"},
    {KIND_SITE, FIXED("postroadNextHop"), TAG_NEXTHOP, EACH, take_hop, NULL},
    {KIND_SERVER, FIXED("postroadNextHop"), TAG_NEXTHOP, EACH, take_hop, NULL},
    {KIND_SITE, FIXED("postroadCertFingerprint"), TAG_FINGERPRINT, EACH, take_print, NULL},
    {KIND_SERVER, FIXED("postroadCertFingerprint"), TAG_FINGERPRINT, EACH, take_print, NULL},
    {KIND_SERVER, FIXED("postroadHost"), TAG_HOST, EACH, take_host, NULL},
    {KIND_SITE, FIXED("cn"), TAG_NAME, ANY, take_text, NULL},
    {KIND_SERVER, FIXED("cn"), TAG_NAME, ANY, take_text, NULL},
};

static const struct span nothing = {NULL, 0};

static struct span
trim(struct span v)
{
    while (v.n > 0 && v.p[0] == ' ')
        v.p++, v.n--;
    while (v.n > 0 && v.p[v.n - 1] == ' ')
        v.n--;
    return v;
}

static int
span_before(struct span a, struct span b)
{
    int c = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

    return c != 0 ? c < 0 : a.n < b.n;
}

static void
take_least(struct pack *p, const struct row *row, const struct entry_attr *a)
{
    struct span least = trim(a->values[0]);

    if (pack_has(p, row->tag))
        return;
    for (size_t i = 1; i < a->n; i++) {
        struct span v = trim(a->values[i]);

        if (v.n > 0 && (least.n == 0 || span_before(v, least)))
            least = v;
    }
    if (a->n > 1)
        pack_complain(p, nothing, "has more than one value");
    row->take(p, least);
}

/* The least value above last; NULL when there is none. */
static const struct span *
next_above(const struct entry_attr *a, struct span last, struct span *v_r)
{
    const struct span *least = NULL;

    for (size_t i = 0; i < a->n; i++) {
        struct span v = trim(a->values[i]);

        if (last.p && !span_before(last, v))
            continue;
        if (!least || span_before(v, *least)) {
            *v_r = v;
            least = v_r;
        }
    }
    return least;
}

/* Take values from the least one up until one can be used; the last that was tried, p NULL: none. */
static struct span
take_usable(struct pack *p, const struct row *row, const struct entry_attr *a)
{
    struct span last = nothing, v;

    for (int i = 0; i < USABLE_TRIES && !pack_has(p, row->tag) && next_above(a, last, &v); i++) {
        last = v;
        row->take(p, v);
    }
    return last;
}

static void
take_attr(struct pack *p, const struct row *row, const char *name)
{
    const struct entry_attr *a = entry_attr(p->e, span_of(name));
    struct span tried = nothing;

    if (a == NULL || a->n == 0)
        return;
    p->attr = name;
    p->tag = row->tag;
    p->words = row->words;
    if (row->pick == LEAST) {
        take_least(p, row, a);
        return;
    }
    if (row->pick != EACH)
        tried = take_usable(p, row, a);
    for (size_t i = 0; i < a->n && row->pick != ANY; i++)
        if (!tried.p || span_before(tried, trim(a->values[i])))
            row->take(p, trim(a->values[i]));
}

static const struct conf_list *
list_of(const struct conf_class *map, size_t offset)
{
    return (const struct conf_list *)((const char *)map + offset);
}

static void
take_rows(struct pack *p, enum record_kind kind)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *row = &rows[i];

        if (row->fixed != NULL && row->kind == kind)
            take_attr(p, row, row->fixed);
        if (row->fixed != NULL || p->map == NULL)
            continue;
        for (size_t k = 0; k < list_of(p->map, row->list)->n; k++)
            take_attr(p, row, list_of(p->map, row->list)->v[k]);
    }
}

/* --- domains --- */

/* Whether one of the mapped attributes names the domain, too; *any: whether they name one at all. */
static int
domain_listed(const struct pack *p, struct span domain, int *any)
{
    char canon[2][ADDR_DOMAIN_MAX + 1];
    int want = addr_domain_canon(domain.p, domain.n, canon[0]);

    *any = 0;
    for (size_t k = 0; k < p->map->domain.n; k++) {
        const struct entry_attr *a = entry_attr(p->e, span_of(p->map->domain.v[k]));

        for (size_t i = 0; a != NULL && i < a->n; i++) {
            struct span v = trim(a->values[i]);

            *any = 1;
            if (v.n > 0 && addr_domain_canon(v.p, v.n, canon[1]) == want &&
                memcmp(canon[0], canon[1], (size_t)want) == 0)
                return 1;
        }
    }
    return 0;
}

/*
 * Whether the RDN names the domain: it does in a mapped attribute; dc does unless it is only one
 * label of a name (dc=a,dc=example) that is written out elsewhere.
 */
static int
rdn_names_domain(const struct pack *p, struct span type, struct span value)
{
    char canon[ADDR_DOMAIN_MAX + 1];
    int any;

    for (size_t k = 0; k < p->map->domain.n; k++)
        if (text_same(type, span_of(p->map->domain.v[k])))
            return 1;
    if (!text_same(type, span_of("dc")) || addr_domain_canon(value.p, value.n, canon) < 0)
        return 0;
    return domain_listed(p, value, &any) || !any || memchr(value.p, '.', value.n) != NULL;
}

static const struct row domain_row = {KIND_DOMAIN, LIST_AT(domain), TAG_DOMAIN,
                                      MAIN,        take_domain,     NULL};

static void
take_domains(struct pack *p, struct span rdn)
{
    char value[ADDR_DOMAIN_MAX + 1];
    struct span type;
    long n = text_rdn(rdn, &type, value, sizeof value);

    p->attr = "RDN";
    p->tag = TAG_DOMAIN;
    if (n > 0 && rdn_names_domain(p, type, (struct span){value, (size_t)n}))
        take_domain(p, (struct span){value, (size_t)n});
    for (size_t k = 0; k < p->map->domain.n; k++)
        take_attr(p, &domain_row, p->map->domain.v[k]);
    p->attr = "domain";
    if (!pack_has(p, TAG_DOMAIN))
        pack_complain(p, nothing, "has no name");
}

/* --- class, state, time --- */

static const enum record_kind class_kind[CLASS_N] = {
    [CLASS_ACCOUNT] = KIND_ACCOUNT,
    [CLASS_LIST] = KIND_LIST,
    [CLASS_DOMAIN] = KIND_DOMAIN,
    [CLASS_DEPARTMENT] = KIND_DEPARTMENT,
};

static enum record_kind
classify(struct pack *p, const struct conf_class map[CLASS_N])
{
    enum record_kind kind = KIND_OTHER;

    if (filter_match("(objectClass=postroadSite)", p->e))
        return KIND_SITE;
    if (filter_match("(objectClass=postroadServer)", p->e))
        return KIND_SERVER;
    for (int c = 0; c < CLASS_N; c++) {
        if (map[c].filter == NULL || !filter_match(map[c].filter, p->e))
            continue;
        if (kind != KIND_OTHER) {
            p->attr = record_kind_word(kind);
            pack_complain(p, nothing, "is of another class, too: one of the filters is too wide");
            continue;
        }
        kind = class_kind[c];
        p->map = &map[c];
    }
    return kind;
}

/*
 * An unknown word counts as active; where the configuration says what means active, as suspended,
 * which receives all the same. What is no word at all makes mail wait.
 */
static enum record_state
state_of(struct pack *p, struct span v)
{
    const struct conf_list *active = &p->map->active;
    int state = record_state_parse(v);

    for (size_t i = 0; i < active->n; i++)
        if (text_same(v, span_of(active->v[i])))
            return STATE_ACTIVE;
    if (state >= 0)
        return (enum record_state)state;
    if (!pack_usable(p, v, 64))
        return STATE_MOVING;
    pack_complain(p, v, "is an unknown state");
    return active->n > 0 ? STATE_SUSPENDED : STATE_ACTIVE;
}

/* Of several states the one that withholds most. */
static enum record_state
take_states(struct pack *p)
{
    static const int rank[] = {[STATE_UNSET] = 0,
                               [STATE_ACTIVE] = 1,
                               [STATE_SUSPENDED] = 2,
                               [STATE_MOVING] = 3,
                               [STATE_DISABLED] = 4};
    enum record_state state = STATE_UNSET;

    for (size_t k = 0; p->map != NULL && k < p->map->state.n; k++) {
        const struct entry_attr *a = entry_attr(p->e, span_of(p->map->state.v[k]));

        p->attr = p->map->state.v[k];
        for (size_t i = 0; a != NULL && i < a->n; i++) {
            enum record_state s = state_of(p, trim(a->values[i]));

            state = rank[s] > rank[state] ? s : state;
        }
    }
    return state;
}

static uint64_t
take_created(struct pack *p)
{
    const struct entry_attr *a = entry_attr(p->e, span_of("createTimestamp"));
    int64_t t;

    if (a == NULL || a->n == 0)
        return 0;
    t = text_time(trim(a->values[0]));
    p->attr = "createTimestamp";
    if (t < 0)
        pack_complain(p, a->values[0], "is no time");
    return t < 0 ? 0 : (uint64_t)t;
}

int
attrs_pack(const struct conf_class map[CLASS_N], const struct entry_view *e, struct span rdn,
           int quota_unit, attrs_dn_fn *dn, unsigned char *buf, size_t cap, struct record *r,
           char *complaint, size_t complaint_n)
{
    struct pack p = {.e = e, .dn = dn, .quota_unit = quota_unit > 0 ? quota_unit : 1};
    enum record_kind kind = classify(&p, map);
    enum record_state state = take_states(&p);

    record_begin(&p.b, buf, cap, kind, state, take_created(&p));
    pack_add(&p, TAG_RDN, rdn);
    if (kind == KIND_DOMAIN)
        take_domains(&p, rdn);
    take_rows(&p, kind);
    p.attr = record_kind_word(kind);
    if ((kind == KIND_ACCOUNT || kind == KIND_LIST) && p.complaints == 0 &&
        !pack_has(&p, TAG_MAIL) && !pack_has(&p, TAG_ALIAS) && !pack_has(&p, TAG_ROLE))
        pack_complain(&p, nothing, "has no address");
    pack_complaint(&p, complaint, complaint_n);
    return record_end(&p.b, r);
}

int
attrs_pack_members(const struct entry_view *e, attrs_dn_fn *dn, unsigned char *buf, size_t cap,
                   struct record *r)
{
    struct pack p = {.e = e, .dn = dn, .attr = "member", .tag = TAG_MEMBER_DN};
    const struct entry_attr *a = entry_attr(e, span_of(p.attr));
    struct span have;

    if (record_find(r, TAG_MEMBER_DN, &have))
        return 0;
    p.b =
        (struct record_builder){.buf = buf, .cap = cap < RECORD_MAX ? cap : RECORD_MAX, .n = r->n};
    for (size_t i = 0; a != NULL && i < a->n; i++)
        take_dn(&p, trim(a->values[i]));
    return record_end(&p.b, r);
}
