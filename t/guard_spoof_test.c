/* SPDX-License-Identifier: BSD-2-Clause */
/* guard_spoof: the rows of t/tables/guard-spoof.tbl, and what holds for all cases there are. */
#include "guard_spoof.h"
#include "t/table.h"

static int rows[GUARD_SPOOF_RULES + 1];

static int
take_action(const char *word, enum spoof_action *out)
{
    int action = spoof_action_parse(span_of(word));

    if (action >= 0)
        *out = (enum spoof_action)action;
    return action >= 0;
}

/* One word of a row; 0 unless it is one. */
static int
take_word(struct guard_spoofing *s, const char *word)
{
    if (strcmp(word, "inside") == 0)
        s->inside = 1;
    else if (strcmp(word, "forwarder") == 0)
        s->forwarder = 1;
    else if (strcmp(word, "vouched") == 0)
        s->vouched = 1;
    else if (strcmp(word, "too-much") == 0)
        s->too_much = 1;
    else if (strcmp(word, "?") == 0)
        s->claimed = GUARD_UNSURE;
    else if (strcmp(word, "shows?") == 0)
        s->shown = GUARD_UNSURE;
    else if (strncmp(word, "shows=", 6) == 0)
        return (s->shown = GUARD_YES) && take_action(word + 6, &s->shown_action);
    else if (strncmp(word, "otherwise=", 10) == 0)
        return take_action(word + 10, &s->otherwise);
    else if (strcmp(word, "-") != 0)
        return (s->claimed = s->claimed == GUARD_UNSURE ? GUARD_UNSURE : GUARD_YES) &&
               take_action(word, &s->action);
    return 1;
}

static void
test_row(char *line)
{
    char besides[128], answer[160], got[200];
    struct guard_spoofing s = {.claimed = GUARD_NO, .shown = GUARD_NO};
    struct guard_spoof g;
    int rule, good = 1;

    if (sscanf(line, " %d | %127[^|]| %159[^\n]", &rule, besides, answer) != 3) {
        ok(0, "unreadable row: %s", line);
        return;
    }
    for (char *at, *word = strtok_r(besides, " ", &at); word; word = strtok_r(NULL, " ", &at))
        good &= take_word(&s, word);
    g = guard_spoof(&s);
    snprintf(got, sizeof got, "%s: %s", guard_spoof_verdict_word(g.verdict), g.why);
    ok(good, "known words");
    is_str(got, answer, line);
    is_int(g.rule, rule, "by that rule");
    if (rule > 0 && rule <= GUARD_SPOOF_RULES)
        rows[rule]++;
}

/* The n-th of all cases; 0 after the last. */
static int
a_case(unsigned n, struct guard_spoofing *s)
{
    static const enum guard_known known[3] = {GUARD_UNSURE, GUARD_NO, GUARD_YES};
    unsigned *rest = &n;

#define NEXT(count)    \
    (*rest % (count)); \
    *rest /= (count)
    s->inside = (int)NEXT(2);
    s->forwarder = (int)NEXT(2);
    s->vouched = (int)NEXT(2);
    s->too_much = (int)NEXT(2);
    s->action = (enum spoof_action)NEXT(SPOOF_ACTIONS);
    s->shown_action = (enum spoof_action)NEXT(SPOOF_ACTIONS);
    s->otherwise = (enum spoof_action)NEXT(SPOOF_ACTIONS);
    s->claimed = known[n % 3], n /= 3;
    s->shown = known[n % 3], n /= 3;
#undef NEXT
    return n == 0;
}

/* Each case there is: no refusal for good or holding without a fact, and no unmarked pass in doubt. */
static void
test_all(void)
{
    unsigned n = 0, groundless = 0, doubtful = 0, spared = 0;
    struct guard_spoofing s;

    for (; a_case(n, &s); n++) {
        struct guard_spoof g = guard_spoof(&s);
        int outside = !s.inside && !s.forwarder;
        int doubt = s.claimed == GUARD_UNSURE || s.shown == GUARD_UNSURE || s.too_much;

        if (g.verdict == SPOOF_IS_REJECTED || g.verdict == SPOOF_IS_HELD)
            groundless +=
                !outside || !(s.claimed == GUARD_YES || s.shown == GUARD_YES || s.too_much);
        doubtful += outside && doubt && g.verdict == SPOOF_PASSES;
        spared += outside && s.claimed == GUARD_YES && s.action == SPOOF_REJECT &&
                  g.verdict != SPOOF_IS_REJECTED;
    }
    is_int((int)groundless, 0, "nothing is refused for good or held without a fact");
    is_int((int)doubtful, 0, "nothing from outside passes unmarked in doubt");
    is_int((int)spared, 0, "whatever else there is, reject is reject");
    ok(n == 9216, "%u cases", n);
}

int
main(void)
{

    table_each("t/tables/guard-spoof.tbl", test_row);
    for (int rule = 1; rule <= GUARD_SPOOF_RULES; rule++)
        ok(rows[rule] > 0, "a row for rule %d", rule);
    test_all();
    return tap_done();
}
