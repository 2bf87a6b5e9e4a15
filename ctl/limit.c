/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * limit: what --limit says, made into values of postroadLimit. One entry has one value
 * of each kind: the present one is taken away by its own bytes, so that two
 * administrators at once don't leave two.
 */
#include "limit.h"

#include <stdio.h>
#include <string.h>

#include "limits.h"

#define TEXT_MAX 64

struct wanted {
    enum limit_kind kind;
    int total, none;
    char text[TEXT_MAX]; /* as the directory holds it */
};

static const char known[] = "messages/hour, recipients/hour, messages/day, recipients/day (each of "
                            "them also with \"total \" before it), recipients/message, size";

/* "10M" as bytes: 1, or 0 it has no such unit. */
static int
with_unit(const char *number, char *out, size_t cap)
{
    static const char units[] = "KMG";
    size_t n = strspn(number, "0123456789");
    const char *unit = number[n] ? strchr(units, number[n] & ~0x20) : NULL;
    unsigned long long value = 0;

    if (n == 0 || n > 12 || !unit || !*unit || number[n + 1])
        return 0;
    sscanf(number, "%llu", &value);
    snprintf(out, cap, "%llu", value << (10 * (unit - units + 1)));
    return 1;
}

static int
parse(const char *option, int totals, struct wanted *w)
{
    const char *equals = strchr(option, '=');
    char number[32] = "0";
    uint64_t n;

    if (!equals || equals - option > 32)
        return ctl_usage("--limit takes KIND=NUMBER, such as messages/hour=100");
    w->none = equals[1] == '\0';
    if (!w->none && !with_unit(equals + 1, number, sizeof number))
        snprintf(number, sizeof number, "%.30s", equals + 1);
    snprintf(w->text, sizeof w->text, "%.*s %s", (int)(equals - option), option, number);
    if (!limit_parse(span_of(w->text), &w->kind, &n, &w->total))
        return ctl_usage("--limit \"%.80s\": known are %s; a whole number follows, or nothing to "
                         "take it away",
                         option, known);
    if (w->total && !totals)
        return ctl_usage("--limit \"%.80s\": a total is for all below a department or domain",
                         option);
    snprintf(w->text, sizeof w->text, "%s%s %s", w->total ? "total " : "", limit_word(w->kind),
             number);
    return CTL_DONE;
}

/* The entry's values of the kind go, but the one that is wanted; 1 when that is there. */
static int
take_away(const struct dir_entry *e, const struct wanted *w, struct dir_change *c)
{
    const struct dir_attr *a = e ? dir_attr(e, "postroadLimit") : NULL;
    int there = 0;

    for (size_t i = 0; a && i < a->n; i++) {
        struct span have = {a->v[i].p, a->v[i].n};
        enum limit_kind kind;
        uint64_t n;
        int total;

        if (!limit_parse(have, &kind, &n, &total) || kind != w->kind || total != w->total)
            continue;
        if (!w->none && strcmp(a->v[i].p, w->text) == 0)
            there = 1;
        else
            dir_change_value(c, DIR_DELETE, "postroadLimit", a->v[i].p);
    }
    return there;
}

int
limit_options(const struct ctl *ctl, const struct dir_entry *e, int totals, struct dir_change *c)
{
    unsigned seen[2] = {0, 0};
    const char *option;
    size_t at = 0;
    int code;

    while ((option = ctl_next_value(ctl, "limit", &at))) {
        struct wanted w;

        if ((code = parse(option, totals, &w)) != CTL_DONE)
            return code;
        if (seen[w.total] >> w.kind & 1)
            return ctl_usage("--limit \"%.80s\": that kind was given before", option);
        seen[w.total] |= 1u << w.kind;
        if (!take_away(e, &w, c) && !w.none)
            dir_change_value(c, DIR_ADD, "postroadLimit", w.text);
    }
    return CTL_DONE;
}
