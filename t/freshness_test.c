/* SPDX-License-Identifier: BSD-2-Clause */
/* freshness: the rows of t/tables/freshness.tbl. */
#include "freshness.h"
#include "t/table.h"

#define NOW  100000
#define WAIT 5000

static const char *const words[] = {[FRESH_NEVER] = "never",
                                    [FRESH_STALE] = "stale",
                                    [FRESH_WAIT] = "wait",
                                    [FRESH_CURRENT] = "current"};

static void
test_row(char *line)
{
    char source[16], loaded[8], following[8], verdict[16], want[160], got[160];
    struct freshness f;
    const char *why;
    long long proof, asked;
    int at = 0, away;

    if (sscanf(line, "%15s %7s %7s %d %lld %lld %15s %n", source, loaded, following, &away, &proof,
               &asked, verdict, &at) < 7) {
        ok(0, "unreadable row: %s", line);
        return;
    }
    f = (struct freshness){
        .source = strcmp(source, "ldif") == 0 ? FRESHNESS_LDIF : FRESHNESS_SYNCREPL,
        .loaded = strcmp(loaded, "yes") == 0,
        .following = strcmp(following, "yes") == 0,
        .unreachable = away,
        .proof_ms = proof,
        .asked_ms = asked,
    };
    snprintf(want, sizeof want, "%s %s", verdict, line + at);
    snprintf(got, sizeof got, "%s ", words[freshness_decide(&f, NOW, WAIT, &why)]);
    snprintf(got + strlen(got), sizeof got - strlen(got), "%s", why);
    is_str(got, want, line);
}

/* Whatever else holds: with a provider as the source, only a proof after the question makes a fact. */
static void
test_never_without_proof(void)
{
    int bad = 0, n = 0;

    for (int bits = 0; bits < 8; bits++)
        for (int64_t proof = 0; proof <= NOW + 2; proof += proof < NOW - 2 ? 4999 : 1)
            for (int64_t asked = 1; asked <= NOW; asked += 4999) {
                struct freshness f = {FRESHNESS_SYNCREPL, bits & 1, bits >> 1 & 1,
                                      bits >> 2,          proof,    asked};
                int current = freshness_decide(&f, NOW, WAIT, NULL) == FRESH_CURRENT;

                bad += current != (f.loaded && proof > asked && proof <= NOW);
                n++;
            }
    is_int(bad, 0, "current if and only if proven after the question");
    ok(n > 1000, "%d cases", n);
}

int
main(void)
{
    struct freshness loaded = {.source = FRESHNESS_LDIF, .loaded = 1, .following = 1};

    int rows = table_each("t/tables/freshness.tbl", test_row);
    ok(rows >= 25, "%d rows", rows);
    is_int(freshness_decide(&loaded, 0, 0, NULL), FRESH_CURRENT, "why is not needed");
    test_never_without_proof();
    return tap_done();
}
