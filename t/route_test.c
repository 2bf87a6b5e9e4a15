/* SPDX-License-Identifier: BSD-2-Clause */
/* route: the rows of t/tables/route.tbl, and that they leave no rule out. */
#include "route.h"
#include "t/build.h"
#include "t/table.h"

#include <ctype.h>

enum { COLUMNS = 7, SITE_WORDS = 4 };

static char site_lines[SITE_MAX][SITE_WORDS][64];
static int nsites;
static int rule_rows[10], verdict_rows[ROUTE_WAIT + 1];

/* "standby=x" with x in place; "-" is nothing. */
static struct span
value_of(const char *word)
{
    const char *v = strchr(word, '=');

    return span_of(v == NULL || strcmp(v + 1, "-") == 0 ? "" : v + 1);
}

static void
read_site(const char *line)
{
    char(*w)[64] = site_lines[nsites++];

    if (sscanf(line, "site %63s %63s %63s %63s", w[0], w[1], w[2], w[3]) != SITE_WORDS)
        ok(0, "unreadable: %s", line);
}

/* The sites as declared; states is "hebei=failed-over …" or "-". */
static void
make_sites(struct site_table *t, const char *states)
{
    static unsigned char buf[65536], server_buf[65536];

    site_table_init(t);
    for (int i = 0; i < nsites; i++) {
        char(*w)[64] = site_lines[i], failed[96], hop[96] = "hop=10 ", standby[96] = "standby=";
        struct record r;
        struct site *s;

        snprintf(failed, sizeof failed, "%.63s=failed-over", w[0]);
        strncat(hop, value_of(w[2]).p, sizeof hop - 8);
        strncat(standby, value_of(w[1]).p, sizeof standby - 9);
        r = record_of(buf, KIND_SITE, STATE_UNSET,
                      strstr(states, failed) ? "desired=failed-over" : "desired=up",
                      value_of(w[1]).n ? standby : "name=-", value_of(w[2]).n ? hop : "name=-",
                      NULL);
        s = site_table_add(t, span_of(w[0]), &r);
        r = record_of(server_buf, KIND_SERVER, STATE_UNSET, NULL);
        if (value_of(w[3]).n > 0)
            site_add_server(t, s, value_of(w[3]), &r);
    }
    site_table_seal(t);
    if (t->bad)
        ok(0, "sites of the table are good");
}

static void
read_account(struct route_input *in, char *text)
{
    in->found = 1;
    in->kind = KIND_ACCOUNT;
    for (char *w = strtok(text, " "); w != NULL; w = strtok(NULL, " ")) {
        int state = record_state_parse(span_of(w));

        if (strcmp(w, "none") == 0)
            in->found = 0;
        else if (strcmp(w, "proven") == 0)
            in->proven = 1;
        else if (strcmp(w, "list") == 0)
            in->kind = KIND_LIST;
        else if (strncmp(w, "home=", 5) == 0)
            in->home = value_of(w);
        else if (strncmp(w, "standby=", 8) == 0)
            in->standby = value_of(w);
        else if (state >= 0)
            in->state = (enum record_state)state;
        else
            ok(0, "unreadable account word %s", w);
    }
}

static void
test_row(char *c[COLUMNS], const char *line)
{
    static struct site_table sites;
    struct route_input in = {.own_site = span_of(c[1]), .sites = &sites};
    struct route r;
    char got[256], want[256];

    make_sites(&sites, c[4]);
    in.domain_ours = strstr(c[2], "@a.example") != NULL;
    read_account(&in, c[3]);
    r = route_decide(&in);
    snprintf(got, sizeof got, "%d %s%s%s | %s", r.step, route_verdict_word(r.verdict),
             r.site ? " " : "", r.site ? r.site->name : "", r.why);
    snprintf(want, sizeof want, "%s %s | %s", c[0], c[5], c[6]);
    is_str(got, want, line);
    is_int(r.list, r.verdict == ROUTE_LOCAL && in.kind == KIND_LIST, "a list is marked as one");
    rule_rows[atoi(c[0]) % 10]++;
    verdict_rows[r.verdict]++;
}

static void
read_line(char *line)
{
    char *c[COLUMNS], shown[512];

    snprintf(shown, sizeof shown, "%s", line);
    if (table_columns(line, c, COLUMNS))
        test_row(c, table_trim(shown));
    else
        ok(0, "unreadable: %s", shown);
}

static void
test_edges(void)
{
    struct route_input in = {.domain_ours = 1, .found = 1, .kind = KIND_ACCOUNT};
    struct route r;

    in.home = (struct span){"hebeiX", 5};
    in.own_site = (struct span){"hebeiY", 5};
    r = route_decide(&in);
    ok(r.step == 7 && r.verdict == ROUTE_LOCAL, "no table of sites, names that end nowhere");
    in.home = in.own_site = (struct span){NULL, 0};
    r = route_decide(&in);
    ok(r.step == 9 && r.verdict == ROUTE_WAIT, "neither home nor own name: not equal");
    is_str(route_verdict_word((enum route_verdict)99), "wait", "no such verdict: wait");
}

static void
row(char *buf)
{
    char *line = table_trim(buf);

    if (strncmp(line, "site ", 5) == 0)
        read_site(line);
    else
        read_line(line);
}

int
main(void)
{
    table_each("t/tables/route.tbl", row);
    for (int step = 1; step <= 9; step++)
        ok(rule_rows[step] > 0 && route_rule_text(step) != NULL, "rule %d has %d rows, and a text",
           step, rule_rows[step]);
    for (int v = 0; v <= ROUTE_WAIT; v++)
        ok(verdict_rows[v] > 0, "verdict %s comes out", route_verdict_word((enum route_verdict)v));
    ok(route_rule_text(0) == NULL && route_rule_text(10) == NULL, "no other rules");
    test_edges();
    return tap_done();
}
