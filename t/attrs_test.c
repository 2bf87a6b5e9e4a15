/* SPDX-License-Identifier: BSD-2-Clause */
/* attrs: the cases of t/tables/attrs.tbl, then limits, presets and what a search asks for. */
#include "attrs.h"
#include "attrs_text.h"
#include "t/build.h"
#include "t/tap.h"

enum { ATTRS_MAX = 40, TEXT_MAX = 16384 };

/* One case: an entry, and what it shall become. */
struct made {
    struct entry_attr attr[ATTRS_MAX];
    struct span value[ATTRS_MAX][ATTRS_MAX];
    struct entry_view view;
    struct span rdn;
    char title[1024], preset[32], want[TEXT_MAX], complaint[1024], text[TEXT_MAX];
    size_t used;
    int line;
};

static unsigned char buf[65536];
static struct made made;

/* Lower case without blanks: enough of a DN for these tests. */
static long
test_dn(struct span dn, char *out, size_t cap)
{
    size_t n = 0;

    if (dn.n > 0 && memchr(dn.p, '=', dn.n) == NULL)
        return -1;
    for (size_t i = 0; i < dn.n; i++) {
        if (dn.p[i] == ' ')
            continue;
        if (n == cap)
            return -1;
        out[n++] = (char)(dn.p[i] >= 'A' && dn.p[i] <= 'Z' ? dn.p[i] + 32 : dn.p[i]);
    }
    return (long)n;
}

/* Keep n bytes of s, "\0a" made a byte. */
static struct span
keep(struct made *m, const char *s, size_t n)
{
    struct span r = {m->text + m->used, 0};

    for (size_t i = 0; i < n; i++) {
        unsigned byte = (unsigned char)s[i];

        if (s[i] == '\\' && sscanf(s + i + 1, "%2x", &byte) == 1)
            i += 2;
        m->text[m->used++] = (char)byte;
        r.n++;
    }
    return r;
}

static void
add_value(struct made *m, struct span name, struct span value)
{
    size_t i = 0;

    while (i < m->view.n && !span_same(m->attr[i].name, name))
        i++;
    if (i == m->view.n) {
        m->attr[i] = (struct entry_attr){name, m->value[i], 0};
        m->view = (struct entry_view){m->attr, m->view.n + 1};
    }
    m->value[i][m->attr[i].n++] = value;
}

static void
add_line(struct made *m, const char *line)
{
    const char *colon = strchr(line, ':');

    if (colon == NULL) {
        ok(0, "unreadable: %s", line);
        return;
    }
    add_value(m, keep(m, line, (size_t)(colon - line)),
              keep(m, colon + 1 + (colon[1] == ' '), strlen(colon + 1 + (colon[1] == ' '))));
}

/* The record as the table writes it. */
static void
show(const struct record *r, char *out)
{
    const char *state = record_state_word(record_state(r));
    enum record_tag tag;
    struct span v;
    size_t pos = 0;

    out += sprintf(out, "= %s%s%s", record_kind_word(record_kind(r)), *state ? " " : "", state);
    if (record_created(r))
        out += sprintf(out, " %llu", (unsigned long long)record_created(r));
    while (record_next(r, &pos, &tag, &v))
        if (tag != TAG_RDN)
            out += sprintf(out, "\n> %s %.*s", build_word(tag), (int)v.n, v.p);
}

static void
test_case(struct made *m)
{
    struct conf_class map[CLASS_N] = {{0}};
    static char got[TEXT_MAX];
    char complaint[512];
    struct record r;
    struct span rdn;

    if (m->line == 0)
        return;
    if (attrs_preset(m->preset, map) < 0 ||
        attrs_pack(map, &m->view, m->rdn, 1, test_dn, buf, sizeof buf, &r, complaint,
                   sizeof complaint) < 0 ||
        record_check(r.p, r.n) < 0 || !record_find(&r, TAG_RDN, &rdn) || !span_same(rdn, m->rdn)) {
        ok(0, "%s", m->title);
        return;
    }
    show(&r, got);
    is_str(got, m->want, m->title);
    if (*complaint || *m->complaint)
        is_str(complaint, m->complaint, "and the complaint");
}

static void
read_line(struct made *m, const char *line)
{
    char rdn[256];

    if (m->line++ == 0)
        snprintf(m->title, sizeof m->title, "%s", line);
    else if (m->line == 2 && sscanf(line, "%31s %255[^\n]", m->preset, rdn) == 2)
        m->rdn = keep(m, rdn, strlen(rdn));
    else if (*line == '=' || *line == '>')
        snprintf(m->want + strlen(m->want), sizeof m->want - strlen(m->want), "%s%s",
                 *m->want ? "\n" : "", line);
    else if (*line == '!')
        snprintf(m->complaint, sizeof m->complaint, "%s", line + 2);
    else
        add_line(m, line);
}

static void
test_table(void)
{
    FILE *f = fopen("t/tables/attrs.tbl", "r");
    char line[1024];
    int cases = 0;

    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (*line == '#')
            continue;
        if (*line != '\0') {
            read_line(&made, line);
            continue;
        }
        cases += made.line > 0;
        test_case(&made);
        memset(&made, 0, sizeof made);
    }
    test_case(&made);
    if (f != NULL)
        fclose(f);
    ok(cases >= 50, "%d cases", cases);
}

/* An account with one more attribute, made by the postroad preset. */
static int
pack_with(const char *name, struct span value, size_t cap, struct record *r, char *complaint,
          size_t complaint_n)
{
    struct conf_class map[CLASS_N] = {{0}};

    memset(&made, 0, sizeof made);
    add_value(&made, span_of("objectClass"), span_of("postroadAccount"));
    add_value(&made, span_of("mail"), span_of("bob@a.example"));
    add_value(&made, span_of(name), value);
    attrs_preset("postroad", map);
    return attrs_pack(map, &made.view, span_of("uid=bob"), 1, test_dn, buf, cap, r, complaint,
                      complaint_n);
}

static void
test_limits(void)
{
    static char text[70000];
    char complaint[512], tiny[8];
    struct record r;
    struct span v;

    memset(text, 'x', sizeof text);
    is_int(pack_with("displayName", (struct span){text, 1024}, sizeof buf, &r, complaint, 512), 0,
           "a long name");
    ok(record_find(&r, TAG_NAME, &v) && v.n == 1024 && !*complaint, "is kept");
    pack_with("displayName", (struct span){text, 1025}, sizeof buf, &r, complaint, 512);
    ok(!record_find(&r, TAG_NAME, &v) && strstr(complaint, "is too long"), "a longer one is not");
    pack_with("postroadHomeSite", (struct span){text, 70000}, sizeof buf, &r, complaint, 512);
    ok(record_find(&r, TAG_HOME, &v) && v.n == 255, "of a home too long as much as fits");
    is_int(pack_with("cn", span_of("Bob"), 30, &r, complaint, 512), -1, "no room for the record");
    is_int(pack_with("cn", span_of("Bob"), 3, &r, complaint, 512), -1, "nor for its header");
    pack_with("postroadState", span_of("好好好好"), sizeof buf, &r, complaint, sizeof complaint);
    is_str(complaint, "postroadState '好好好好' is an unknown state", "a complaint in UTF-8");
    pack_with("好", span_of(""), sizeof buf, &r, tiny, sizeof tiny);
    pack_with("postroadRole", span_of("x"), sizeof buf, &r, tiny, sizeof tiny);
    is_str(tiny, "postroa", "a complaint is cut to fit");
    pack_with("postroadRole", span_of("x"), sizeof buf, &r, tiny, 1);
    is_str(tiny, "", "down to nothing");
    pack_with("postroadRole", span_of("x"), sizeof buf, &r, NULL, 0);
    is_int(record_check(r.p, r.n), 0, "or not asked for");
}

/* The group of administrators is of no class, and has its members all the same. */
static void
test_members(void)
{
    struct conf_class map[CLASS_N] = {{0}};
    struct record r, shorter;
    enum record_tag tag;
    struct span v;
    char complaint[512];
    size_t pos = 0;
    int members = 0;

    memset(&made, 0, sizeof made);
    attrs_preset("postroad", map);
    add_value(&made, span_of("objectClass"), span_of("groupOfNames"));
    add_value(&made, span_of("member"), span_of("uid=Alice,o=corp"));
    add_value(&made, span_of("member"), span_of(""));
    add_value(&made, span_of("member"), span_of("uid=bob,o=corp"));
    attrs_pack(map, &made.view, span_of("cn=admins"), 1, test_dn, buf, sizeof buf, &r, complaint,
               sizeof complaint);
    ok(!record_find(&r, TAG_MEMBER_DN, &v), "a group is of no class");
    shorter = r;
    is_int(attrs_pack_members(&made.view, test_dn, buf, r.n + 20, &r), -1, "no room for members");
    ok(r.n == shorter.n && record_check(r.p, r.n) == 0, "leaves the record as it was");
    is_int(attrs_pack_members(&made.view, test_dn, buf, sizeof buf, &r), 0, "its members");
    while (record_next(&r, &pos, &tag, &v))
        members += tag == TAG_MEMBER_DN;
    ok(members == 2 && record_check(r.p, r.n) == 0, "are all there, but for the empty one");
    ok(record_find(&r, TAG_MEMBER_DN, &v) && span_same(v, span_of("uid=alice,o=corp")),
       "in their normal form");
    pos = r.n;
    is_int(attrs_pack_members(&made.view, test_dn, buf, sizeof buf, &r), 0, "once more");
    is_int((long long)r.n, (long long)pos, "adds nothing");
}

static void
test_quota_unit(void)
{
    static const struct {
        const char *attr, *value, *want;
    } rows[] = {{"mailQuota", "5", "5242880"},
                {"mailQuota", "0", "0"},
                {"mailQuota", "879609302220", "922337203684638720"},
                {"mailQuota", "8796093022208", ""},
                {"postroadQuota", "5", "5"}};
    struct conf_class map[CLASS_N] = {{0}};
    char complaint[512];

    map[CLASS_ACCOUNT].quota =
        (struct conf_list){2, {(char[]){"mailQuota"}, (char[]){"postroadQuota"}}};
    attrs_preset("postroad", map);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct record r;
        struct span v;

        memset(&made, 0, sizeof made);
        add_value(&made, span_of("objectClass"), span_of("postroadAccount"));
        add_value(&made, span_of("mail"), span_of("bob@a.example"));
        add_value(&made, span_of(rows[i].attr), span_of(rows[i].value));
        attrs_pack(map, &made.view, span_of("uid=bob"), 1 << 20, test_dn, buf, sizeof buf, &r,
                   complaint, sizeof complaint);
        record_find(&r, TAG_QUOTA, &v);
        ok(span_same(v, span_of(rows[i].want)), "quota %s in MiB of %s: '%s'", rows[i].value,
           rows[i].attr, rows[i].want);
    }
}

static void
test_preset(void)
{
    struct conf_class map[CLASS_N] = {{0}};

    is_int(attrs_preset("nosuch", map), -1, "no such preset");
    is_int(attrs_preset("", map), -1, "nor an empty one");
    ok(map[CLASS_ACCOUNT].filter == NULL, "and nothing filled in");
    map[CLASS_ACCOUNT].filter = (char[]){"(uid=*)"};
    map[CLASS_LIST].filter = (char[]){""};
    map[CLASS_ACCOUNT].alias = (struct conf_list){1, {(char[]){"also"}}};
    map[CLASS_ACCOUNT].state = (struct conf_list){1, {(char[]){"status"}}};
    map[CLASS_DOMAIN].active = (struct conf_list){1, {(char[]){"on"}}};
    is_int(attrs_preset("iredmail", map), 0, "a preset");
    is_str(map[CLASS_ACCOUNT].filter, "(uid=*)", "what was set stays: a filter");
    is_str(map[CLASS_LIST].filter, "(objectClass=mailAlias)", "an empty one is not set");
    ok(map[CLASS_ACCOUNT].alias.n == 1 && !strcmp(map[CLASS_ACCOUNT].alias.v[0], "also"), "a list");
    ok(map[CLASS_ACCOUNT].state.n == 1 && map[CLASS_ACCOUNT].active.n == 0,
       "the preset's words for active go with its own attribute only");
    ok(map[CLASS_DOMAIN].active.n == 1 && !strcmp(map[CLASS_DOMAIN].active.v[0], "on"),
       "unless words were set, too");
    is_str(map[CLASS_ACCOUNT].address.v[0], "mail", "what was not set is filled in");
}

static int
wanted_count(const char **w, const char *name)
{
    int n = 0;

    for (; *w != NULL; w++)
        n += text_same(span_of(*w), span_of(name));
    return n;
}

static void
test_wanted(void)
{
    static const char *const presets[] = {"postroad", "iredmail", "univention", "laser"};
    static const char *const names[] = {"objectClass",
                                        "entryUUID",
                                        "createTimestamp",
                                        "cn",
                                        "owner",
                                        "member",
                                        "associatedDomain",
                                        "postroadRole",
                                        "postroadScope",
                                        "postroadRight",
                                        "postroadHomeSite",
                                        "postroadStandbySite",
                                        "postroadState",
                                        "postroadDeny",
                                        "postroadQuota",
                                        "postroadForward",
                                        "postroadNextHop",
                                        "postroadCertFingerprint",
                                        "postroadDesiredState",
                                        "postroadMember",
                                        "postroadSender",
                                        "postroadCatchAll",
                                        "postroadAlias",
                                        "postroadHost",
                                        "mail",
                                        "displayName"};
    struct conf_class map[CLASS_N] = {{0}};
    const char **w;

    attrs_preset("postroad", map);
    w = attrs_wanted(map);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        is_int(wanted_count(w, names[i]), 1, names[i]);
    is_int(wanted_count(w, "active"), 0, "no values among the names");
    free(w);
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++) {
        int twice = 0, bad = 0;

        memset(map, 0, sizeof map);
        attrs_preset(presets[i], map);
        w = attrs_wanted(map);
        for (size_t k = 0; w[k] != NULL; k++)
            twice += wanted_count(w, w[k]) != 1;
        for (int c = 0; c < CLASS_N; c++)
            bad += filter_check(map[c].filter, NULL) < 0;
        ok(twice == 0 && bad == 0, "%s: nothing asked for twice, all filters good", presets[i]);
        ok(strcmp(presets[i], "iredmail") != 0 || wanted_count(w, "enabledService") == 1,
           "%s: what its filters read is asked for", presets[i]);
        free(w);
    }
}

static void
test_time(void)
{
    static const struct {
        const char *text;
        long long want;
    } rows[] = {{"19700101000000Z", 0},
                {"19700101000001Z", 1},
                {"20000229120000Z", 951825600},
                {"20261121195500Z", 1795290900},
                {"20261121195500.999Z", 1795290900},
                {"20261121195500,5Z", 1795290900},
                {"202611211955Z", 1795290900},
                {"2026112119Z", 1795287600},
                {"20261122035500+0800", 1795290900},
                {"2026112203+08", 1795287600},
                {"20261121163000-0325", 1795290900},
                {"20991231235960Z", 4102444800},
                {"99991231235959Z", 253402300799},
                {"20261121235500+2359", 1795218960},
                {"20260131000000Z", 1769817600},
                {"20260132000000Z", -1},
                {"20260229000000Z", -1},
                {"20240230000000Z", -1},
                {"20260331000000Z", 1774915200},
                {"20260332000000Z", -1},
                {"20260531000000Z", 1780185600},
                {"20260532000000Z", -1},
                {"20260630000000Z", 1782777600},
                {"20260631000000Z", -1},
                {"20260731000000Z", 1785456000},
                {"20260732000000Z", -1},
                {"20260831000000Z", 1788134400},
                {"20260832000000Z", -1},
                {"20260930000000Z", 1790726400},
                {"20260931000000Z", -1},
                {"20261031000000Z", 1793404800},
                {"20261032000000Z", -1},
                {"20261130000000Z", 1795996800},
                {"20261131000000Z", -1},
                {"20261231000000Z", 1798675200},
                {"20261232000000Z", -1},
                {"21000301000000Z", 4107542400},
                {"24000229000000Z", 13574563200},
                {"40000301000000Z", 64065772800},
                {"202611/1000000Z", -1},
                {"20261121195500+00", 1795290900},
                {"20261121195500+0", -1},
                {"2026112119550Z", -1},
                {"20261121195500.5", -1},
                {"20261121195500.5x", -1},
                {"19691231235959Z", -1},
                {"19700101000000+0001", -1},
                {"20260229000000Z", -1},
                {"20240229000000Z", 1709164800},
                {"21000229000000Z", -1},
                {"20261301000000Z", -1},
                {"20260001000000Z", -1},
                {"20260100000000Z", -1},
                {"20260431000000Z", -1},
                {"20260101240000Z", -1},
                {"20260101006000Z", -1},
                {"20260101000061Z", -1},
                {"20260101000000", -1},
                {"20260101000000z", -1},
                {"20260101000000.Z", -1},
                {"20260101000000Zx", -1},
                {"20260101000000+", -1},
                {"20260101000000+1", -1},
                {"20260101000000+24", -1},
                {"20260101000000+0860", -1},
                {"20260101000000+08000", -1},
                {"2026010100000Z", -1},
                {"20260101Z", -1},
                {"-0260101000000Z", -1},
                {"", -1}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        is_int(text_time(span_of(rows[i].text)), rows[i].want, rows[i].text);
}

static void
test_utf8(void)
{
    static const struct {
        const char *text;
        int good;
    } rows[] = {{"", 1},
                {"plain", 1},
                {"驿路", 1},
                {"\xf0\x9f\x93\xae", 1},
                {"\xf4\x8f\xbf\xbf", 1},
                {"\xc2\xa0", 1},
                {"\xe0\xa0\x80", 1},
                {"\xf0\x90\x80\x80", 1},
                {"\xed\x9f\xbf", 1},
                {"\xee\x80\x80", 1},
                {"\xc2\x9f", 0},
                {"\x1f", 0},
                {"\x7f", 0},
                {"\x80", 0},
                {"\xc0\x80", 0},
                {"\xc1\xbf", 0},
                {"\xc2", 0},
                {"\xe0\x9f\xbf", 0},
                {"\xed\xa0\x80", 0},
                {"\xef\xbf\xbf", 1},
                {"\xe9\xa9", 0},
                {"\xe9\xa9x", 0},
                {"\xf0\x8f\xbf\xbf", 0},
                {"\xf4\x90\x80\x80", 0},
                {"\xf8\x88\x80\x80\x80", 0},
                {"\xff", 0}};
    char out[8];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        is_int(text_clean(span_of(rows[i].text)), rows[i].good, "UTF-8 or not");
    is_int((long long)text_show(span_of("ab驿路"), out, 8), 5, "cut between characters");
    is_str(out, "ab驿", "and not inside one");
    text_show((struct span){"a\0\xff\nb", 5}, out, 8);
    is_str(out, "a???b", "what can't be shown is a question mark");
}

static void
test_rdn(void)
{
    static const struct {
        const char *rdn, *type, *value;
    } rows[] = {{"dc=a.example", "dc", "a.example"},
                {"dc=a.example+ou=x", "dc", "a.example"},
                {"cn=a\\+b\\2Cc\\\\", "cn", "a+b,c\\"},
                {"cn=\\E9\\A9\\BF", "cn", "驿"},
                {"cn=a=b", "cn", "a=b"},
                {"c=x", "c", "x"},
                {"c=\\20\\0a\\0A\\ ", "c", " \n\n "},
                {"c=a\\2", "c", "a2"},
                {"c=a,dc=b", "c", "a"},
                {"c=+x=y", "", ""},
                {"cn=", "", ""},
                {"=x", "", ""},
                {"cn", "", ""},
                {"", "", ""},
                {"cn=#0403", "", ""},
                {"cn=a\\", "", ""},
                {"cn=0123456789abcdef", "cn", "0123456789abcdef"},
                {"cn=0123456789abcdefg", "", ""}};
    struct span type;
    char out[16];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        long n = text_rdn(span_of(rows[i].rdn), &type, out, sizeof out);

        ok(*rows[i].type ? n > 0 && span_same(type, span_of(rows[i].type)) &&
                               span_same((struct span){out, (size_t)n}, span_of(rows[i].value))
                         : n < 0,
           "RDN %s", rows[i].rdn);
    }
}

int
main(void)
{
    test_table();
    test_limits();
    test_members();
    test_quota_unit();
    test_preset();
    test_wanted();
    test_time();
    test_utf8();
    test_rdn();
    return tap_done();
}
