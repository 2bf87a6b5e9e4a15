/* SPDX-License-Identifier: BSD-2-Clause */
/* guard_handoff: the rows of t/tables/guard-handoff.tbl, and that there is one for every route. */
#include "guard_handoff.h"
#include "t/table.h"

static int rows[ROUTE_WAIT + 1], accepted;

static int
verdict_of(const char *word)
{
    for (int v = 0; v <= ROUTE_WAIT; v++)
        if (strcmp(word, route_verdict_word((enum route_verdict)v)) == 0)
            return v;
    return -1;
}

static void
test_row(char *line)
{
    char here[32], list[8] = "", answer[16], why[64], got[96], want[96];
    struct route r = {.step = 1, .why = "of the route"};
    struct guard g;
    int v;

    if (sscanf(line, " %31[^ |] %7[^ |] | %15[^ |] | %63[^\n]", here, list, answer, why) != 4 &&
        sscanf(line, " %31[^ |] | %15[^ |] | %63[^\n]", here, answer, why) != 3) {
        ok(0, "unreadable row: %s", line);
        return;
    }
    v = verdict_of(here);
    if (v < 0) {
        ok(0, "no such route: %s", here);
        return;
    }
    r.verdict = (enum route_verdict)v;
    r.list = strcmp(list, "list") == 0;
    g = guard_handoff(&r);
    snprintf(got, sizeof got, "%s %s", g.verdict == GUARD_ACCEPT ? "accept" : "defer", g.why);
    snprintf(want, sizeof want, "%s %s", answer, why);
    is_str(got, want, line);
    rows[v]++;
    accepted += g.verdict == GUARD_ACCEPT;
}

int
main(void)
{
    struct route odd = {.verdict = (enum route_verdict)99};

    table_each("t/tables/guard-handoff.tbl", test_row);
    for (int v = 0; v <= ROUTE_WAIT; v++)
        ok(rows[v] > 0, "a row for %s", route_verdict_word((enum route_verdict)v));
    is_int(accepted, 1, "only one of them is accepted");
    is_int(guard_handoff(&odd).verdict, GUARD_DEFER, "no such route: defer");
    return tap_done();
}
