/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * audit_filter: which records are wanted, and the times people write.
 *
 * Promises: a record is wanted when all that was asked for fits it. Times without a
 * zone are UTC, as in the records. Must not look at a clock.
 */
#include "audit_filter.h"

#include "attrs_text.h"

int
audit_filter_same(struct span raw, struct span text)
{
    char out[1024];
    struct span s = {out, audit_line_text(raw, out, sizeof out)};

    return text_same(s, text);
}

int
audit_filter_match(const struct audit_filter *f, const struct audit_line *l)
{
    if (l->wall_ms < f->since_ms || (f->until_ms > 0 && l->wall_ms >= f->until_ms))
        return 0;
    return (f->target.n == 0 || audit_filter_same(l->field[AUDIT_TARGET], f->target)) &&
           (f->actor.n == 0 || audit_filter_same(l->field[AUDIT_ACTOR], f->actor)) &&
           (f->action.n == 0 || audit_filter_same(l->field[AUDIT_ACTION], f->action));
}

int64_t
audit_duration_parse(struct span s)
{
    static const struct {
        char letter;
        int64_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}};
    const int64_t most = 3650LL * 86400000;
    int64_t n = 0;

    if (s.n < 2 || s.n > 12)
        return -1;
    for (size_t i = 0; i + 1 < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return -1;
        n = n * 10 + (s.p[i] - '0');
    }
    for (size_t u = 0; u < sizeof units / sizeof *units; u++)
        if (s.p[s.n - 1] == units[u].letter)
            return n <= most / units[u].ms ? n * units[u].ms : -1;
    return -1;
}

int64_t
audit_when_parse(struct span s, int64_t now_ms)
{
    char full[] = "0000-00-00T00:00:00.000Z";
    int64_t ago = audit_duration_parse(s);

    if (ago >= 0)
        return ago < now_ms ? now_ms - ago : 0;
    if (s.n > 0 && s.p[s.n - 1] == 'Z')
        s.n--;
    if (s.n != 10 && s.n != 16 && s.n != 19 && s.n != 23)
        return -1;
    memcpy(full, s.p, s.n);
    return audit_time_parse(span_of(full));
}
