/* SPDX-License-Identifier: BSD-2-Clause */
/* freshness: the rows of t/tables/freshness.tbl. */
#include "freshness.h"
#include "t/tap.h"

static const char *const words[] = {
    [FRESH_NEVER] = "never", [FRESH_STALE] = "stale", [FRESH_CURRENT] = "current"};

static void
test_row(const char *line)
{
    char source[16], loaded[8], connected[8], verdict[16], want[160], got[160];
    struct freshness f;
    const char *why;
    long long beat;
    int at = 0;

    if (sscanf(line, "%15s %7s %7s %lld %15s %n", source, loaded, connected, &beat, verdict, &at) <
        5) {
        ok(0, "unreadable row: %s", line);
        return;
    }
    f = (struct freshness){
        .source = strcmp(source, "ldif") == 0 ? FRESHNESS_LDIF : FRESHNESS_SYNCREPL,
        .loaded = strcmp(loaded, "yes") == 0,
        .connected = strcmp(connected, "yes") == 0,
        .last_beat_ms = beat,
    };
    snprintf(want, sizeof want, "%s %s", verdict, line + at);
    snprintf(got, sizeof got, "%s ", words[freshness_decide(&f, 100000, 3000, &why)]);
    snprintf(got + strlen(got), sizeof got - strlen(got), "%s", why);
    is_str(got, want, line);
}

int
main(void)
{
    FILE *f = fopen("t/tables/freshness.tbl", "r");
    struct freshness loaded = {.source = FRESHNESS_LDIF, .loaded = 1};
    char line[256];
    int rows = 0;

    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '#' || line[0] == '\0')
            continue;
        test_row(line);
        rows++;
    }
    ok(rows >= 16, "%d rows", rows);
    is_int(freshness_decide(&loaded, 0, 0, NULL), FRESH_CURRENT, "why is not needed");
    if (f != NULL)
        fclose(f);
    return tap_done();
}
