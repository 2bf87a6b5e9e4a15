/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * confirm: see confirm.h. A difference counts when two searches in a row showed it: the
 * first one may have met an entry that was changed between search and comparison. What
 * a provider said counts until it says something else, with the moment it was said for.
 * Must not: read a clock, log, or know what is being asked.
 */
#include "confirm.h"

#include <stdlib.h>
#include <string.h>

struct said {
    int64_t asked_ms; /* last search, ended or not; 0 none, or it came to nothing */
    int64_t same_ms, differs_ms;
    unsigned strikes;
};

struct confirm {
    unsigned providers;
    uint64_t *version; /* of each row */
    struct said *said; /* of each row, of each provider */
};

struct confirm *
confirm_new(unsigned rows, unsigned providers)
{
    struct confirm *c = calloc(1, sizeof *c);

    if (!c)
        return NULL;
    c->providers = providers;
    c->version = calloc(rows, sizeof *c->version);
    c->said = calloc((size_t)rows * (providers ? providers : 1), sizeof *c->said);
    if (!c->version || !c->said)
        confirm_free(&c);
    return c;
}

void
confirm_free(struct confirm **cp)
{
    if (*cp) {
        free((*cp)->version);
        free((*cp)->said);
        free(*cp);
    }
    *cp = NULL;
}

static struct said *
row_of(const struct confirm *c, unsigned row)
{
    return c->said + (size_t)row * c->providers;
}

int
confirm_due(struct confirm *c, unsigned row, unsigned provider, uint64_t version, int64_t want_ms)
{
    struct said *s = row_of(c, row);

    if (c->version[row] != version) {
        memset(s, 0, c->providers * sizeof *s);
        c->version[row] = version;
    }
    s += provider;
    if (s->strikes > 0 && s->strikes < CONFIRM_STRIKES && s->differs_ms == s->asked_ms)
        return 1;
    return s->asked_ms == 0 || s->asked_ms <= want_ms;
}

/* What is said by a provider of the question of that version; NULL: the row has another one by now. */
static struct said *
said_by(struct confirm *c, unsigned row, unsigned provider, uint64_t version)
{
    return c->version[row] == version ? row_of(c, row) + provider : NULL;
}

void
confirm_asked(struct confirm *c, unsigned row, unsigned provider, uint64_t version, int64_t at_ms)
{
    struct said *s = said_by(c, row, provider, version);

    if (s)
        s->asked_ms = at_ms;
}

void
confirm_unanswered(struct confirm *c, unsigned row, unsigned provider, uint64_t version)
{
    struct said *s = said_by(c, row, provider, version);

    if (s)
        s->asked_ms = 0;
}

void
confirm_result(struct confirm *c, unsigned row, unsigned provider, uint64_t version, int64_t at_ms,
               int same)
{
    struct said *s = said_by(c, row, provider, version);

    if (!s)
        return;
    if (same) {
        s->same_ms = at_ms;
        s->strikes = 0;
    } else {
        s->differs_ms = at_ms;
        s->strikes++;
    }
}

enum confirm_verdict
confirm_verdict(const struct confirm *c, unsigned row, uint64_t version, int64_t *at_ms_r,
                unsigned *provider_r)
{
    const struct said *s = row_of(c, row);
    int64_t least = INT64_MAX;

    if (c->version[row] != version || c->providers == 0)
        return CONFIRM_NONE;
    for (unsigned i = 0; i < c->providers; i++) {
        if (s[i].strikes >= CONFIRM_STRIKES) {
            *at_ms_r = s[i].differs_ms;
            *provider_r = i;
            return CONFIRM_DIFFERS;
        }
        if (s[i].strikes > 0 || s[i].same_ms < least)
            least = s[i].strikes > 0 ? 0 : s[i].same_ms;
    }
    *at_ms_r = least;
    return least > 0 ? CONFIRM_SAME : CONFIRM_NONE;
}
