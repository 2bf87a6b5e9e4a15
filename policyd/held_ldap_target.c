/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_ldap_target: an entry names whose administrators decide about its message, by the DN he has. slapd's
 * overlay refint follows him from then on; what the mirror had not heard of when the entry was made, and what
 * a policyd left behind that was killed, is put right here.
 *
 * Promises: a value is only changed when the mirror says otherwise after it has caught up with the moment at
 * which the value was seen, or written; what somebody else has changed meanwhile, or has a verdict, is left
 * alone, so that nobody loses whose verdict it was. What is written is looked at once more in turn.
 */
#include <stdio.h>
#include <string.h>

#include "beat.h"
#include "dn.h"
#include "fnv.h"
#include "held_ldap.h"

#define LATER_MS  10000 /* it did not work */
#define BUDGET_MS 50    /* then others have their turn */
#define NO_SUM    0     /* nobody knows what is there */

/* Of one DN, however it is written; of none. */
static uint64_t
sum_of(const char *dn)
{
    char normal[MIRROR_DN_MAX];
    long n = dn_normalize(span_of(dn), normal, sizeof normal);

    return n >= 0 ? fnv64(FNV64, normal, (size_t)n) : fnv64(FNV64, dn, span_of(dn).n);
}

void
held_target_seen(const struct held *h, struct held_item *item, const char *dn)
{
    if (*h->env->conf->directory.ldif)
        return;
    item->target_sum = dn ? sum_of(dn) : NO_SUM;
    item->target_ms = (int64_t)board_now_ms();
}

/* Something else may be done about it now. */
static void
release(struct held *h, struct held_item *item)
{
    item->busy = 0;
    h->busy--;
    held_soon(h);
}

/* --- put right --- */

static void
on_mended(struct held *h, struct held_job *job, int code)
{
    struct held_item *item = job->item;

    if (code == LDAP_SUCCESS) {
        log_notice("target of a held message put right in its entry id=%s target=\"%s\"", job->id,
                   job->target);
        held_target_seen(h, item, job->target);
    } else if (code == LDAP_NO_SUCH_ATTRIBUTE || code == LDAP_NO_SUCH_OBJECT) {
        held_target_seen(h, item, NULL); /* somebody was faster */
    } else if (code == LDAP_ASSERTION_FAILED) {
        item->target_ms =
            (int64_t)board_now_ms(); /* the verdict is dealt with until then, or stays */
    } else {
        held_ldap_trouble(h, job->what, job->id, code);
    }
    release(h, item);
}

/* That there is no verdict: the change would hide whose it is. */
static LDAPControl *
assertion(const struct held_ldap *l, int has_target)
{
    LDAPControl *control = NULL;

    ldap_create_assertion_control(
        l->ld,
        has_target ? (char *)"(!(postroadHeldVerdict=*))"
                   : (char *)"(!(|(postroadHeldVerdict=*)(postroadHeldTarget=*)))",
        1, &control);
    return control;
}

/* The very value that was seen, and the new one in its place; either may be none. 0, -1. */
static int
mend(struct held *h, struct held_item *item, char *was, char *is)
{
    struct held_ldap *l = h->ldap;
    struct held_job *job = held_job_new("target", item->id, on_mended);
    char *old[2] = {was, NULL}, *new[2] = {is, NULL}, dn[1300];
    LDAPMod gone = {.mod_op = LDAP_MOD_DELETE,
                    .mod_type = (char *)"postroadHeldTarget",
                    .mod_vals.modv_strvals = old};
    LDAPMod come = {.mod_op = LDAP_MOD_ADD,
                    .mod_type = (char *)"postroadHeldTarget",
                    .mod_vals.modv_strvals = new};
    LDAPMod *mods[3] = {*was ? &gone : &come, *was && *is ? &come : NULL, NULL};
    LDAPControl *controls[2] = {job ? assertion(l, *was != '\0') : NULL, NULL};
    int rc = controls[0] ? LDAP_SUCCESS : LDAP_NO_MEMORY;

    if (!job)
        return -1;
    job->item = item;
    snprintf(job->target, sizeof job->target, "%s", is);
    held_ldap_dn(l, item->id, dn, sizeof dn);
    if (rc == LDAP_SUCCESS)
        rc = ldap_modify_ext(l->ld, dn, mods, controls, NULL, &job->msgid);
    if (controls[0])
        ldap_control_free(controls[0]);
    return held_job_sent(h, job, rc);
}

/* --- looked at again --- */

static void
take_entry(struct held *h, struct held_job *job, LDAPMessage *m)
{
    held_ldap_value(h, m, "postroadHeldTarget", job->target, sizeof job->target);
    job->whole = 1;
}

/*
 * h->record's target, as the mirror knows him now. Whom it knew when the message came may have been gone
 * already, and another one had his address: that one counts then, and is kept. 0, -1.
 */
static int
wanted(struct held *h, struct held_item *item, char dn[MIRROR_DN_MAX])
{
    struct held_record *r = &h->record;
    char known[sizeof r->target_uuid];

    if (held_load(h, item) < 0)
        return -1;
    memcpy(known, r->target_uuid, sizeof known);
    if (held_target_dn(h, dn) < 0)
        return -1;
    if (!*dn && *known && h->clock.at_ms - r->time_ms < HELD_GRACE_MS) {
        *r->target_uuid = '\0';
        if (held_target_dn(h, dn) < 0)
            return -1;
        if (!*dn)
            memcpy(r->target_uuid, known, sizeof known);
    }
    return strcmp(known, r->target_uuid) != 0 ? held_save(h, item) : 0;
}

static void
on_looked(struct held *h, struct held_job *job, int code)
{
    struct held_item *item = job->item;
    char dn[MIRROR_DN_MAX];
    uint64_t sum = sum_of(job->target);

    if (code == LDAP_NO_SUCH_OBJECT)
        item->target_ms = 0; /* the comparison's concern */
    else if (code != LDAP_SUCCESS)
        held_ldap_trouble(h, job->what, job->id, code);
    else if (job->whole && item->target_ms == job->target_ms && wanted(h, item, dn) == 0) {
        if (sum == sum_of(dn))
            item->target_ms = 0;
        else if (sum != item->target_sum)
            held_target_seen(h, item, job->target);
        else if (item->state == HELD_HELD && held_ldap_usable(h) &&
                 mend(h, item, job->target, dn) == 0)
            return;
    }
    release(h, item);
}

static void
look(struct held *h, struct held_item *item)
{
    static const char *const attrs[] = {"postroadHeldTarget", NULL};
    struct held_ldap *l = h->ldap;
    struct held_job *job;
    char dn[MIRROR_DN_MAX];

    item->target_ms = (int64_t)board_now_ms() + LATER_MS;
    if (wanted(h, item, dn) < 0)
        return;
    if (sum_of(dn) == item->target_sum) {
        item->target_ms = 0;
        return;
    }
    if (!(job = held_job_new("target", item->id, on_looked)))
        return;
    job->item = item;
    job->on_entry = take_entry;
    job->target_ms = item->target_ms; /* else a comparison has seen it since: it waits anew */
    held_ldap_dn(l, item->id, dn, sizeof dn);
    if (held_job_sent(h, job,
                      ldap_search_ext(l->ld, dn, LDAP_SCOPE_BASE, "(objectClass=*)", (char **)attrs,
                                      0, NULL, NULL, NULL, 0, &job->msgid)) < 0)
        return;
    item->busy = 1;
    h->busy++;
}

void
held_target_tick(struct held *h, int64_t mono_ms)
{
    int64_t heard = held_mirror_heard(h);

    for (size_t i = 0; i < h->index.n && h->busy < HELD_BUSY_MAX && held_ldap_usable(h); i++) {
        struct held_item *item = h->index.at[i];

        if (!item->target_ms || item->target_ms > heard || item->busy || !item->published ||
            item->state != HELD_HELD)
            continue;
        look(h, item);
        if (beat_now() >= mono_ms + BUDGET_MS)
            return;
    }
}
