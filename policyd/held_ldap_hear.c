/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_ldap_hear: verdicts that moderators put into the entries of this site. They are asked for every two
 * seconds; one that does not count is taken away again.
 *
 * Promises: the very value that was judged is taken away, and only what was is recorded as refused. Must not
 * judge verdicts, or write them.
 */
#include <stdio.h>
#include <string.h>

#include "held_ldap.h"

#define VERDICTS 100 /* heard at once */

/* --- taken away --- */

static void
on_taken_away(struct held *h, struct held_job *job, int code)
{
    struct held_item *item = held_index_find(&h->index, job->id);

    h->ldap->taking--;
    /* One that can't be taken away comes again every two seconds: it is not recorded each time. */
    if (code != LDAP_SUCCESS && code != LDAP_NO_SUCH_ATTRIBUTE && code != LDAP_NO_SUCH_OBJECT) {
        held_ldap_trouble(h, job->what, job->id, code);
        return;
    }
    if (!item || held_load(h, item) < 0)
        return;
    h->refusal = job->refusal;
    held_verdict_refused(h, job->verdict, job->by);
}

/* The very value that was judged, and its reason: another one may be there by now. */
static void
take_away(struct held *h, const char *id, const char *verdict, const char *by, int has_reason)
{
    struct held_job *job = held_job_new("verdict", id, on_taken_away);
    char *value[2] = {(char *)verdict, NULL}, dn[1300];
    LDAPMod given = {.mod_op = LDAP_MOD_DELETE,
                     .mod_type = (char *)"postroadHeldVerdict",
                     .mod_vals.modv_strvals = value};
    LDAPMod reason = {.mod_op = LDAP_MOD_DELETE, .mod_type = (char *)"postroadHeldReason"};
    LDAPMod *mods[3] = {&given, has_reason ? &reason : NULL, NULL};

    if (!job)
        return;
    snprintf(job->verdict, sizeof job->verdict, "%s", verdict);
    snprintf(job->by, sizeof job->by, "%s", by);
    job->refusal = h->refusal;
    held_ldap_dn(h->ldap, id, dn, sizeof dn);
    if (held_job_sent(h, job, ldap_modify_ext(h->ldap->ld, dn, mods, NULL, NULL, &job->msgid)) == 0)
        h->ldap->taking++;
}

/* --- heard --- */

static void
hear(struct held *h, struct held_job *job, LDAPMessage *entry)
{
    char id[HELD_ID_MAX + 1], verdict[17], reason[1025], by[1025];

    (void)job;
    held_ldap_value(h, entry, "postroadHeldId", id, sizeof id);
    held_ldap_value(h, entry, "postroadHeldVerdict", verdict, sizeof verdict);
    held_ldap_value(h, entry, "postroadHeldReason", reason, sizeof reason);
    held_ldap_value(h, entry, "modifiersName", by, sizeof by);
    if (held_verdict_heard(h, id, verdict, by, reason) == 0 && held_ldap_usable(h))
        take_away(h, id, verdict, by, *reason != '\0');
}

static void
on_polled(struct held *h, struct held_job *job, int code)
{
    h->ldap->polling = 0;
    if (code != LDAP_SUCCESS && code != LDAP_SIZELIMIT_EXCEEDED)
        held_ldap_trouble(h, job->what, h->ldap->base, code);
    else
        board_add(&h->env->board, BOARD_HELD_POLLS, 1);
}

void
held_ldap_poll(struct held *h)
{
    static const char *const attrs[] = {"postroadHeldId", "postroadHeldVerdict",
                                        "postroadHeldReason", "modifiersName", NULL};
    struct held_ldap *l = h->ldap;
    struct held_job *job = held_job_new("verdicts", "", on_polled);
    struct timeval limit = {l->conf.held.timeout, 0};
    char filter[256];

    if (!job)
        return;
    job->on_entry = hear;
    snprintf(filter, sizeof filter,
             "(&(postroadHeldSite=%s)(postroadHeldState=held)(postroadHeldVerdict=*))",
             l->conf.site);
    l->polling =
        held_job_sent(h, job,
                      ldap_search_ext(l->ld, l->base, LDAP_SCOPE_ONELEVEL, filter, (char **)attrs,
                                      0, NULL, NULL, &limit, VERDICTS, &job->msgid)) == 0;
}
