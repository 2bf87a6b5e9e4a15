/* SPDX-License-Identifier: BSD-2-Clause */
/* direction_decide() against t/tables/direction.tbl, which holds every combination that matters. */
#include <stdlib.h>

#include "direction.h"
#include "table.h"

static int
verdict(const char *word)
{
    for (int v = ROUTE_OUTSIDE; v <= ROUTE_WAIT; v++)
        if (strcmp(word, route_verdict_word((enum route_verdict)v)) == 0)
            return v;
    return -1;
}

static unsigned seen[8]; /* rows of each rule */

static void
row(char *line)
{
    char handed[8], sender[16], recipient[16], want[16];
    struct direction_input in = {0};
    struct direction_result got;
    int rule;

    if (sscanf(line, "%d | %7s | %15s | %15s | %15s", &rule, handed, sender, recipient, want) !=
        5) {
        ok(0, "a row that can't be read: %s", line);
        return;
    }
    in.handed = strcmp(handed, "yes") == 0;
    in.inside = strcmp(sender, "inside") == 0;
    in.readable = strcmp(recipient, "-") != 0;
    if (in.readable && verdict(recipient) < 0)
        ok(0, "no verdict %s", recipient);
    in.verdict = in.readable ? (enum route_verdict)verdict(recipient) : ROUTE_LOCAL;
    got = direction_decide(&in);
    ok(got.step == rule && strcmp(direction_word(got.direction), want) == 0,
       "%d %s %s %s: %s, is %d %s", rule, handed, sender, recipient, want, got.step,
       direction_word(got.direction));
    seen[rule & 7]++;
}

int
main(void)
{

    table_each("t/tables/direction.tbl", row);
    for (int rule = 1; rule <= 7; rule++)
        ok(seen[rule] > 0 && direction_rule_text(rule), "rule %d has rows and a text", rule);
    ok(!direction_rule_text(0) && !direction_rule_text(8), "there are no other rules");
    return tap_done();
}
