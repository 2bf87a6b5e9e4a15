/* SPDX-License-Identifier: BSD-2-Clause */
/* rights: the rows of t/tables/rights.tbl, and that they leave no rule, kind or action out. */
#include "rights.h"
#include "t/table.h"

#include <ctype.h>
#include <stdlib.h>

enum { COLUMNS = 6, WHO_MAX = 64, SCOPES_MAX = 4, DN_LEN = 256 };

static struct who {
    char name[16], dn[DN_LEN], scope[SCOPES_MAX][DN_LEN];
    enum rights_level level;
    struct span scopes[SCOPES_MAX];
    size_t nscopes;
} people[WHO_MAX];
static int npeople;
static int rule_rows[RIGHTS_RULES + 1], action_rows[ACT_LAST + 1][2];

/* Write out the A, B or D a DN ends with. */
static struct span
expand(const char *text, char out[DN_LEN])
{
    static const char *const tails[][2] = {{"A", "dc=a.example,ou=domains,o=corp"},
                                           {"B", "dc=b.example,ou=domains,o=corp"},
                                           {"D", "ou=domains,o=corp"}};
    size_t n = strlen(text);

    snprintf(out, DN_LEN, "%s", text);
    for (size_t i = 0; i < 3; i++)
        if (n > 0 && text[n - 1] == *tails[i][0] && (n == 1 || text[n - 2] == ','))
            snprintf(out + n - 1, DN_LEN - n, "%s", tails[i][1]);
    return span_of(out);
}

static void
read_who(char *line)
{
    struct who *w = &people[npeople++];
    char level[16], scopes[DN_LEN], dn[DN_LEN];
    int l;

    if (npeople == WHO_MAX ||
        sscanf(line, "who %15s %15s %255s %255s", w->name, level, scopes, dn) != 4) {
        ok(0, "unreadable: %s", line);
        return;
    }
    l = rights_level_parse(span_of(level));
    w->level = l < 0 ? LEVEL_USER : (enum rights_level)l;
    expand(dn, w->dn);
    for (char *s = strtok(scopes, ";"); s != NULL && strcmp(s, "-") != 0; s = strtok(NULL, ";")) {
        w->scopes[w->nscopes] = expand(s, w->scope[w->nscopes]);
        w->nscopes++;
    }
    for (size_t i = w->nscopes; i < SCOPES_MAX; i++) /* whoever reads too far has it all */
        w->scopes[i] = span_of("o=corp");
}

static const struct who *
find_who(const char *name)
{
    for (int i = 0; i < npeople; i++)
        if (strcmp(people[i].name, name) == 0)
            return &people[i];
    ok(0, "nobody is called %s", name);
    return &people[0];
}

static unsigned
bits_of(char *list, int (*parse)(struct span))
{
    unsigned bits = 0;

    for (char *w = list, *next; w != NULL; w = next) {
        next = strchr(w, ',');
        bits |= (unsigned)parse((struct span){w, next ? (size_t)(next - w) : strlen(w)});
        next = next ? next + 1 : NULL;
    }
    return bits;
}

static int
withheld_parse(struct span w)
{
    return span_same(w, span_of("forward"))    ? WITHHELD_FORWARD
           : span_same(w, span_of("password")) ? WITHHELD_PASSWORD
                                               : WITHHELD_SHARE;
}

static void
read_actor(struct rights_actor *a, char *text)
{
    const struct who *w = find_who(strtok(text, " "));

    *a = (struct rights_actor){.known = 1,
                               .active = 1,
                               .gate = w->level > LEVEL_USER,
                               .level = w->level,
                               .scopes = w->scopes,
                               .nscopes = w->nscopes,
                               .dn = span_of(w->dn)};
    for (char *word = strtok(NULL, " "); word != NULL; word = strtok(NULL, " ")) {
        if (strcmp(word, "ungated") == 0 || strcmp(word, "?gate") == 0)
            a->gate = -(*word == '?');
        else if (strcmp(word, "inactive") == 0 || strcmp(word, "?active") == 0)
            a->active = -(*word == '?');
        else if (strcmp(word, "absent") == 0 || strcmp(word, "?known") == 0)
            a->known = -(*word == '?');
        else if (strncmp(word, "rights=", 7) == 0)
            a->rights = bits_of(word + 7, rights_right_parse);
        else if (strncmp(word, "withheld=", 9) == 0)
            a->withheld = bits_of(word + 9, withheld_parse);
        else
            ok(0, "unreadable actor word %s", word);
    }
}

/* "department" or "account(super)"; the kind, and the level into *level. */
static int
read_kind(char *word, enum rights_level *level)
{
    char *paren = strchr(word, '(');

    if (paren != NULL) {
        *level = (enum rights_level)rights_level_parse((struct span){paren + 1, strlen(paren) - 2});
        *paren = '\0';
    }
    for (int k = 0; k <= RIGHTS_KIND_LAST; k++)
        if (strcmp(word, rights_kind_word((enum rights_kind)k)) == 0)
            return k;
    return -1;
}

static void
read_target(struct rights_target *t, char *text, char dn[DN_LEN])
{
    char *word = strtok(text, " ");
    struct span domains = span_of("ou=domains,o=corp");
    int kind = read_kind(word, &t->level);

    t->known = 1;
    if (kind >= 0) {
        t->kind = (enum rights_kind)kind;
        t->dn = expand(strtok(NULL, " "), dn);
    } else {
        t->dn = span_of(find_who(word)->dn);
        t->level = find_who(word)->level;
    }
    t->in_tree = rights_in_tree(t->kind, t->dn, domains);
    word = strtok(NULL, " ");
    if (word != NULL)
        t->known = strcmp(word, "?there") == 0 ? -1 : 0;
}

static void
read_address(struct rights_value *v, const char *word, char dn[DN_LEN])
{
    v->address = strcmp(word, "?") == 0 ? -1 : 1;
    v->own_domain = strcmp(word, "own") == 0;
    if (isupper((unsigned char)*word))
        v->address_domain = expand(word, dn);
}

static void
read_action(struct rights_input *in, char *text, char dn[DN_LEN])
{
    char *name = strtok(text, " "), *word = strtok(NULL, " ");
    int action = rights_action_parse(span_of(name));
    struct rights_value *v = &in->value;

    ok(action >= 0, "%s is an action", name);
    in->action = (enum rights_action)action;
    if (word == NULL)
        return;
    if (in->action == ACT_ROLE)
        v->level = (enum rights_level)rights_level_parse(span_of(word));
    else if (in->action == ACT_RIGHT)
        v->right = (unsigned)rights_right_parse(span_of(word));
    else if (in->action == ACT_CLASS)
        v->kind = read_kind(word, &v->level) + 1;
    else if (in->action == ACT_SCOPE || in->action == ACT_MOVE)
        v->dn = expand(word, dn);
    else
        read_address(v, word, dn);
    v->dn_in_tree = rights_below(v->dn, span_of("ou=domains,o=corp"));
}

static void
test_row(char *c[COLUMNS], const char *line)
{
    char target_dn[DN_LEN], value_dn[DN_LEN], got[256], want[256];
    struct rights_input in = {.action = ACT_MANAGE};
    struct rights r;

    read_actor(&in.actor, c[1]);
    read_action(&in, c[2], value_dn);
    read_target(&in.target, c[3], target_dn);
    r = rights_decide(&in);
    snprintf(got, sizeof got, "%d %s | %s", r.rule, rights_verdict_word(r.verdict), r.why);
    snprintf(want, sizeof want, "%s %s | %s", c[0], c[4], c[5]);
    is_str(got, want, line);
    rule_rows[atoi(c[0]) > RIGHTS_RULES ? 0 : atoi(c[0])]++;
    action_rows[in.action][r.verdict == RIGHTS_ALLOWED]++;
}

static void
test_dns(char *line)
{
    char *c[3], *p = line;
    int n = 0;

    for (; n < 3 && p != NULL; n++) {
        char *bar = strstr(p, " | ");

        if (bar != NULL)
            *bar = '\0';
        c[n] = table_trim(p);
        c[n] = strcmp(c[n], "-") == 0 ? c[n] + 1 : c[n];
        p = bar ? bar + 3 : NULL;
    }
    if (n == 3)
        is_int(rights_below(span_of(c[0]), span_of(c[1])), strcmp(c[2], "yes") == 0, c[0]);
    else
        ok(n == 2 && span_same(rights_parent(span_of(c[0])), span_of(c[1])), "parent of %s", c[0]);
}

static void
read_line(char *line)
{
    char *c[COLUMNS], shown[512];

    snprintf(shown, sizeof shown, "%s", line);
    if (table_columns(line, c, COLUMNS))
        test_row(c, shown);
    else
        ok(0, "unreadable: %s", shown);
}

static void
row(char *buf)
{
    char *line = table_trim(buf);

    if (strncmp(line, "who ", 4) == 0)
        read_who(line);
    else if (strncmp(line, "below ", 6) == 0)
        test_dns(line + 6);
    else if (strncmp(line, "parent ", 7) == 0)
        test_dns(line + 7);
    else
        read_line(line);
}

/* --- what holds for every question --- */

static const struct span all_scope = {"ou=domains,o=corp", 17};

/* The n-th of all combinations of an actor and a target, as far as they are told apart anywhere. */
static struct rights_input
nth(unsigned n, enum rights_action action)
{
    static const char *const dns[] = {"uid=x,ou=hr,dc=a.example,ou=domains,o=corp",
                                      "uid=y,ou=hr,dc=a.example,ou=domains,o=corp", "cn=x,o=corp"};
    struct rights_input in = {.action = action};

    in.actor.known = (int)(n % 3) - 1;
    in.actor.active = (int)(n / 3 % 3) - 1;
    in.actor.gate = (int)(n / 9 % 3) - 1;
    in.actor.level = (enum rights_level)(n / 27 % 5);
    in.actor.rights = n / 135 % 2 ? 15 : 0;
    in.actor.withheld = n / 270 % 2 ? 7 : 0;
    in.actor.dn = span_of(dns[0]);
    in.actor.scopes = &all_scope;
    in.actor.nscopes = 1;
    in.target.known = (int)(n / 540 % 3) - 1;
    in.target.level = (enum rights_level)(n / 1620 % 5);
    in.target.kind = (enum rights_kind)(n / 8100 % 6);
    in.target.dn = span_of(dns[n / 48600 % 3]);
    in.target.in_tree = n / 48600 % 3 < 2;
    in.value = (struct rights_value){.level = (enum rights_level)(n / 145800 % 5), .right = 2};
    return in;
}

enum { COMBINATIONS = 145800 * 5 };

static int
is_sane(const struct rights_input *in, struct rights r)
{
    const struct rights_actor *a = &in->actor;
    int self = span_same(a->dn, in->target.dn);

    if (r.rule < 1 || r.rule > RIGHTS_RULES || r.why == NULL || (r.verdict < 0) != (r.rule == 1))
        return 0;
    if (r.verdict != RIGHTS_ALLOWED)
        return 1;
    if (a->known != 1 || a->active != 1 || in->target.known != 1)
        return 0;
    if (r.rule == 5)
        return self;
    if (a->gate != 1 || a->level == LEVEL_USER)
        return 0;
    if (a->level < LEVEL_SYSTEM && (in->target.level >= a->level || !in->target.in_tree || self))
        return in->target.level < a->level && in->target.in_tree;
    return a->level == LEVEL_SYSTEM || in->action != ACT_ROLE || in->value.level < a->level;
}

/* A lower level is never allowed what a higher one is not. */
static int
is_monotone(struct rights_input in, struct rights r)
{
    if (r.verdict != RIGHTS_ALLOWED || in.actor.level == LEVEL_SYSTEM)
        return 1;
    in.actor.level = (enum rights_level)(in.actor.level + 1);
    in.actor.gate = in.actor.level == LEVEL_DEPARTMENT ? 1 : in.actor.gate;
    return rights_decide(&in).verdict == RIGHTS_ALLOWED;
}

static void
test_all(void)
{
    unsigned bad = 0, turned = 0;

    for (int action = 0; action <= ACT_LAST; action++) {
        for (unsigned n = 0; n < COMBINATIONS; n += action == ACT_ROLE ? 1 : 7) {
            struct rights_input in = nth(n, (enum rights_action)action);
            struct rights r = rights_decide(&in);

            bad += !is_sane(&in, r);
            turned += !is_monotone(in, r);
        }
    }
    is_int(bad, 0,
           "no permission by doubt, without a level above the target's, or beyond the domains");
    is_int(turned, 0, "what a level may, the next one may");
}

static void
test_words(void)
{
    for (int a = 0; a <= ACT_LAST; a++)
        is_int(rights_action_parse(span_of(rights_action_word((enum rights_action)a))), a,
               rights_action_word((enum rights_action)a));
    is_int(rights_action_parse(span_of("grant:role")), ACT_ROLE, "grant:role is grant");
    is_int(rights_action_parse(span_of("Manage")), -1, "actions are written in lower case");
    is_int(rights_action_parse(span_of("")), -1, "nothing is no action");
    is_int(rights_level_parse(span_of("SYSTEM")), LEVEL_SYSTEM, "levels have no case");
    is_int(rights_level_parse(span_of("user")), -1, "user is no role");
    is_int(rights_level_parse(span_of("systemd")), -1, "systemd is no role");
    is_int(rights_right_parse(span_of("Read-Mail")), RIGHT_READ_MAIL, "rights have no case");
    is_int(rights_right_parse(span_of("read")), -1, "read is no right");
    is_str(rights_action_word((enum rights_action)99), "", "no such action");
    is_str(rights_level_word((enum rights_level)99), "user", "no such level: user");
    is_str(rights_kind_word((enum rights_kind)99), "container", "no such kind");
    is_str(rights_verdict_word((enum rights_verdict)7), "can't tell", "no such verdict");
}

static void
test_edges(void)
{
    static const struct span empty_scope = {NULL, 0};
    struct rights_input in = {.action = ACT_MANAGE,
                              .actor = {.known = 1, .active = 1, .gate = 1, .level = LEVEL_SUPER},
                              .target = {.known = 1, .in_tree = 1}};
    const char *text = "\\\\,o=corp";

    in.actor.scopes = &empty_scope;
    in.actor.nscopes = 1;
    in.target.dn = span_of("uid=x,o=corp");
    is_int(rights_decide(&in).rule, 12, "an empty scope holds nothing");
    in.actor.dn = in.target.dn = empty_scope;
    in.action = ACT_PERSON;
    is_int(rights_decide(&in).rule, 12, "who has no DN is not himself");
    is_int(rights_below(span_of(text), span_of("o=corp")), 1, "an escaped backslash, and a comma");
    is_int(rights_below(span_of(text + 1), span_of("o=corp")), 0, "the byte before is none of it");
    ok(rights_rule_text(-1) == NULL && rights_rule_text(1 << 28) == NULL, "far from any rule");
}

/* With an argument only what is quick. */
int
main(int argc, char **argv)
{
    (void)argv;
    table_each("t/tables/rights.tbl", row);
    for (int rule = 1; rule <= RIGHTS_RULES; rule++)
        ok(rule_rows[rule] > 0 && rights_rule_text(rule) != NULL, "rule %d has %d rows, and a text",
           rule, rule_rows[rule]);
    ok(rights_rule_text(0) == NULL && rights_rule_text(RIGHTS_RULES + 1) == NULL, "no other rules");
    for (int a = 0; a <= ACT_LAST; a++)
        ok(action_rows[a][0] > 0 && action_rows[a][1] > 0, "%s is refused and allowed in some row",
           rights_action_word((enum rights_action)a));
    test_words();
    test_edges();
    if (argc == 1)
        test_all();
    return tap_done();
}
