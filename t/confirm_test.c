/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * confirm: what searches at all providers show of a question, told as t/tables/confirm.tbl.
 */
#include "policyd/confirm.h"
#include "tap.h"

#define TABLE "t/tables/confirm.tbl"
#define ROW   3

static struct confirm *confirm;

static void
says(const char *line, unsigned version, const char *want)
{
    char got[64];
    unsigned provider = 0;
    int64_t at = 0;

    switch (confirm_verdict(confirm, ROW, version, &at, &provider)) {
    case CONFIRM_SAME:
        snprintf(got, sizeof got, "same at %lld", (long long)at);
        break;
    case CONFIRM_DIFFERS:
        snprintf(got, sizeof got, "%u differs at %lld", provider + 1, (long long)at);
        break;
    default:
        snprintf(got, sizeof got, "nothing");
    }
    is_str(got, want, line);
}

static void
step(const char *line)
{
    unsigned version, i;
    long long at;
    char word[16];
    int n = 0;

    if (sscanf(line, "providers %u", &i) == 1) {
        confirm_free(&confirm);
        confirm = confirm_new(ROW + 1, i);
    } else if (sscanf(line, "question %u provider %u wanted %lld: %15s", &version, &i, &at, word) ==
               4) {
        is_str(confirm_due(confirm, ROW, i - 1, version, at) ? "due" : "not", word, line);
    } else if (sscanf(line, "question %u provider %u asked %lld", &version, &i, &at) == 3) {
        confirm_asked(confirm, ROW, i - 1, version, at);
    } else if (sscanf(line, "question %u provider %u silent", &version, &i) == 2 &&
               strstr(line, "silent")) {
        confirm_unanswered(confirm, ROW, i - 1, version);
    } else if (sscanf(line, "question %u provider %u at %lld: %15s", &version, &i, &at, word) ==
               4) {
        confirm_result(confirm, ROW, i - 1, version, at, strcmp(word, "same") == 0);
    } else if (sscanf(line, "question %u: %n", &version, &n) == 1 && n) {
        says(line, version, line + n);
    } else {
        ok(0, "a line nobody understands: %s", line);
    }
}

int
main(void)
{
    FILE *f = fopen(TABLE, "r");
    char line[256];
    int n = 0;

    while (f && fgets(line, sizeof line, f)) {
        line[strcspn(line, "#\n")] = '\0';
        for (size_t len = strlen(line); len && line[len - 1] == ' '; len--)
            line[len - 1] = '\0';
        if (!line[0])
            continue;
        step(line);
        n++;
    }
    if (f)
        fclose(f);
    confirm_free(&confirm);
    ok(n > 20, "%d steps in %s", n, TABLE);
    return tap_done();
}
