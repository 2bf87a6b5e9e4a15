/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The mirror against a model: fixed scenarios for each rule of mirror.h, then
 * random changes after which the incrementally kept store must equal one that was
 * filled from nothing with the same entries.
 */
#include "mirror_rig.h"

static void
tree(struct mirror *m)
{
    put(m, 1, KIND_OTHER, 1, "o=corp", NULL, "");
    put(m, 2, KIND_OTHER, 1, "ou=domains,o=corp", NULL, "");
    put(m, 3, KIND_DOMAIN, 1, "dc=a.example,ou=domains,o=corp",
        ITEMS({TAG_DOMAIN, "a.example"}, {TAG_DOMAIN, "b.example"}, {TAG_HOME, "hebei"}), "");
    put(m, 4, KIND_DEPARTMENT, 1, "ou=hr,dc=a.example,ou=domains,o=corp",
        ITEMS({TAG_HOME, "shandong"}, {TAG_DENY, "pop"}), "");
    put(m, 5, KIND_DEPARTMENT, 1, "ou=pay,ou=hr,dc=a.example,ou=domains,o=corp",
        ITEMS({TAG_DENY, "imap"}, {TAG_QUOTA, "5"}), "");
    put(m, 6, KIND_ACCOUNT, 1, "uid=alice,ou=pay,ou=hr,dc=a.example,ou=domains,o=corp",
        ITEMS({TAG_MAIL, "alice@a.example"}, {TAG_ALIAS, "al@a.example"}), "");
    put(m, 7, KIND_ACCOUNT, 1, "uid=bob,dc=a.example,ou=domains,o=corp",
        ITEMS({TAG_MAIL, "bob@a.example"}, {TAG_FORWARD, "x@y.example"}, {TAG_HOME, "tibet"}), "");
}

static int
text(char *out, struct span s)
{
    return sprintf(out, "%.*s", (int)s.n, s.p ? s.p : "");
}

/* "home standby deny quota domain" inherited by who has the address. */
static const char *
inherited(struct mirror *m, const char *address)
{
    static char out[1024];
    struct mirror_claim c;
    struct mirror_org o;
    int n;

    if (mirror_claim(m, span_of(address), &c) != 1)
        return "no claim";
    if (mirror_org(m, c.parent, &o) != 1)
        return "no org";
    n = text(out, o.home);
    out[n++] = '|';
    n += text(out + n, o.deny);
    out[n++] = '|';
    n += text(out + n, o.quota);
    out[n++] = '|';
    text(out + n, o.domain);
    return out;
}

static const char *
dn_of(struct mirror *m, unsigned n)
{
    static char out[MIRROR_DN_MAX];

    return mirror_dn_of(m, id(n), out, sizeof out) < 0 ? "none" : out;
}

static void
test_lookups(void)
{
    struct mirror *m = fresh("lookups"), *reader;
    struct mirror_claim c;
    struct mirror_domain d;
    struct mirror_info info;
    char dir[128], error[256];
    unsigned char uuid[UUID_LEN];

    tree(m);
    snprintf(dir, sizeof dir, "%s/lookups", top);
    is_int(mirror_write_commit(m), 0, "commit");
    reader = mirror_open(dir, MIB, error, sizeof error);
    if (!ok(reader != NULL, "a reader opens it: %s", error))
        exit(1);
    mirror_begin(reader);
    is_int(mirror_claim(reader, span_of("al@a.example"), &c), 1, "an alias is found");
    is_int(c.how, CLAIM_ALIAS, "as an alias");
    is_int(mirror_claim(reader, span_of("bob@a.example"), &c), 1, "a primary address is found");
    ok(c.forwards && c.home.n == 5 && c.how == CLAIM_PRIMARY,
       "with its home, and that it forwards");
    is_int(mirror_claim(reader, span_of("nobody@a.example"), &c), 0, "another is not");
    is_int(mirror_claim(reader, span_of(""), &c), 0, "nor an empty one");
    is_int(mirror_domain(reader, span_of("b.example"), &d), 1, "an alias domain is found");
    ok(d.is_alias && span_same(d.primary, span_of("a.example")), "with its primary name");
    is_int(mirror_domain(reader, span_of("c.example"), &d), 0, "another domain is not");
    is_str(inherited(reader, "alice@a.example"), "shandong|imap pop|5|a.example",
           "nearest value upwards, deny adds up");
    is_str(inherited(reader, "bob@a.example"), "hebei|||a.example", "the domain's own");
    is_str(dn_of(reader, 6), "uid=alice,ou=pay,ou=hr,dc=a.example,ou=domains,o=corp",
           "DN of an entry");
    is_int(mirror_by_dn(reader, span_of("uid=bob,dc=a.example,ou=domains,o=corp"), uuid), 1,
           "by DN");
    ok(memcmp(uuid, id(7), UUID_LEN) == 0, "the right one");
    is_int(mirror_by_dn(reader, span_of("uid=bob,o=other"), uuid), 0, "outside the base");
    mirror_info(reader, &info);
    ok(info.accounts == 2 && info.entries == 7 && !info.complete, "counts");
    mirror_end(reader);
    mirror_close(&reader);
    mirror_close(&m);
}

static void
test_tree(void)
{
    struct mirror *m = fresh("tree");

    /* Children before parents. */
    put(m, 6, KIND_ACCOUNT, 1, "uid=alice,ou=pay,ou=hr,dc=a.example,ou=domains,o=corp",
        ITEMS({TAG_MAIL, "alice@a.example"}), "");
    mirror_write_commit(m);
    mirror_write_begin(m);
    is_str(inherited(m, "alice@a.example"), "|||", "a parent not heard of passes nothing down");
    tree(m);
    mirror_write_commit(m);
    mirror_write_begin(m);
    is_str(inherited(m, "alice@a.example"), "shandong|imap pop|5|a.example",
           "until it is heard of");

    put(m, 4, KIND_DEPARTMENT, 1, "ou=people,dc=a.example,ou=domains,o=corp",
        ITEMS({TAG_HOME, "tibet"}), "");
    mirror_write_commit(m);
    mirror_write_begin(m);
    is_str(dn_of(m, 6), "uid=alice,ou=pay,ou=people,dc=a.example,ou=domains,o=corp",
           "a renamed department takes along what is below it");
    is_str(inherited(m, "alice@a.example"), "tibet|imap|5|a.example", "with its new settings");

    /* A child under the new name comes before the rename itself. */
    put(m, 8, KIND_ACCOUNT, 1, "uid=eve,ou=staff,dc=a.example,ou=domains,o=corp",
        ITEMS({TAG_MAIL, "eve@a.example"}), "");
    put(m, 4, KIND_DEPARTMENT, 1, "ou=staff,dc=a.example,ou=domains,o=corp",
        ITEMS({TAG_HOME, "hubei"}), "");
    mirror_write_commit(m);
    mirror_write_begin(m);
    is_str(inherited(m, "eve@a.example"), "hubei|||a.example",
           "a child that came before the rename");
    is_str(inherited(m, "alice@a.example"), "hubei|imap|5|a.example",
           "and one from long before it");

    /* A container replaced by another one of the same name, its children untold. */
    put(m, 9, KIND_DEPARTMENT, 9, "ou=staff,dc=a.example,ou=domains,o=corp",
        ITEMS({TAG_HOME, "anhui"}), "");
    mirror_delete(m, id(4));
    mirror_write_commit(m);
    mirror_write_begin(m);
    is_str(inherited(m, "eve@a.example"), "anhui|||a.example", "children of a replaced container");
    is_str(dn_of(m, 8), "uid=eve,ou=staff,dc=a.example,ou=domains,o=corp", "stay below it");

    /* Two entries that swap names. */
    put(m, 20, KIND_ACCOUNT, 1, "uid=x,dc=a.example,ou=domains,o=corp",
        ITEMS({TAG_MAIL, "x@a.example"}), "");
    put(m, 21, KIND_ACCOUNT, 1, "uid=y,dc=a.example,ou=domains,o=corp",
        ITEMS({TAG_MAIL, "y@a.example"}), "");
    put(m, 20, KIND_ACCOUNT, 1, "uid=y,dc=a.example,ou=domains,o=corp",
        ITEMS({TAG_MAIL, "x@a.example"}), "");
    put(m, 21, KIND_ACCOUNT, 1, "uid=x,dc=a.example,ou=domains,o=corp",
        ITEMS({TAG_MAIL, "y@a.example"}), "");
    is_str(dn_of(m, 20), "uid=y,dc=a.example,ou=domains,o=corp", "two entries swap names");
    is_str(dn_of(m, 21), "uid=x,dc=a.example,ou=domains,o=corp", "both of them");
    mirror_close(&m);
}

static unsigned dup_n;
static int
count_dup(void *ctx, struct span address, unsigned claims)
{
    (void)ctx;
    (void)address;
    dup_n += claims;
    return 0;
}

/* Caches go by it: it changes with departments, also with those that hand nothing down, and not with people. */
static void
test_structure(void)
{
    static const struct {
        unsigned number;
        enum record_kind kind;
        int counts;
        const char *dn, *name;
    } step[] = {{2, KIND_DEPARTMENT, 1, "ou=far,o=corp", "a department is new"},
                {3, KIND_ACCOUNT, 0, "uid=bob,ou=far,o=corp", "somebody is in it"},
                {2, KIND_DEPARTMENT, 1, "ou=near,o=corp", "it has another name"},
                {4, KIND_ACCOUNT, 0, "uid=carol,ou=near,o=corp", "somebody else is in it"},
                {2, KIND_OTHER, 1, "ou=near,o=corp", "it is none any more"}};
    struct mirror *m = fresh("structure");
    uint64_t before;

    for (size_t i = 0; i < sizeof step / sizeof *step; i++) {
        before = mirror_structure(m);
        put(m, step[i].number, step[i].kind, 1, step[i].dn, NULL, "");
        mirror_write_commit(m);
        mirror_write_begin(m);
        is_int(mirror_structure(m) != before, step[i].counts, step[i].name);
    }
    mirror_write_abort(m);
    mirror_close(&m);
}

static void
test_duplicates(void)
{
    struct mirror *m = fresh("duplicates");
    struct mirror_claim c;

    tree(m);
    put(m, 30, KIND_ACCOUNT, 9, "uid=n,dc=a.example,ou=domains,o=corp",
        ITEMS({TAG_MAIL, "d@a.example"}), "");
    put(m, 31, KIND_ACCOUNT, 5, "uid=o,dc=a.example,ou=domains,o=corp",
        ITEMS({TAG_MAIL, "d@a.example"}), "");
    put(m, 32, KIND_ACCOUNT, 5, "uid=p,dc=a.example,ou=domains,o=corp",
        ITEMS({TAG_MAIL, "p@a.example"}, {TAG_ALIAS, "d@a.example"}, {TAG_ALIAS, "d@a.example"}),
        "");
    mirror_claim(m, span_of("d@a.example"), &c);
    ok(memcmp(c.uuid, id(31), UUID_LEN) == 0, "the oldest wins, then the lowest UUID");
    mirror_each_dup(m, count_dup, NULL);
    is_int(dup_n, 3, "three claims are counted");
    mirror_delete(m, id(31));
    mirror_claim(m, span_of("d@a.example"), &c);
    ok(memcmp(c.uuid, id(32), UUID_LEN) == 0, "the next one follows");
    mirror_delete(m, id(32));
    dup_n = 0;
    mirror_each_dup(m, count_dup, NULL);
    is_int(dup_n, 0, "one claim alone is no duplicate");
    is_int(mirror_claim(m, span_of("p@a.example"), &c), 0, "a deleted entry's addresses are gone");
    mirror_close(&m);
}

static void
test_sweep(void)
{
    struct mirror *m = fresh("sweep");
    unsigned char seen[7][UUID_LEN];
    struct mirror_info info;
    uint64_t would;

    tree(m);
    for (unsigned i = 0; i < 5; i++)
        memcpy(seen[i], id(i + 1), UUID_LEN);
    is_int(mirror_sweep(m, seen[0], 5, 20, 1, &would), 1,
           "a sweep of 2 in 7 stops at the guard of 20 %");
    is_int((long long)would, 2, "and says how many it would be");
    is_int(mirror_sweep(m, seen[0], 5, 20, 2, &would), 0, "not at or below the floor");
    mirror_info(m, &info);
    ok(info.entries == 5 && info.accounts == 0, "what was not seen is gone");
    is_int(mirror_sweep(m, seen[0], 0, 100, 0, &would), 0, "without a guard everything may go");
    mirror_write_commit(m);
    mirror_write_begin(m);
    mirror_info(m, &info);
    ok(info.entries == 0 && info.domains == 0 && info.addresses == 0, "and nothing is left");
    mirror_close(&m);
}

/* The number of the format stands behind its name. How often it was changed, also in old pages. */
static int
change_format(const char *dir)
{
    char path[200];
    int n = 0, at = 0;
    FILE *f;

    snprintf(path, sizeof path, "%s/mirror/data.mdb", dir);
    f = fopen(path, "r+");
    for (int c; f && (c = getc(f)) != EOF;) {
        at = c == "format"[at] ? at + 1 : c == 'f';
        if (at < 6)
            continue;
        at = 0;
        n++;
        fseek(f, 0, SEEK_CUR);
        putc(99, f);
        fseek(f, 0, SEEK_CUR);
    }
    if (f)
        fclose(f);
    return n;
}

static void
test_kept(void)
{
    struct mirror *m = fresh("kept"), *other;
    char dir[128], error[256];
    FILE *f;

    tree(m);
    put(m, 40, KIND_ACCOUNT, 1, "uid=z,o=elsewhere", NULL, "");
    mirror_write_abort(m);
    mirror_write_begin(m);
    is_str(dn_of(m, 6), "none", "an aborted transaction leaves nothing");
    mirror_set_base(m, span_of("o=corp"));
    tree(m);
    mirror_meta_put(m, "cookie", "abc", 3);
    mirror_write_commit(m);
    mirror_close(&m);
    snprintf(dir, sizeof dir, "%s/kept", top);
    m = mirror_open_writer(dir, MIB, error, sizeof error);
    mirror_write_begin(m);
    is_int(mirror_meta_get(m, "cookie", error, sizeof error), 3, "values are kept over a restart");
    is_str(dn_of(m, 6), "uid=alice,ou=pay,ou=hr,dc=a.example,ou=domains,o=corp", "and entries");
    mirror_set_base(m, span_of("o=other"));
    is_str(dn_of(m, 6), "none", "another base empties the store");
    mirror_write_commit(m);
    mirror_close(&m);

    ok(change_format(dir) > 0, "a store gets another format");
    other = mirror_open(dir, MIB, error, sizeof error);
    ok(other == NULL, "a reader refuses it: %s", error);
    mirror_close(&other);
    snprintf(dir, sizeof dir, "%s/kept/mirror/data.mdb", top);
    f = fopen(dir, "w");
    for (int i = 0; i < 5000; i++)
        fputs("this is no store ", f);
    fclose(f);
    snprintf(dir, sizeof dir, "%s/kept", top);
    other = mirror_open(dir, MIB, error, sizeof error);
    ok(other == NULL, "a reader refuses a broken store: %s", error);
    m = mirror_open_writer(dir, MIB, error, sizeof error);
    ok(m != NULL, "the writer puts it aside and begins anew");
    mirror_close(&m);
}

/* --- random changes against a model --- */

#define PEOPLE 40
#define GROUPS 8

struct model {
    int exists, parent, name, home, alias, created;
};
static struct model org[GROUPS], man[PEOPLE];

static const char *
group_dn(int g, int depth)
{
    static char out[MIRROR_DN_MAX];
    char tail[MIRROR_DN_MAX - 64];

    if (g < 0 || depth > GROUPS)
        return "dc=a.example,ou=domains,o=corp";
    snprintf(tail, sizeof tail, "%s", group_dn(org[g].parent, depth + 1));
    snprintf(out, sizeof out, "ou=g%d,%s", org[g].name, tail);
    return out;
}

static void
put_group(struct mirror *m, int g)
{
    char home[16];

    snprintf(home, sizeof home, "s%d", org[g].home);
    put(m, 100 + (unsigned)g, KIND_DEPARTMENT, 1, group_dn(g, 0),
        ITEMS({org[g].home ? TAG_HOME : TAG_NAME, home}), "");
}

static void
put_man(struct mirror *m, int i)
{
    char dn[MIRROR_DN_MAX + 64], mail[64], alias[64], home[16];

    snprintf(dn, sizeof dn, "uid=u%d,%s", man[i].name, group_dn(man[i].parent, 0));
    snprintf(mail, sizeof mail, "u%d@a.example", man[i].name);
    snprintf(alias, sizeof alias, "x%d@a.example", man[i].alias);
    snprintf(home, sizeof home, "s%d", man[i].home);
    put(m, 200 + (unsigned)i, KIND_ACCOUNT, (uint64_t)man[i].created, dn,
        ITEMS({TAG_MAIL, mail}, {TAG_ALIAS, alias}, {man[i].home ? TAG_HOME : TAG_NAME, home}), "");
}

static int
below(int g, int top_group)
{
    for (int depth = 0; g >= 0 && depth < GROUPS + 1; depth++, g = org[g].parent)
        if (g == top_group)
            return 1;
    return 0;
}

static void
random_change(struct mirror *m, unsigned *name)
{
    int g = rand() % GROUPS, i = rand() % PEOPLE, up = rand() % (GROUPS + 1) - 1;

    switch (rand() % 6) {
    case 0: /* rename or move a department with all below it */
        if (up >= 0 && below(up, g))
            return;
        org[g].parent = up;
        org[g].name = (int)(*name)++;
        put_group(m, g);
        return;
    case 1:
        org[g].home = rand() % 4;
        put_group(m, g);
        return;
    case 2:
        if (man[i].exists)
            mirror_delete(m, id(200 + (unsigned)i));
        man[i].exists = 0;
        return;
    default:
        man[i] = (struct model){
            1,          up,          man[i].exists && rand() % 2 ? man[i].name : (int)(*name)++,
            rand() % 4, rand() % 10, rand() % 3};
        put_man(m, i);
    }
}

struct dump {
    char text[1 << 18];
    size_t n;
};

static int
dump_digest(void *ctx, struct span name, const struct digest *d)
{
    struct dump *o = ctx;
    char hex[2 * DIGEST_LEN + 1];

    digest_hex(d, hex);
    o->n += (size_t)sprintf(o->text + o->n, "digest %.*s %s %llu\n", (int)name.n, name.p, hex,
                            (unsigned long long)d->count);
    return 0;
}

static int
dump_dup(void *ctx, struct span name, unsigned n)
{
    struct dump *o = ctx;

    o->n += (size_t)sprintf(o->text + o->n, "dup %.*s %u\n", (int)name.n, name.p, n);
    return 0;
}

static int
dump_lost(void *ctx, struct span name, uint64_t n)
{
    struct dump *o = ctx;

    o->n += (size_t)sprintf(o->text + o->n, "lost %.*s %llu\n", (int)name.n, name.p,
                            (unsigned long long)n);
    return 0;
}

/* All that a store says, without the numbers that are its own. */
static void
dump(struct mirror *m, struct dump *o)
{
    static struct site_table sites;
    struct mirror_info info;
    struct mirror_claim c;
    char a[64];

    o->n = 0;
    for (int i = 0; i < PEOPLE; i++) {
        o->n += (size_t)sprintf(o->text + o->n, "%d %s\n", i, dn_of(m, 200 + (unsigned)i));
        snprintf(a, sizeof a, "u%d@a.example", man[i].name);
        if (man[i].exists)
            o->n += (size_t)sprintf(o->text + o->n, "  %s\n", inherited(m, a));
    }
    for (int i = 0; i < 10; i++) {
        snprintf(a, sizeof a, "x%d@a.example", i);
        if (mirror_claim(m, span_of(a), &c) == 1)
            o->n += (size_t)sprintf(o->text + o->n, "%s %d\n", a, c.uuid[15]);
    }
    mirror_info(m, &info);
    o->n += (size_t)sprintf(o->text + o->n, "%llu %llu %llu %llu\n",
                            (unsigned long long)info.entries, (unsigned long long)info.accounts,
                            (unsigned long long)info.addresses, (unsigned long long)info.dups);
    mirror_each_digest(m, dump_digest, o);
    mirror_each_dup(m, dump_dup, o);
    mirror_sites(m, &sites);
    mirror_each_lost_site(m, &sites, dump_lost, o);
}

static int
same_as_fresh(struct mirror *m, int round)
{
    static struct dump a, b;
    char name[32];
    struct mirror *f;
    int same;

    snprintf(name, sizeof name, "model%d", round);
    f = fresh(name);
    for (int i = PEOPLE - 1; i >= 0; i--) /* children first */
        if (man[i].exists)
            put_man(f, i);
    for (int g = GROUPS - 1; g >= 0; g--)
        put_group(f, g);
    put(f, 3, KIND_DOMAIN, 1, "dc=a.example,ou=domains,o=corp",
        ITEMS({TAG_DOMAIN, "a.example"}, {TAG_HOME, "s9"}), "");
    mirror_write_commit(f);
    mirror_begin(f);
    mirror_write_commit(m);
    mirror_begin(m);
    dump(m, &a);
    dump(f, &b);
    mirror_end(m);
    same = strcmp(a.text, b.text) == 0;
    if (!same)
        printf("# kept:\n%s\n# fresh:\n%s\n", a.text, b.text);
    mirror_close(&f);
    mirror_write_begin(m);
    return same;
}

static void
test_model(unsigned seed)
{
    struct mirror *m = fresh("model");
    unsigned name = 1;
    int good = 1;

    srand(seed);
    memset(man, 0, sizeof man);
    put(m, 3, KIND_DOMAIN, 1, "dc=a.example,ou=domains,o=corp",
        ITEMS({TAG_DOMAIN, "a.example"}, {TAG_HOME, "s9"}), "");
    for (int g = 0; g < GROUPS; g++) {
        org[g] = (struct model){1, g / 2 - 1, (int)name++, g % 3, 0, 0};
        put_group(m, g);
    }
    for (int round = 0; good && round < 25; round++) {
        for (int i = 0; i < 40; i++) {
            random_change(m, &name);
            if (rand() % 8 == 0) {
                mirror_write_commit(m);
                mirror_write_begin(m);
            }
        }
        good = same_as_fresh(m, round);
    }
    ok(good, "1,000 random changes leave what a fresh load gives, seed %u", seed);
    mirror_close(&m);
}

int
main(void)
{
    const char *seed = getenv("POSTROAD_SEED");

    if (rig_up() < 0)
        return 1;
    test_lookups();
    test_tree();
    test_structure();
    test_duplicates();
    test_sweep();
    test_kept();
    test_model(seed ? (unsigned)atoi(seed) : 20261121);
    rig_down();
    return tap_done();
}
