/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * held_ldap_entry: an entry below cn=held,BASE for each message of this site that waits for a verdict or had
 * one lately: made, brought up to date, removed.
 *
 * Promises: what is written is always of this site. What a directory finds unfit of a message is left out
 * rather than the message. The record says what was sent, also when a verdict came meanwhile.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "held_ldap.h"

#define VALUES_MAX (HELD_RECIPIENTS + 1)
#define ATTRS_MAX  17

/* --- one entry --- */

struct entry {
    LDAPMod mod[ATTRS_MAX], *mods[ATTRS_MAX + 1];
    char *value[ATTRS_MAX][2];
    char *recipients[VALUES_MAX], *attachments[VALUES_MAX];
    char count[24], size[24], time[24], expires[24], decided[24];
    int n;
};

static void
add_values(struct entry *e, int op, const char *name, char **values)
{
    LDAPMod *m = &e->mod[e->n];

    if (!values[0] || e->n == ATTRS_MAX)
        return;
    *m = (LDAPMod){.mod_op = op, .mod_type = (char *)name, .mod_vals.modv_strvals = values};
    e->mods[e->n++] = m;
    e->mods[e->n] = NULL;
}

/* Blank text is no value in a directory. */
static void
add(struct entry *e, int op, const char *name, const char *text)
{
    if (e->n == ATTRS_MAX || text[strspn(text, " ")] == '\0')
        return;
    e->value[e->n][0] = (char *)text;
    e->value[e->n][1] = NULL;
    add_values(e, op, name, e->value[e->n]);
}

/* Without those that are there already. */
static void
fill_list(char **out, char *first, unsigned n, size_t size)
{
    size_t k = 0;

    for (unsigned i = 0; i < n && k + 1 < VALUES_MAX; i++) {
        char *text = first + i * size;
        size_t j = 0;

        while (j < k && strcasecmp(out[j], text) != 0)
            j++;
        if (j == k && text[strspn(text, " ")])
            out[k++] = text;
    }
    out[k] = NULL;
}

static const char *
time_text(char out[24], int64_t ms)
{
    time_t t = (time_t)(ms / 1000);
    struct tm tm;

    *out = '\0';
    if (ms > 0 && gmtime_r(&t, &tm) && tm.tm_year < 8100)
        strftime(out, 24, "%Y%m%d%H%M%SZ", &tm);
    return out;
}

/* whole: with what people wrote, too, which a directory may find unfit. */
static void
fill(struct held *h, struct entry *e, const char *target, int whole)
{
    struct held_record *r = &h->record;

    memset(e, 0, sizeof *e);
    snprintf(e->count, sizeof e->count, "%llu", (unsigned long long)r->recipient_count);
    snprintf(e->size, sizeof e->size, "%llu", (unsigned long long)r->size);
    fill_list(e->recipients, r->recipient[0], r->recipients, sizeof r->recipient[0]);
    fill_list(e->attachments, r->attachment[0], r->attachments, sizeof r->attachment[0]);
    add(e, LDAP_MOD_ADD, "objectClass", "postroadHeld");
    add(e, LDAP_MOD_ADD, "postroadHeldId", r->id);
    add(e, LDAP_MOD_ADD, "postroadHeldSite", h->env->conf->site);
    add(e, LDAP_MOD_ADD, "postroadHeldState", held_state_word(r->state));
    if (!h->ldap->no_keeper)
        add(e, LDAP_MOD_ADD, "postroadHeldKeeper", h->ldap->keeper);
    add(e, LDAP_MOD_ADD, "postroadHeldTarget", target);
    add(e, LDAP_MOD_ADD, "postroadHeldRule", r->rule);
    add(e, LDAP_MOD_ADD, "postroadHeldCount", e->count);
    add(e, LDAP_MOD_ADD, "postroadHeldSize", e->size);
    add(e, LDAP_MOD_ADD, "postroadHeldTime", time_text(e->time, r->time_ms));
    add(e, LDAP_MOD_ADD, "postroadHeldExpires", time_text(e->expires, r->expires_ms));
    if (!whole)
        return;
    add(e, LDAP_MOD_ADD, "postroadHeldSender", r->sender);
    add(e, LDAP_MOD_ADD, "postroadHeldSubject", r->subject);
    add_values(e, LDAP_MOD_ADD, "postroadHeldRecipient", e->recipients);
    add_values(e, LDAP_MOD_ADD, "postroadHeldAttachment", e->attachments);
}

/* --- made --- */

static int
is_unfit(int code)
{
    return code == LDAP_INVALID_SYNTAX || code == LDAP_CONSTRAINT_VIOLATION ||
           code == LDAP_TYPE_OR_VALUE_EXISTS;
}

static int send_publish(struct held *h, struct held_item *item, int whole);

/* A schema of an older version, or words it does not take: once more without. */
static int
is_to_be_sent_again(struct held *h, const struct held_job *job, int code)
{
    int older = code == LDAP_UNDEFINED_TYPE || code == LDAP_OBJECT_CLASS_VIOLATION;

    if (older && !h->ldap->no_keeper) {
        h->ldap->no_keeper = 1;
        return held_load(h, job->item) == 0 && send_publish(h, job->item, job->whole) == 0;
    }
    return is_unfit(code) && job->whole && held_load(h, job->item) == 0 &&
           send_publish(h, job->item, 0) == 0;
}

static void
on_published(struct held *h, struct held_job *job, int code)
{
    struct held_item *item = job->item;
    int ok = code == LDAP_SUCCESS || code == LDAP_ALREADY_EXISTS; /* who was killed made it */

    if (!ok && is_to_be_sent_again(h, job, code))
        return;
    if (!ok)
        held_ldap_trouble(h, job->what, job->id, code);
    ok = ok && held_load(h, item) == 0;
    if (ok) {
        item->listed = 1; /* whatever a comparison under way has seen */
        held_target_seen(h, item, code == LDAP_SUCCESS ? job->target : NULL);
        h->record.published = 1;
        h->record.shown = h->record.state == job->state;
        ok = held_save(h, item) == 0;
    }
    held_settled(h, item, !ok);
}

/* Of h->record. */
static int
send_publish(struct held *h, struct held_item *item, int whole)
{
    struct held_job *job;
    char dn[1300], target[MIRROR_DN_MAX];
    struct entry e;

    if (!held_ldap_usable(h) || held_target_dn(h, target) < 0 ||
        !(job = held_job_new("add", item->id, on_published)))
        return -1;
    job->item = item;
    job->state = h->record.state;
    job->whole = whole;
    memcpy(job->target, target, sizeof target);
    held_ldap_dn(h->ldap, item->id, dn, sizeof dn);
    fill(h, &e, target, whole);
    return held_job_sent(h, job, ldap_add_ext(h->ldap->ld, dn, e.mods, NULL, NULL, &job->msgid));
}

int
held_ldap_publish(struct held *h, struct held_item *item)
{
    if (!*h->record.target_uuid) {
        held_know_target(h);
        if (*h->record.target_uuid && held_save(h, item) < 0)
            return -1;
    }
    return send_publish(h, item, 1);
}

/* --- brought up to date --- */

static void
on_shown(struct held *h, struct held_job *job, int code)
{
    struct held_item *item = job->item;
    int ok = code == LDAP_SUCCESS || code == LDAP_NO_SUCH_OBJECT;

    if (!ok)
        held_ldap_trouble(h, job->what, job->id, code);
    ok = ok && held_load(h, item) == 0;
    if (ok) {
        h->record.shown = h->record.state == job->state;
        ok = held_save(h, item) == 0;
    }
    held_settled(h, item, !ok);
}

int
held_ldap_show(struct held *h, struct held_item *item)
{
    struct held_record *r = &h->record;
    struct held_job *job;
    struct entry e = {.n = 0};
    char dn[1300];

    if (!held_ldap_usable(h) || !(job = held_job_new("state", item->id, on_shown)))
        return -1;
    job->item = item;
    job->state = r->state;
    held_ldap_dn(h->ldap, item->id, dn, sizeof dn);
    add(&e, LDAP_MOD_REPLACE, "postroadHeldState", held_state_word(r->state));
    add(&e, LDAP_MOD_REPLACE, "postroadHeldBy", r->by);
    add(&e, LDAP_MOD_REPLACE, "postroadHeldDecided", time_text(e.decided, r->decided_ms));
    return held_job_sent(h, job, ldap_modify_ext(h->ldap->ld, dn, e.mods, NULL, NULL, &job->msgid));
}

/* --- removed --- */

/* Only known in memory: a process that is killed now removes it again. */
static void
on_removed(struct held *h, struct held_job *job, int code)
{
    int ok = code == LDAP_SUCCESS || code == LDAP_NO_SUCH_OBJECT;

    if (ok)
        job->item->published = 0;
    else
        held_ldap_trouble(h, job->what, job->id, code);
    held_settled(h, job->item, !ok);
}

int
held_ldap_remove(struct held *h, struct held_item *item)
{
    struct held_job *job;
    char dn[1300];

    if (!held_ldap_usable(h) || !(job = held_job_new("delete", item->id, on_removed)))
        return -1;
    job->item = item;
    held_ldap_dn(h->ldap, item->id, dn, sizeof dn);
    return held_job_sent(h, job, ldap_delete_ext(h->ldap->ld, dn, NULL, NULL, &job->msgid));
}
