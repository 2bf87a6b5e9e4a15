/* SPDX-License-Identifier: BSD-2-Clause */
/* auth_vouch, auth_results: the rows of t/tables/auth-vouch.tbl, and that both are bounded. */
#include <stdlib.h>

#include "auth_results.h"
#include "auth_vouch.h"
#include "table.h"

static const char *const sealers[] = {"list.example", "corp.example"};

/* "AR value": one field of the header. */
static void
field(struct vouch *v, const struct vouch_settings *s, char *text)
{
    static const char *const names[][2] = {{"AR", "authentication-results"},
                                           {"AAR", "ARC-Authentication-Results"},
                                           {"AS", "ARC-Seal"},
                                           {"R", "received"}};
    char *value = text + strcspn(text, " ");

    if (*value)
        *value++ = '\0';
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i][0], text) == 0)
            vouch_header(v, s, names[i][1], value, strlen(value));
}

static const char *
vouched(const struct vouch *v, char *out, size_t cap)
{
    enum vouch_by by;
    const char *name;
    unsigned i = 0;
    size_t n = 0;

    while ((name = vouch_domain(v, &i, &by)) && n < cap)
        n += (size_t)snprintf(out + n, cap - n, "%s%s %s", n ? ", " : "", name, vouch_word(by));
    return n ? out : "-";
}

static void
row(char *text)
{
    char *header = strstr(text, " | "), *want = header ? strstr(header + 3, " | ") : NULL;
    struct vouch_settings s = {"mx.corp.example", 1, sealers, 2, 0};
    struct vouch v;
    char what[64], got[512];

    snprintf(what, sizeof what, "auth-vouch.tbl line %d", table_number);
    if (!want) {
        ok(0, "%s: unreadable", what);
        return;
    }
    *header = *want = '\0';
    s.results = (unsigned)atoi(text);
    s.gateway = strstr(text, "gateway") != NULL;
    vouch_begin(&v);
    for (char *at = table_trim(header + 3), *next; at; at = next) {
        next = strstr(at, " // ");
        if (next) {
            *next = '\0';
            next += 4;
        }
        field(&v, &s, table_trim(at));
    }
    is_str(vouched(&v, got, sizeof got), table_trim(want + 3), what);
}

static void
test_bounds(void)
{
    static char large[VOUCH_VALUE + 100];
    struct vouch_settings s = {"mx.corp.example", 1, sealers, 2, 0};
    char text[4096] = "mx.corp.example", got[512];
    struct vouch v;

    for (int i = 0; i < 40; i++)
        snprintf(text + strlen(text), 64, "; dkim=pass header.d=d%d.example", i);
    vouch_begin(&v);
    vouch_header(&v, &s, "Authentication-Results", text, strlen(text));
    is_int(v.n, VOUCH_DOMAINS, "forty domains are too many, and the rest is not vouched for");
    memset(large, '(', sizeof large);
    memcpy(large, "mx.corp.example ", 16);
    vouch_begin(&v);
    vouch_header(&v, &s, "Authentication-Results", large, VOUCH_VALUE);
    vouch_header(&v, &s, "Authentication-Results", large, sizeof large);
    is_str(vouched(&v, got, sizeof got), "-", "comments that never end");
    s.authserv_id = "";
    vouch_begin(&v);
    snprintf(text, sizeof text, "; dmarc=pass header.from=corp.example");
    vouch_header(&v, &s, "Authentication-Results", text, strlen(text));
    is_str(vouched(&v, got, sizeof got), "-", "without a verifier nobody is believed");
}

int
main(void)
{
    table_each("t/tables/auth-vouch.tbl", row);
    test_bounds();
    return tap_done();
}
