/* SPDX-License-Identifier: BSD-2-Clause */
/* spoof_judge: the rows of t/tables/spoof-judge.tbl. */
#include "spoof_judge.h"
#include "table.h"

/* The directory of the table. */
static int
lookup(void *ctx, struct span name, struct spoof_domain *out)
{
    static const struct {
        const char *name, *primary;
        int action;
    } ours[] = {{"strict.example", "strict.example", SPOOF_REJECT},
                {"alias.example", "strict.example", SPOOF_REJECT},
                {"sub.strict.example", "sub.strict.example", SPOOF_OFF},
                {"held.example", "held.example", SPOOF_QUARANTINE},
                {"marked.example", "marked.example", SPOOF_TAG},
                {"free.example", "free.example", SPOOF_OFF},
                {"silent.example", "silent.example", -1}};

    (void)ctx;
    if (span_same(name, span_of("unread.example")))
        return -1;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        if (!span_same(name, span_of(ours[i].name)))
            continue;
        snprintf(out->primary, sizeof out->primary, "%s", ours[i].primary);
        out->action = ours[i].action;
        return 1;
    }
    return 0;
}

/* "domain by", into what the verifier found. */
static void
vouch_for(struct vouch *v, const char *domain, const char *by)
{
    snprintf(v->domain[0].name, sizeof v->domain[0].name, "%s", domain);
    for (int i = 0; i <= VOUCH_ARC; i++)
        if (strcmp(vouch_word((enum vouch_by)i), by) == 0)
            v->domain[0].by = (enum vouch_by)i;
    v->n = 1;
    v->arc_pass = v->seals = 1;
}

static void
judge(char *envelope, char *from, char *vouched, const char *want)
{
    struct spoof_settings s = {SPOOF_TAG, SPOOF_QUARANTINE, strstr(vouched, "subdomains") != NULL,
                               SPOOF_OFF};
    struct from_header f, sender_f;
    struct spoof_result r;
    struct vouch v;
    struct spoof_message m = {.from = &f, .sender = &sender_f, .vouch = &v};
    char *sender = strstr(from, "Sender:"), what[64], got[400], domain[ADDR_DOMAIN_MAX + 1], by[16];

    vouch_begin(&v);
    from_header_begin(&f);
    from_header_begin(&sender_f);
    if (sender) {
        *sender = '\0';
        from_header_add(&sender_f, sender + 7, strlen(sender + 7));
    }
    for (char *next; (next = strstr(from, " // ")); from = next + 4) {
        *next = '\0';
        from_header_add(&f, from, strlen(from));
    }
    from_header_add(&f, from, strlen(from));
    vouched += s.subdomains ? strlen("subdomains") : 0;
    if (sscanf(vouched, " %253s %15s", domain, by) == 2)
        vouch_for(&v, domain, by);
    m.envelope = strcmp(envelope, "<>") == 0 ? "" : envelope;
    spoof_judge(&m, &s, lookup, NULL, &r);
    snprintf(got, sizeof got, "%d: %s%s%s%s%s", r.guard.rule,
             guard_spoof_verdict_word(r.guard.verdict), *r.domain ? ", " : "", r.domain,
             *r.domain ? " in " : "", r.where);
    snprintf(what, sizeof what, "spoof-judge.tbl line %d", table_number);
    is_str(got, want, what);
    m.inside = 1;
    spoof_judge(&m, &s, lookup, NULL, &r);
    is_int(r.guard.rule, 1, "  from inside: passes");
}

static void
row(char *line)
{
    char *part[4];

    if (table_columns(line, part, 4))
        judge(part[0], part[1], part[2], part[3]);
    else
        ok(0, "spoof-judge.tbl line %d: unreadable", table_number);
}

/* Where it is not known whose a domain is, the strictest counts, whoever says it. */
static void
test_most(void)
{
    struct spoof_settings s = {.action = SPOOF_OFF, .most = SPOOF_REJECT};
    struct spoof_message m = {.envelope = ""};
    struct spoof_result r;
    struct from_header f;

    m.from = &f;
    from_header_begin(&f);
    f.more = 1;
    spoof_judge(&m, &s, lookup, NULL, &r);
    is_int(r.guard.verdict, SPOOF_IS_REJECTED, "too much in From, where a domain says reject");
    from_header_begin(&f);
    from_header_add(&f, "x@unread.example", 16);
    spoof_judge(&m, &s, lookup, NULL, &r);
    is_int(r.guard.verdict, SPOOF_WAITS, "nobody can tell whose it is: later");
    s.most = SPOOF_TAG;
    spoof_judge(&m, &s, lookup, NULL, &r);
    is_int(r.guard.verdict, SPOOF_IS_TAGGED, "where no domain is that strict: tagged");
}

int
main(void)
{
    test_most();
    table_each("t/tables/spoof-judge.tbl", row);
    return tap_done();
}
