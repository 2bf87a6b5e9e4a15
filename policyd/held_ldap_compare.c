/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_ldap_compare: the entries of this site and the records here, compared at each connection and every
 * hour: what is missing there is made again, what has no record here is removed; whom each is about is
 * looked at again.
 *
 * Promises: an entry that another policyd keeps is left alone, and said: two were given the same site. Much is
 * mended in slices. What was not seen whole mends nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "beat.h"
#include "held_ldap.h"

#define STALE_MAX 256 /* entries of nobody, removed in one comparison */
#define MEND_MAX  100 /* records written at once */
#define MEND_MS   3000

struct held_stale {
    char id[STALE_MAX][HELD_ID_MAX + 1];
    size_t n, next;
    unsigned rivals;
    char rival[HELD_KEEPER_MAX + 1];
};

void
held_ldap_compare_stop(struct held *h)
{
    free(h->ldap->stale);
    h->ldap->stale = NULL;
    h->ldap->comparing = 0;
}

/* --- what it comes to --- */

static void
say_rivals(struct held *h, const struct held_stale *s)
{
    board_set(&h->env->board, BOARD_HELD_RIVALS, s->rivals);
    if (s->rivals > 0)
        log_error("entries of held messages are of this site, and another policyd keeps them: each "
                  "needs a site of its own; they are left alone entries=%u site=%s keeper=%s "
                  "here=%s",
                  s->rivals, h->env->conf->site, s->rival, h->ldap->keeper);
}

static void remove_next(struct held *h);

static void
on_stale_removed(struct held *h, struct held_job *job, int code)
{
    if (code == LDAP_SUCCESS)
        log_warning("entry of a held message that is not here removed id=%s", job->id);
    else if (code != LDAP_NO_SUCH_OBJECT)
        held_ldap_trouble(h, job->what, job->id, code);
    remove_next(h);
}

/* One after the other; after the last one the comparison is over. */
static void
remove_next(struct held *h)
{
    struct held_stale *s = h->ldap->stale;
    struct held_job *job = NULL;
    char dn[1300];

    if (held_ldap_usable(h) && s && s->next < s->n)
        job = held_job_new("delete", s->id[s->next++], on_stale_removed);
    if (job) {
        held_ldap_dn(h->ldap, job->id, dn, sizeof dn);
        if (held_job_sent(h, job, ldap_delete_ext(h->ldap->ld, dn, NULL, NULL, &job->msgid)) == 0)
            return;
    }
    held_ldap_compare_stop(h);
}

/* What has no entry there gets one again. Much of it not at once. */
static void
mend(struct held *h)
{
    int64_t until = beat_now() + MEND_MS;
    unsigned lost = 0, written = 0;

    for (size_t i = 0; i < h->index.n; i++) {
        struct held_item *item = h->index.at[i];

        if (item->published == item->listed)
            continue;
        if (item->busy)
            h->ldap->compare_ms = until; /* it is to be seen again soon */
        if (item->busy || held_load(h, item) < 0)
            continue;
        if (written++ == MEND_MAX || beat_now() >= until) {
            log_notice("entries of held messages were missing in the directory, some are made "
                       "later entries=%u",
                       lost);
            h->ldap->compare_ms = beat_now() + MEND_MS;
            return;
        }
        lost += item->published;
        if (item->published)
            log_warning("entry of a held message was missing in the directory id=%s", item->id);
        h->record.published = item->listed; /* a process that was killed may have made it */
        h->record.shown = 0;
        held_save(h, item);
    }
}

/* --- one after the other --- */

/* One entry of this site: whose is it? */
static void
compare_entry(struct held *h, struct held_job *job, LDAPMessage *m)
{
    char id[HELD_ID_MAX + 1], keeper[HELD_KEEPER_MAX + 1], error[HELD_ERROR];
    char state[17], target[MIRROR_DN_MAX];
    struct held_stale *s = h->ldap->stale;
    struct held_item *item;

    (void)job;
    held_ldap_value(h, m, "postroadHeldId", id, sizeof id);
    held_ldap_value(h, m, "postroadHeldKeeper", keeper, sizeof keeper);
    held_ldap_value(h, m, "postroadHeldState", state, sizeof state);
    held_ldap_value(h, m, "postroadHeldTarget", target, sizeof target);
    item = held_id_is(span_of(id)) ? held_index_find(&h->index, id) : NULL;
    if (item) {
        item->listed = 1;
        if (strcasecmp(state, held_state_word(HELD_HELD)) == 0)
            held_target_seen(h, item, target);
    } else if (*keeper && strcasecmp(keeper, h->ldap->keeper) != 0) {
        s->rivals++;
        memcpy(s->rival, keeper, sizeof keeper);
    } else if (s->n < STALE_MAX && held_id_is(span_of(id)) &&
               held_record_read(h->folder, id, &h->record, error, sizeof error) == 0) {
        memcpy(s->id[s->n++], id, sizeof id);
    }
}

static void
on_compared(struct held *h, struct held_job *job, int code)
{
    if (code != LDAP_SUCCESS) {
        held_ldap_trouble(h, job->what, h->ldap->base, code);
        held_ldap_compare_stop(h);
        return;
    }
    say_rivals(h, h->ldap->stale);
    mend(h);
    remove_next(h);
    held_soon(h);
}

void
held_ldap_compare(struct held *h)
{
    static const char *const attrs[] = {"postroadHeldId", "postroadHeldKeeper", "postroadHeldState",
                                        "postroadHeldTarget", NULL};
    struct held_ldap *l = h->ldap;
    struct held_job *job = held_job_new("comparison", "", on_compared);
    char filter[128];

    l->stale = calloc(1, sizeof *l->stale);
    if (!job || !l->stale) {
        free(job);
        held_ldap_compare_stop(h);
        return;
    }
    for (size_t i = 0; i < h->index.n; i++)
        h->index.at[i]->listed = 0;
    job->on_entry = compare_entry;
    l->comparing = 1;
    snprintf(filter, sizeof filter, "(postroadHeldSite=%s)", l->conf.site);
    if (held_job_sent(h, job,
                      ldap_search_ext(l->ld, l->base, LDAP_SCOPE_ONELEVEL, filter, (char **)attrs,
                                      0, NULL, NULL, NULL, 0, &job->msgid)) < 0)
        held_ldap_compare_stop(h);
}
