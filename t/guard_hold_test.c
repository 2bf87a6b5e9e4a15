/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guard_hold: the rows of t/tables/guard-hold.tbl, with rules read as milter.moderate is; what holds for all
 * questions; what is said about rules that are wrong, and about whom rules name.
 */
#include <stdlib.h>

#include "fold_text.h"
#include "guard_hold.h"
#include "nearest.h"
#include "t/table.h"

#define RULES 4

static int rows[GUARD_HOLD_STEPS + 1];

struct mail {
    struct guard_holding h;
    struct hold_rule rule[RULES];
    struct guard_hold_seen seen[RULES];
};

/* "ADDRESS/DEPARTMENT" or "?", in place. */
static struct hold_person
person(char *text)
{
    struct hold_person p = {0, text, "", ""};
    char *slash = strchr(text, '/'), *at = strchr(text, '@');

    if (strcmp(text, "?") == 0)
        return (struct hold_person){1, "", "", ""};
    if (slash) {
        *slash = '\0';
        p.department = slash + 1;
    }
    if (at)
        p.domain = at + 1;
    return p;
}

static void
seen_at(enum guard_known *seen, enum guard_known now)
{
    if (*seen != GUARD_YES && now != GUARD_NO)
        *seen = now;
}

static void
take_recipient(struct mail *m, char *text)
{
    struct hold_recipient to = {0};
    char *colon = strchr(text, ':'), *list = colon ? strstr(colon, ":list=") : NULL;

    if (colon)
        *colon++ = '\0';
    if (list) {
        *list = '\0';
        to.is_list = 1;
        to.members = list[6] == '?' ? -1 : atoi(list + 6);
    }
    for (int d = 0; colon && d < DIRECTION_N; d++)
        if (strcmp(direction_word((enum direction)d), colon) == 0)
            to.direction = (enum direction)d;
    to.who = person(text);
    for (unsigned i = 0; i < m->h.n; i++)
        seen_at(&m->seen[i].recipient, hold_rule_recipient(&m->rule[i], &to));
}

static int
take_word(struct mail *m, char *word, int sender)
{
    char *is = strchr(word, '='), folded[512];

    if (is)
        *is++ = '\0';
    for (char *p = is; p && *p && word[0] != 't' && strcmp(word, "from") != 0; p++)
        *p = *p == '_' ? ' ' : *p;
    if (is && strcmp(word, "from") == 0) {
        m->h.from = sender ? person(is) : m->h.from;
    } else if (is && strcmp(word, "to") == 0) {
        take_recipient(m, is);
    } else if (is && strcmp(word, "size") == 0) {
        m->h.size = (uint64_t)atoll(is);
    } else if (is && strcmp(word, "file") == 0) {
        for (unsigned i = 0; i < m->h.n; i++)
            seen_at(&m->seen[i].attachment,
                    (enum guard_known)hold_rule_attachment(&m->rule[i], span_of(is)));
    } else if (is && strcmp(word, "subject") == 0) {
        long n = fold_text(folded, sizeof folded, span_of(is));

        for (unsigned i = 0; i < m->h.n; i++)
            seen_at(&m->seen[i].subject, (enum guard_known)hold_rule_subject(
                                             &m->rule[i], (struct span){folded, (size_t)n}));
    } else if (!is) {
        m->h.handed |= strcmp(word, "handed") == 0;
        m->h.requested |= strcmp(word, "requested") == 0;
        m->h.notice |= strcmp(word, "notice") == 0;
        m->h.outside |= strcmp(word, "outside") == 0;
        return strcmp(word, "handed") == 0 || strcmp(word, "requested") == 0 ||
               strcmp(word, "notice") == 0 || strcmp(word, "outside") == 0;
    } else {
        return 0;
    }
    return 1;
}

static int
take_rules(struct mail *m, char *rules)
{
    char error[256], *at = NULL;

    for (char *one = strtok_r(rules, ";", &at); one; one = strtok_r(NULL, ";", &at))
        if (hold_rule_parse(&m->rule[m->h.n++], table_trim(one), error, sizeof error) < 0) {
            printf("# %s\n", error);
            return -1;
        }
    m->h.rule = m->rule;
    m->h.seen = m->seen;
    return 0;
}

static void
test_row(char *line)
{
    static struct mail m;
    char copy[512], got[128], *at = NULL, *word_at = NULL;
    char *step = strtok_r(line, "|", &at), *rules = strtok_r(NULL, "|", &at);
    char *mail = strtok_r(NULL, "|", &at), *answer = strtok_r(NULL, "|", &at);
    static const char *const verdicts[] = {"pass", "held", "later"};
    struct guard_hold g;
    int good = 1, number;

    if (!step || !rules || !mail || !answer) {
        ok(0, "an unreadable row: %s", line);
        return;
    }
    memset(&m, 0, sizeof m);
    m.h.from = (struct hold_person){0, "", "", ""};
    snprintf(copy, sizeof copy, "%s:%s", table_trim(rules), mail);
    good &= take_rules(&m, rules) == 0;
    for (char *w = strtok_r(mail, " ", &word_at); w; w = strtok_r(NULL, " ", &word_at))
        good &= take_word(&m, w, 1);
    g = guard_hold(&m.h);
    number = atoi(step);
    snprintf(got, sizeof got, "%s%s%s", verdicts[g.verdict], g.verdict ? " " : "",
             g.step == 2 ? "spoof"
             : g.verdict ? m.rule[g.rule].name
                         : "");
    ok(good, "words and rules that are known");
    is_str(got, table_trim(answer), copy);
    is_int(g.step, number, "by that step");
    if (g.verdict != GUARD_HOLD_PASS && g.step != 2)
        ok(guard_hold_may(&m.h, g.rule), "and it was not given up before");
    if (number > 0 && number <= GUARD_HOLD_STEPS)
        rows[number]++;
}

/* Each combination of what may be known of two rules: doubt neither holds nor passes. */
static void
test_all(void)
{
    static const enum guard_known known[] = {GUARD_UNSURE, GUARD_NO, GUARD_YES};
    struct mail *m = calloc(1, sizeof *m);
    char error[256];
    unsigned bad = 0, n = 0;

    hold_rule_parse(&m->rule[0], "a: attachment=exe subject=x to=a@b.example", error, sizeof error);
    hold_rule_parse(&m->rule[1], "b: subject=y", error, sizeof error);
    m->h = (struct guard_holding){.rule = m->rule, .seen = m->seen, .n = 2};
    for (unsigned i = 0; i < 81; i++, n++) {
        enum guard_known a[3] = {known[i % 3], known[i / 3 % 3], known[i / 9 % 3]};
        enum guard_known b = known[i / 27];
        int no = a[0] == GUARD_NO || a[1] == GUARD_NO || a[2] == GUARD_NO;
        int yes = a[0] == GUARD_YES && a[1] == GUARD_YES && a[2] == GUARD_YES;
        struct guard_hold g;

        m->seen[0] = (struct guard_hold_seen){a[0], a[1], a[2]};
        m->seen[1] = (struct guard_hold_seen){GUARD_NO, GUARD_NO, b};
        g = guard_hold(&m->h);
        bad += g.verdict == GUARD_HOLD_PASS && !(no && b == GUARD_NO);
        bad += g.verdict == GUARD_HOLD_HELD && !(yes || (no && b == GUARD_YES));
        bad += g.verdict == GUARD_HOLD_LATER && (yes || (no && b != GUARD_UNSURE));
    }
    is_int(bad, 0, "no pass and no hold out of doubt");
    free(m);
}

static void
wrong(const char *rule, const char *want)
{
    static struct hold_rule r;
    char error[256] = "";

    ok(hold_rule_parse(&r, rule, error, sizeof error) < 0, "refused: %s", rule);
    is_str(error, want, "and why");
}

static void
test_wrong(void)
{
    static struct hold_rule r;
    char error[256], long_rule[2000];

    wrong("", "\"\" does not begin with a name of letters, digits, - and _, and \":\"");
    wrong("size>1", "\"size>1\" does not begin with a name of letters, digits, - and _, and \":\"");
    wrong("a:", "rule \"a\": it has no condition, and would hold all mail");
    wrong("a: expire=3d", "rule \"a\": it has no condition, and would hold all mail");
    wrong("a: form=x", "rule \"a\": \"form=x\" is no condition; did you mean \"from\"?");
    wrong("a: attachments=exe",
          "rule \"a\": \"attachments=exe\" is no condition; did you mean \"attachment\"?");
    wrong("a: outbound", "rule \"a\": \"outbound\" is no condition");
    wrong("a: size=20M", "rule \"a\": write \"size>...\"");
    wrong("a: from>x", "rule \"a\": write \"from=...\"");
    wrong("a: size>20X", "rule \"a\": \"20X\" is no size; write bytes, or 20M (K, M, G)");
    wrong("a: size>99999999999999999999999",
          "rule \"a\": \"99999999999999999999999\" is no size; write bytes, or 20M (K, M, G)");
    wrong("a: list-members>many", "rule \"a\": \"many\" is no number of members");
    wrong("a: direction=outbond",
          "rule \"a\": no direction is \"outbond\"; did you mean \"outbound\"?");
    wrong("a: direction=transit", "rule \"a\": no direction is \"transit\"");
    wrong("a: from=a@@b", "rule \"a\": \"a@@b\" is no address, domain or domain/department");
    wrong("a: from=b.example/",
          "rule \"a\": \"b.example/\" is no address, domain or domain/department");
    wrong("a: from=", "rule \"a\": \"from=\" holds an empty or too long value");
    wrong("a: from=a.example,,b.example",
          "rule \"a\": \"from=a.example,,b.example\" holds an empty or too long value");
    wrong("a: from=x.example from=y.example",
          "rule \"a\": \"from\" stands there twice; separate values by commas");
    wrong("a: attachment=*.exe", "rule \"a\": \"*.exe\" is no end of a file's name, such as exe");
    wrong("a: subject='x", "rule \"a\": a quote is not closed: subject='x");
    wrong("a: subject=", "rule \"a\": \"subject=\" holds an empty or too long value");
    wrong("a: size>1 expire=5", "rule \"a\": \"5\" is no time, such as 90m, 12h, 5d or 2w");
    wrong("a: size>1 expire=0d", "rule \"a\": \"0d\" is no time, such as 90m, 12h, 5d or 2w");
    wrong("a: size>1 on-expire=regect",
          "rule \"a\": on-expire is reject, approve or keep; did you mean \"reject\"?");
    snprintf(long_rule, sizeof long_rule, "a: subject=%0600d", 1);
    ok(hold_rule_parse(&r, long_rule, error, sizeof error) < 0, "too long: %s", error);
    ok(hold_rule_parse(&r, "a-1_B:  size>1\tsubject='b c',d expire=36h on-expire=keep", error,
                       sizeof error) == 0,
       "a right one");
    is_str(r.text, "size>1 subject='b c',d", "its conditions");
    ok(r.expire_s == 129600 && r.on_expire == HELD_EXPIRE_KEEP, "and options");
    ok(hold_duration(span_of("90s")) == 90 && hold_duration(span_of("52w")) == 31449600 &&
           hold_duration(span_of("53w")) == -1 && hold_duration(span_of("")) == -1 &&
           hold_duration(span_of("d")) == -1 && hold_duration(span_of("-1d")) == -1,
       "times");
    ok(nearest_distance("kitten", "sitting") == 3, "three changes");
}

/* A list is meant by its own address or its size, not as somebody of a domain. */
static void
test_list(void)
{
    static struct hold_rule own, domain, large;
    struct hold_recipient list = {{0, "all@corp.example", "corp.example", ""}, 0, 1, 9};
    struct hold_recipient person_of = {{0, "all@corp.example", "corp.example", ""}, 0, 0, 0};
    char error[256];

    hold_rule_parse(&own, "a: to=all@corp.example", error, sizeof error);
    hold_rule_parse(&domain, "a: to=corp.example", error, sizeof error);
    hold_rule_parse(&large, "a: list-members>5", error, sizeof error);
    ok(hold_rule_means_list(&own, &list) && hold_rule_means_list(&large, &list), "the list");
    ok(!hold_rule_means_list(&domain, &list) && !hold_rule_means_list(&own, &person_of),
       "and not the list");
}

int
main(void)
{

    table_each("t/tables/guard-hold.tbl", test_row);
    for (int step = 1; step <= GUARD_HOLD_STEPS; step++)
        ok(rows[step] > 0 && guard_hold_step_text(step), "a row and a text for step %d", step);
    test_all();
    test_wrong();
    test_list();
    return tap_done();
}
